"""Let everything that can happen in so many steps happen, to a film on three servers and to double episodes, and judge every end.

Steps are what people do, what networks and disks do, and what hints do. Equal worlds are gone on with once. The first wrong end ends it: it is the
shortest, and is told as a story; others of its length are counted and in_one_line.
"""

import argparse
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from .proof.explore import explore
from .proof.stage import Copy, Stage
from .proof.story import in_one_line, tell

_FILM = (Copy("plex", ("film",)), Copy("jellyfin", ("film",)), Copy("emby", ("film",)))
STAGES = {
    "a film on Plex, Jellyfin and Emby": Stage(_FILM),
    "a file of two episodes on Jellyfin and on Emby": Stage((Copy("jellyfin", ("one", "two")), Copy("emby", ("one", "two")))),
    "a file of two episodes on Jellyfin, two files on Plex": Stage((Copy("plex", ("one",)), Copy("plex", ("two",)), Copy("jellyfin", ("one", "two")))),
    "a film on Plex, Jellyfin and Emby, which are read by what changed, and may lose an answer": Stage(_FILM, recent=True, cuts=True),
}
NARROW = 2
WIDE = 5
"""Stages after the first two go so many steps at most unless one is asked for alone."""


def main() -> int:
    """Run it for every stage; 0 when nothing was lost or invented."""
    parser = argparse.ArgumentParser(prog="scripts/exhaust", description=__doc__)
    parser.add_argument("--depth", type=int, default=4, metavar="N", help=f"how many steps (4); stages after the first {NARROW} go {WIDE} at most unless alone")
    parser.add_argument("--stage", type=int, choices=range(1, len(STAGES) + 1), help="which stage alone (all)")
    parser.add_argument(
        "--disturbances", type=int, metavar="N", help="how many of them may be outages, refused writes, kills, lost, doubled or late hints (any)"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many processes (2)")
    chosen = parser.parse_args()
    for number, (name, stage) in enumerate(STAGES.items(), 1):
        if chosen.stage not in {None, number}:
            continue
        depth = chosen.depth if chosen.stage or number <= NARROW else min(chosen.depth, WIDE)
        print(f"  {name}, up to {depth} steps", flush=True)
        began = time.perf_counter()
        with ProcessPoolExecutor(chosen.workers, get_context("spawn")) as pool:
            count = explore(stage, depth, pool, disturbances=chosen.disturbances, say=True)
        print(f"    {count.states:,} states, {count.histories:,} steps between them", flush=True)
        print(f"    {count.worlds:,} worlds went {count.ran:,} steps, {count.judges:,} judges heard of them, {time.perf_counter() - began:.0f} s", flush=True)
        if count.wrong:
            print(tell(stage, *count.stories[0]))
            print(f"\n  {count.wrong} wrong ends of this length, among them:", *(f"    {in_one_line(path)}" for path, _ in count.stories), sep="\n")
            return 1
    most = [resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(
        f"\nIn none of these histories was a watch state lost or invented. Memory: {most[0]:,} MB, and {most[1]:,} MB for each process.",
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

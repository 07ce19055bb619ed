"""Every rule and every pitfall is cited where it is tested."""

import re
from pathlib import Path

from .code import PACKAGE

TESTS = PACKAGE.parents[1] / "tests"
LAST_PITFALL = 52

_NUMBERS = re.compile(r"pitfalls? ((?:\d+(?:-\d+)?(?:, | and |,)?)+)", re.IGNORECASE)


def _tests() -> str:
    files: list[Path] = [file for file in TESTS.rglob("*") if file.suffix in {".py", ".yaml"} and file != Path(__file__)]
    return "\n".join(file.read_text() for file in files)


def _cited(text: str) -> set[int]:
    found: set[int] = set()
    for numbers in _NUMBERS.findall(text):
        for part in re.findall(r"\d+(?:-\d+)?", numbers):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_pitfall_is_named_by_a_test() -> None:
    """A pitfall without a test is one that comes back."""
    missing = set(range(1, LAST_PITFALL + 1)) - _cited(_tests())
    assert not missing, f"named by no test: {sorted(missing)}"


def test_every_rule_is_named_by_a_test() -> None:
    """The rules are those of docs/sync-rules.md."""
    text = _tests()
    rules = re.findall(r"\*\*([A-Z]\d)\*\*", (PACKAGE.parents[1] / "docs" / "sync-rules.md").read_text())
    assert len(rules) > 30
    missing = {rule for rule in rules if not re.search(rf"\b{rule}\b", text)}
    assert not missing, sorted(missing)

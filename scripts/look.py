"""Look at the running demo in a real browser: the servers, the household, and a last watched title that moves."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from .check import unwatched_titles
from .demo import DASHBOARD, Demo, demo
from .home import PASSWORD, USER

PORT = 8125
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync")


class Looking:
    """A browser page, and the folder for its pictures."""

    def __init__(self, page: Page, running: Demo, folder: Path) -> None:
        """Begin with an empty page."""
        self.page, self.running, self.folder = page, running, folder

    async def log_in(self) -> None:
        """Log in by the form."""
        await self.page.goto(self.running.home.url)
        await self.page.locator("input[name=username]").fill(USER)
        await self.page.locator("input[name=password]").fill(PASSWORD)
        await self.page.get_by_role("button", name="Log in").click()
        await self.page.locator("ha-sidebar").wait_for()

    async def open(self, path: str) -> None:
        """Load a page of Home Assistant and wait until it is drawn."""
        await self.page.goto(self.running.home.url + path)
        await self.page.locator("ha-sidebar").wait_for()
        await self.page.wait_for_load_state("networkidle")

    async def keep(self, name: str) -> None:
        """Keep a picture of what is shown."""
        await self.page.wait_for_timeout(500)  # what fades in is in by then
        await self.page.screenshot(path=self.folder / f"{name}.png")
        print(f"  {self.folder / name}.png", flush=True)

    async def tour(self) -> None:
        """Go where a person would go; raises AssertionError when something is not there."""
        await self.log_in()
        await self.open("/config/integrations/integration/plex_watchsync")
        for title in (*(server.name for server in self.running.media.servers.values()), "Household"):
            await expect(self.page.get_by_text(title, exact=True).first).to_be_visible()
        await self.keep("integration")
        await self.open(DASHBOARD)
        await self.sees_a_view()
        await self.keep("demo")
        await self.page.goto(self.running.media.control)
        await self.page.wait_for_load_state("networkidle")
        await self.keep("control")

    async def sees_a_view(self) -> None:
        """Finish a title on one of the servers and see that the page follows by itself."""
        title = next(iter(await unwatched_titles(self.running.media)))
        server = self.running.media.servers["plex"]
        await server.act(title, "play")
        await server.act(title, "finish")
        await expect(self.page.get_by_text(title.split(" S0")[0].split(" (")[0]).first).to_be_visible()


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """Open this machine's Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("scripts/look needs Chromium: install it first (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = await opened.new_page(viewport={"width": 1280, "height": 860}, locale="en-GB", reduced_motion="reduce")
        page.set_default_timeout(30_000)
        expect.set_options(timeout=15_000)
        try:
            yield page
        finally:
            await opened.close()


async def main() -> int:
    """Start the demo, look, end."""
    parser = argparse.ArgumentParser(prog="scripts/look", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--port", type=int, default=PORT, help=f"Home Assistant's port ({PORT})")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="plex_watchsync-") as temporary:
        async with demo(Path(temporary), chosen.port) as running, browser() as page:
            looking = Looking(page, running, chosen.folder)
            try:
                await looking.tour()
            except AssertionError:
                await looking.keep("failed")
                raise
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

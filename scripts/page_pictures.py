"""The pictures of the page in README and docs, taken in a browser from a running page: python -m scripts.page_pictures

It needs Playwright and chromium (``pip install '.[test-browser]'``, ``apt install chromium``). Run it where nothing else
runs: the picture of streaming shows what was said before the rest was made.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import (  # pyright: ignore[reportMissingImports] (an extra)
    Browser,
    Page,
    expect,
    sync_playwright,
)

TEXT = (
    "Flow matching turns noise into speech, step by step, and you hear it while the rest of it is still being made. "
    "It took 3 minutes to write this page's first line."
)
HEARD = "noise"
"""The word that is lit when the picture of streaming is taken."""
BEFORE, AFTER = "brought", "carried"
"""A word of the model's own voice's recording, and the other one that is to be heard in its place."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--port", type=int, default=7869)
    given = parser.parse_args()
    browsers = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    path = next((found for found in browsers if found), None)
    with served(given.port) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        speak(arrive(browser, url, "light", 1160, 800), given.out / "speak.png")
        edit(arrive(browser, url, "dark", 1280, 1340), given.out / "edit.png")
        browser.close()


@contextmanager
def served(port: int) -> Iterator[str]:
    """Run the page with the bundled voice; yield its address."""
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tts_fm.commands", "demo", "--port", str(port), "--no-browser", "--quiet"]
    with subprocess.Popen(command) as page:
        try:
            while page.poll() is None:
                try:
                    urlopen(url, timeout=5).close()
                    break
                except (URLError, OSError):
                    time.sleep(0.3)
            yield url
        finally:
            page.terminate()


def arrive(browser: Browser, url: str, theme: str, width: int, height: int) -> Page:
    """Open the page in a window of its own."""
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{url}/?__theme={theme}")
    page.get_by_role("tab", name="Speak", exact=True).first.wait_for()
    return page


def speak(page: Page, path: Path) -> None:
    """A text that is heard while its end is still made."""
    page.locator("#speak-text textarea").fill(TEXT)
    page.locator("#speak-generate").click()
    page.locator(".heard", has_text=HEARD).wait_for()
    page.screenshot(path=path)


def edit(page: Page, path: Path) -> None:
    """A word that is spoken anew in a recording."""
    page.get_by_role("tab", name="Edit", exact=True).click()
    page.locator("#edit-sample").click()
    wanted = page.locator("#edit-new-text textarea")
    expect(wanted).to_have_value(re.compile(BEFORE))
    wanted.fill(wanted.input_value().replace(BEFORE, AFTER))
    page.locator("#edit-generate").click()
    page.locator("#edit-status").get_by_text("Done").first.wait_for()
    page.locator("#edit-after-mel img").wait_for()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)  # until the waves are drawn
    page.screenshot(path=path)


if __name__ == "__main__":
    main()

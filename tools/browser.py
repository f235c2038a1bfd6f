"""A browser for the tests of the pages: the one that is here, else one that is fetched.

``python -m tools.browser`` looks for chromium or Chrome and, where there is none, fetches Playwright's own, else takes
Debian's where it may install packages; where neither can be had it says in one line what to do.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "chromium"]
APT = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]


def find() -> str | None:
    """The path of a browser that starts: the system's, else Playwright's own; None where there is none."""
    candidates = [path for name in NAMES if (path := shutil.which(name))]
    return next((path for path in [*candidates, *_of_playwright()] if _starts(path)), None)


def _of_playwright() -> list[str]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return [path] if Path(path).exists() else []


def _starts(path: str) -> bool:
    """Whether it runs at all, with the libraries that it needs; one that cannot be started is no browser."""
    return _run([path, "--version"])


def _run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def main() -> int:
    """Bring a browser; 1 where none can be had."""
    if find():
        return 0
    print("no chromium or Chrome here: fetching Playwright's own")
    _run(PLAYWRIGHT)
    if find():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("it does not come or does not start: taking chromium from apt")
        _run(["apt-get", "update", "-qq"])
        _run(APT)
        if find():
            return 0
    print(
        "no browser for the pages: install chromium or Chrome (on Debian: sudo apt install chromium; on macOS: "
        "brew install --cask google-chrome), or run .venv/bin/playwright install --with-deps chromium online",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())

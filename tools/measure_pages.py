"""Print, for each chapter, what its reader meets: code by kind, claims, diagrams, the place of the first picture.

Run it from the root of the repository, after ``make book``: ``python -m tools.measure_pages``.
"""

import ast
import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nbformat
from playwright.sync_api import Browser, sync_playwright

from tools.browser import find
from tools.build_book import ROOT, chapters
from tools.chapter_rules import COLUMNS, open_claims

HTML = ROOT / "_build" / "html"
SCREENS = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
FIRST_PICTURE = """() => {
    const shown = [...document.querySelectorAll("main .cell_output img")].find(image => image.offsetParent);
    return shown ? Math.round(shown.getBoundingClientRect().bottom + window.scrollY) : null;
}"""
LONG_CODE = """() => [...document.querySelectorAll("main .cell_input pre")]
    .filter(box => box.offsetParent && box.scrollWidth > box.clientWidth + 1).length"""


def code(notebook: nbformat.NotebookNode) -> dict[str, int]:
    """Lines of code by kind: in the open what draws, claims and does the rest; folded; longer than 79 columns.

    Args:
        notebook: a chapter.
    """
    found = {"method": 0, "draws": 0, "claims": 0, "folded": 0, "long": 0, "open claims": 0, "diagrams": 0}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        lines = [line for line in cell.source.splitlines() if line.strip()]
        found["long"] += sum(len(line) > COLUMNS for line in lines)
        found["open claims"] += open_claims(ast.parse(cell.source))
        found["diagrams"] += cell.source.count("plots.diagram(")
        if "hide-input" in cell.metadata.get("tags", []):
            found["folded"] += len(lines)
        elif "plots." in cell.source:
            found["draws"] += len(lines)
        elif "claim(" in cell.source:
            found["claims"] += len(lines)
        else:
            found["method"] += len(lines)
    return found


def measured(browser: Browser, address: str) -> dict[str, dict[str, Any]]:
    """For each screen: where the first picture ends, how many code boxes are cut, how high the page is, in pixels.

    Args:
        browser: an open one.
        address: of a chapter's page.
    """
    found = {}
    for name, size in SCREENS.items():
        opened = browser.new_page(viewport=size)
        opened.goto(address, wait_until="networkidle")
        found[name] = {
            "picture": opened.evaluate(FIRST_PICTURE),
            "cut": opened.evaluate(LONG_CODE),
            "height": opened.evaluate("document.documentElement.scrollHeight"),
        }
        opened.close()
    return found


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server of the rendered book."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def main() -> int:
    """Print the table."""
    path = find()
    if path is None:
        print("no browser: `python -m tools.browser` brings one", file=sys.stderr)
        return 1
    with sync_playwright() as playwright, serving() as site:
        browser = playwright.chromium.launch(executable_path=path, args=["--headless", "--no-sandbox"])
        for number, chapter in enumerate(chapters(ROOT)):
            row: dict[str, Any] = code(nbformat.read(chapter, as_version=4))
            for screen, values in measured(browser, f"{site}/book/{chapter.stem}.html").items():
                row |= {f"{screen} {what}": value for what, value in values.items()}
            if number == 0:
                print("chapter", *row, sep=" | ")
            print(chapter.stem, *row.values(), sep=" | ", flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

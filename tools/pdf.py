"""The book on paper: each page of ``_build/html`` printed into ``_build/pdf``, in the order of the contents.

Run it after ``make book``: ``python -m tools.pdf``.
"""

import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

from tools.browser import find
from tools.build_book import ROOT

MARGIN = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}


def page_names(toc: str) -> list[str]:
    """The pages of the book in the order of its contents.

    >>> page_names("{root: book/index, parts: [{chapters: [{file: book/dann, sections: [{file: book/api/nets}]}]}]}")
    ['book/index', 'book/dann', 'book/api/nets']
    """
    read = yaml.safe_load(toc)
    entries = [entry for part in read["parts"] for entry in part["chapters"]]
    below = [[entry["file"], *(section["file"] for section in entry.get("sections", []))] for entry in entries]
    return [read["root"], *(name for names in below for name in names)]


def print_pages(html: Path, names: list[str], folder: Path, browser: str) -> list[Path]:
    """Print pages of the rendered book on A4; the files, whose numbers are the order of the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = window.new_page(color_scheme="light")
        for number, name in enumerate(names, 1):
            page.goto((html / f"{name}.html").resolve().as_uri(), wait_until="load")
            page.eval_on_selector_all("img", "images => images.forEach(image => { image.loading = 'eager' })")
            page.wait_for_function("() => [...document.images].every(image => image.complete)")
            page.evaluate("() => window.MathJax?.startup?.promise")
            made.append(folder / f"{number:02}-{Path(name).name}.pdf")
            page.pdf(path=made[-1], format="A4", margin=MARGIN)
        window.close()
    return made


def main() -> int:
    """Print all pages; 1 where there is no book or no browser."""
    html, browser = ROOT / "_build" / "html", find()
    if not (html / "index.html").exists() or not browser:
        missing = "no browser: make test brings one" if not browser else "no book in _build/html: make book comes first"
        print(missing, file=sys.stderr)
        return 1
    names = page_names((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    made = print_pages(html, names, ROOT / "_build" / "pdf", browser)
    print(f"{len(made)} files are in _build/pdf, {made[0].name} to {made[-1].name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The rendered pages, finished: what Sphinx and its theme leave out or load in vain.

Each function here takes a page, as parsed, and says in a sentence what it is for; ``finish`` calls them on every page.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag

CHINESE = re.compile(r"[\u4e00-\u9fff](?:[\u4e00-\u9fff、，]*[\u4e00-\u9fff])?")
SENTENCE = re.compile(r"(.+?[.?!])(?=\s|$)", re.DOTALL)
LONGEST_DESCRIPTION = 200
# The theme draws nine icons with a script of 1.5 MB and fonts; book.css draws them.
ICONS = (
    "scripts/fontawesome.js",
    "scripts/fontawesome.js.map",
    "scripts/fontawesome.js.LICENSE.txt",
    "vendor/fontawesome",
)


def finish(html: Path, stamps: Mapping[str, str]) -> None:
    """Finish every page below a folder and take away what none of them loads.

    Args:
        html: the folder that Sphinx has written.
        stamps: what stands at the foot of a page, by its path below ``html``; ``""`` is the stamp of all others.
    """
    for file in sorted(html.rglob("*.html")):
        if "_static" in file.parts:
            continue
        page = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
        if page.find("main") is None:
            continue  # the front door, which only leads on
        name = file.relative_to(html).as_posix()
        drop_mathematics(page)
        drop_icon_script(page)
        load_late(page)
        mark_chinese(page)
        describe(page)
        name_buttons(page)
        mend_tables(page)
        stamp(page, stamps.get(name, stamps[""]))
        file.write_text(str(page), encoding="utf-8")
    for name in ICONS:
        path = html / "_static" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def drop_mathematics(page: BeautifulSoup) -> None:
    """MathJax is 2.3 MB: only a page with a formula loads it."""
    if page.select_one(".math"):
        return
    for script in page.find_all("script"):
        if "mathjax" in (script.get("src") or "").lower() or "window.MathJax" in script.get_text():
            script.decompose()


def drop_icon_script(page: BeautifulSoup) -> None:
    """The theme's script for icons is not loaded, and its icons say nothing to a reader who hears the page."""
    for script in page.find_all("script", src=re.compile("fontawesome")):
        script.decompose()
    for icon in page.select("i[class*='fa-'], span[class*='fa-']"):
        icon["aria-hidden"] = "true"
        del icon["title"]


def load_late(page: BeautifulSoup) -> None:
    """All pictures but the first come when they are near."""
    for image in page.select("article img")[1:]:
        image["loading"] = "lazy"


def mark_chinese(page: BeautifulSoup) -> None:
    """Chinese words say that they are Chinese, for voices and for fonts."""
    for text in page.find("main").find_all(string=CHINESE):
        if text.find_parent(["script", "style", "pre"]) or not isinstance(text, NavigableString):
            continue
        parts: list[NavigableString | Tag] = []
        end = 0
        for match in CHINESE.finditer(text):
            span = page.new_tag("span", attrs={"lang": "zh"})
            span.string = match.group()
            parts += [NavigableString(text[end : match.start()]), span]
            end = match.end()
        text.replace_with(*parts, NavigableString(text[end:]))


def describe(page: BeautifulSoup) -> None:
    """The first sentence of a page describes it to search engines and where its address is shared."""
    title = page.title.get_text().split(" — ")[0] if page.title else ""
    prose = (
        p for p in page.select("article p") if not p.select_one(".math") and not p.find_parent(["blockquote", "li"])
    )
    paragraph = next((p for p in prose if len(p.get_text().split()) > 3), None)
    text = " ".join(paragraph.get_text().split()) if paragraph else title
    found = SENTENCE.match(text)
    said = found.group(1) if found else text
    if len(said) > LONGEST_DESCRIPTION:
        said = said[:LONGEST_DESCRIPTION].rsplit(" ", 1)[0] + " …"
    for meta in page.find_all("meta", attrs={"name": "viewport"})[1:]:
        meta.decompose()
    for attribute, key, value in (
        ("name", "description", said),
        ("property", "og:title", title),
        ("property", "og:description", said),
        ("property", "og:type", "article"),
        ("property", "og:site_name", "Transfer learning"),
    ):
        page.head.append(page.new_tag("meta", attrs={attribute: key, "content": value}))


def name_buttons(page: BeautifulSoup) -> None:
    """A button is called what is written on it, so that one can say its name to a computer."""
    for button in page.select("button.search-button-field"):
        del button["aria-label"]
        del button["title"]
    for fold in page.select("article summary"):
        del fold["aria-label"]
    for fold in page.select("nav summary"):
        above = fold.find_parent("li").find("a")
        fold["aria-label"] = f"Pages below: {' '.join(above.get_text().split())}"


def mend_tables(page: BeautifulSoup) -> None:
    """A header without a word is no header."""
    for cell in page.select("article th"):
        if not cell.get_text(strip=True):
            cell.name = "td"


def stamp(page: BeautifulSoup, text: str) -> None:
    """What made the page stands at its foot."""
    footer = page.select_one("footer.bd-footer-content")
    if footer and text:
        line = page.new_tag("p", attrs={"class": "made"})
        line.string = text
        footer.insert(0, line)

"""The rendered pages, opened in a browser as a reader would: on a desk and on a phone, by day and by night."""

import contextlib
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

from tools.browser import find
from tools.measure_pages import SCREENS, measured, serving

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PAGES = sorted(str(file.relative_to(HTML)) for file in HTML.rglob("*.html") if "_static" not in file.parts)
TOWER = 200  # pixels of a table's row
DESK, PHONE = SCREENS["desk"], SCREENS["phone"]
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
A_PATH = re.compile(r"(^|/)_images/|\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)

SOURCES = [name for name in PAGES if name.startswith("_modules/")]  # made by one template: two stand for all
LOOKED_AT = [name for name in PAGES if name not in SOURCES[2:]]

each_page = pytest.mark.parametrize("name", PAGES)


def test_the_book_is_built() -> None:
    assert (HTML / "index.html").exists(), "make book comes first"
    chapters = {file.stem for file in (ROOT / "book").glob("*.ipynb")}
    assert chapters <= {Path(name).stem for name in PAGES}, "a chapter is missing in _toc.yml"


@each_page
def test_a_page_names_no_third_party(name: str) -> None:
    page = BeautifulSoup((HTML / name).read_text(encoding="utf-8"), "html.parser")
    loaded = [tag.get("src") for tag in page.find_all(["script", "img", "iframe", "source", "embed"])]
    loaded += [tag.get("href") for tag in page.find_all("link")]
    assert [address for address in loaded if address and urlsplit(address).netloc] == []
    styles = " ".join(tag.get_text() for tag in page.find_all("style"))
    assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", styles)


def test_style_sheets_name_no_third_party() -> None:
    for sheet in HTML.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_every_link_within_the_book_leads_somewhere() -> None:
    read = {name: BeautifulSoup((HTML / name).read_text(encoding="utf-8"), "html.parser") for name in PAGES}
    anchors = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in read.items()}
    dead = []
    for name, page in read.items():
        for link in page.find_all("a", href=True):
            address = urlsplit(link["href"])
            if address.scheme or address.netloc:
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), address.path)) if address.path else name
            lost = address.fragment and target in anchors and unquote(address.fragment) not in anchors[target]
            if not (HTML / target).exists() or lost:
                dead.append(f"{name}: {link['href']}")
    assert dead == []


@each_page
def test_what_a_page_is_made_of(name: str) -> None:
    page = BeautifulSoup((HTML / name).read_text(encoding="utf-8"), "html.parser")
    if page.find("main") is None:
        return  # the front door, which only leads on
    scripts = " ".join(tag["src"] for tag in page.find_all("script", src=True))
    assert ("mathjax" in scripts) == bool(page.select(".math"))
    assert "fontawesome" not in scripts
    pictures = page.select("article img")
    assert [picture["src"] for picture in pictures if not (picture.get("width") and picture.get("height"))] == []
    assert [picture.get("loading") for picture in pictures] == [None, *["lazy"] * (len(pictures) - 1)][: len(pictures)]
    assert [cell for cell in page.select("article th") if not cell.get_text(strip=True)] == []
    assert page.find("meta", attrs={"name": "description"})["content"]
    assert page.find("meta", property="og:description")["content"]
    assert "tlbook" in page.select_one("footer .made").get_text()
    chinese = [text for text in page.main.find_all(string=re.compile("[\u4e00-\u9fff]")) if not text.find_parent("pre")]
    assert [text for text in chinese if not text.find_parent(lang="zh")] == []


def test_a_chapter_links_its_equations_its_sources_its_terms_and_its_names() -> None:
    page = BeautifulSoup((HTML / "book/dann.html").read_text(encoding="utf-8"), "html.parser").article
    for start in ("#eq-dann-", "references.html#ref-ganin-2016", "glossary.html#term-", "api/"):
        assert page.select(f'a[href^="{start}"]'), start


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a server of the rendered book."""
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find()
    assert path, "no browser: `.venv/bin/python -m tools.browser` brings one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_as_a_reader_sees_it(browser: Browser, site: str, name: str, theme: str) -> None:
    page = browser.new_page(viewport=DESK, color_scheme=theme)
    page.set_default_timeout(120_000)  # a busy machine is slow, not wrong
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    # the front door leaves before its icon has come, which is no failure
    page.on("requestfailed", lambda r: troubles.append(f"failed: {r.url}") if r.failure != "net::ERR_ABORTED" else None)
    page.on("response", lambda response: troubles.append(response.url) if response.status >= 400 else None)
    page.on(
        "request", lambda request: troubles.append(f"external: {request.url}") if _external(request.url, site) else None
    )
    page.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    page.goto(f"{site}/{name}", wait_until="load")
    page.wait_for_load_state("networkidle")
    _settle(page)
    problems = [*_mathematics(page), *_images(page), *_accessibility(page, "on a desk")]
    _screenshot(page, name, f"desk-{theme}")
    page.set_viewport_size(PHONE)
    _settle(page)
    problems += [*_sideways(page), *_rows(page), *_accessibility(page, "on a phone")]
    _screenshot(page, name, f"phone-{theme}")
    page.close()
    assert not troubles + problems, "\n".join(troubles + problems)


def _settle(page: Page) -> None:
    """Wait for the theme, which lets the keyboard reach what scrolls 0.3 s after a change; axe judges what it did."""
    with contextlib.suppress(TimeoutError):
        page.wait_for_function(
            """() => [...document.querySelectorAll("pre")]
                .every(e => e.scrollWidth <= e.clientWidth || e.tabIndex === 0)""",
            timeout=20_000,
        )


def _external(url: str, site: str) -> bool:
    return not url.startswith((site, "data:", "blob:"))


def _mathematics(page: Page) -> list[str]:
    """Every formula of the source is drawn, and none as an error."""
    page.evaluate("() => window.MathJax?.startup?.promise")
    formulas, drawn = page.locator(".math").count(), page.locator(".math mjx-container svg").count()
    wrong = page.locator("[data-mml-node='merror']").all_inner_texts()
    missing = [f"{formulas} formulas, {drawn} drawn"] if drawn < formulas else []
    return missing + [f"a formula with an error: {text}" for text in wrong]


def _images(page: Page) -> list[str]:
    """Every picture has loaded and has a text that says what it shows."""
    page.eval_on_selector_all("img", "images => images.forEach(image => { image.loading = 'eager' })")
    page.evaluate("() => Promise.allSettled([...document.images].map(image => image.decode()))")
    images = page.eval_on_selector_all(
        "img", "imgs => imgs.map(i => ({src: i.src, alt: i.alt, loaded: i.complete && i.naturalWidth > 0}))"
    )
    problems = [f"not loaded: {image['src']}" for image in images if not image["loaded"]]
    bad = [image for image in images if not image["alt"].strip() or A_PATH.search(image["alt"])]
    return problems + [f"no real alt text ({image['alt']!r}): {image['src']}" for image in bad]


def _sideways(page: Page) -> list[str]:
    """What sticks out on a phone, if the page scrolls sideways."""
    width = page.evaluate("document.documentElement.scrollWidth")
    if width <= PHONE["width"]:
        return []
    wide = page.evaluate(
        """limit => {
            const scrolls = e => e && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
            return [...document.querySelectorAll("main *")]
                .filter(e => e.getBoundingClientRect().right > limit + 1 && !scrolls(e.parentElement))
                .slice(0, 5).map(e => e.outerHTML.slice(0, 100));
        }""",
        PHONE["width"],
    )
    return [f"{width} px wide on a phone: {wide}"]


def _rows(page: Page) -> list[str]:
    """Rows of tables that are a tower of words on a phone, and what of "next" and "previous" is out of sight."""
    towers = page.evaluate(
        """limit => [...document.querySelectorAll("article tr")]
            .filter(row => row.getBoundingClientRect().height > limit)
            .map(row => `a row of ${row.getBoundingClientRect().height} px: ${row.innerText.slice(0, 60)}`)""",
        TOWER,
    )
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".prev-next-area a *")]
            .filter(e => e.getBoundingClientRect().right > window.innerWidth || e.getBoundingClientRect().left < 0)
            .map(e => `out of sight: ${e.innerText}`)"""
    )
    return [*towers, *outside]


def _accessibility(page: Page, where: str) -> list[str]:
    """What axe-core finds of A or AA, contrast of text with its ground and names of buttons included."""
    page.evaluate("() => window.axe") or page.add_script_tag(path=AXE)
    found = page.evaluate(
        """() => axe.run(document, {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
            rules: {"label-content-name-mismatch": {enabled: true}},
            resultTypes: ["violations"],
        })"""
    )
    return [
        f"{where}: {violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in found["violations"]
        for node in violation["nodes"][:5]
    ]


def _screenshot(page: Page, name: str, how: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    file = f"{Path(name).with_suffix('').as_posix().replace('/', '-')}-{how}.png"
    page.screenshot(path=SCREENSHOTS / file, full_page=True)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of somebody who comes for the first time."""
    page = browser.new_page(viewport=DESK)
    page.set_default_timeout(120_000)
    yield page
    page.close()


def test_the_first_visit_has_no_error(page: Page, site: str) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{site}/book/index.html", wait_until="load")
    page.wait_for_load_state("networkidle")
    assert errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_search_hit_is_marked_in_sight_and_readable(page: Page, site: str, theme: str) -> None:
    page.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    page.goto(f"{site}/search.html?q=hemisphere", wait_until="load")
    page.locator("#search-results a").first.click()
    hit = page.locator("article .highlighted").first
    hit.wait_for()
    page.wait_for_load_state("networkidle")
    top, bottom = hit.evaluate("e => [e.getBoundingClientRect().top, e.getBoundingClientRect().bottom]")
    assert 0 < top < bottom < DESK["height"]
    colours = hit.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
    dark, light = sorted(_luminance(colour) for colour in colours)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)``, as WCAG defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("word", ["适应", "迁移", "领域自适应"])
def test_chinese_words_find_the_glossary(page: Page, site: str, word: str) -> None:
    page.goto(f"{site}/search.html?q={word}", wait_until="load")
    page.locator("#search-results a[href*='glossary.html']").first.wait_for()


def test_the_search_stays_in_sight_where_the_list_of_pages_scrolls(page: Page, site: str) -> None:
    page.goto(f"{site}/book/api/train.html", wait_until="load")
    page.wait_for_load_state("networkidle")
    button = page.locator(".bd-sidebar-primary .search-button-field")
    here = page.locator(".bd-sidebar-primary li.current.active > a").last
    assert here.evaluate("e => e.closest('.sidebar-primary-item').scrollTop") > 0, "a list that does not scroll"
    assert 0 <= button.bounding_box()["y"] < here.bounding_box()["y"] < DESK["height"]


def test_escape_from_the_side_bar_returns_to_its_button(page: Page, site: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{site}/book/theory.html", wait_until="load")
    page.wait_for_load_state("networkidle")
    for side in ("primary", "secondary"):
        opener = page.locator(f".{side}-toggle").first
        opener.click()
        page.locator(f"#pst-{side}-sidebar-modal[open]").wait_for()
        page.keyboard.press("Escape")
        page.wait_for_function("side => document.activeElement.matches(`.${side}-toggle`)", arg=side)


def test_the_table_of_methods_can_be_narrowed_down(page: Page, site: str) -> None:
    page.goto(f"{site}/book/taxonomy.html", wait_until="load")
    lists, rows = page.locator(".filters select"), page.locator(".tag_filterable tbody tr")
    said = page.locator(".filters [role=status]")
    everything = said.inner_text()
    names = [heads.strip() for heads in page.locator(".tag_filterable th").all_inner_texts()]
    assert [label.split("\n")[0].strip() for label in page.locator(".filters label").all_inner_texts()] == names[1:]
    lists.last.select_option("instances")
    shown = [row for row in rows.all() if row.is_visible()]
    assert 0 < len(shown) < rows.count()
    assert all("instances" in row.inner_text() for row in shown)
    assert said.inner_text() != everything
    page.locator(".filters button").press("Enter")
    assert said.inner_text() == everything
    assert all(row.is_visible() for row in rows.all())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_keyboard_s_place_is_seen_on_every_button(page: Page, site: str, theme: str) -> None:
    page.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    page.goto(f"{site}/book/theory.html", wait_until="load")
    page.wait_for_load_state("networkidle")
    seen: dict[str, float] = {}
    for _ in range(60):
        page.keyboard.press("Tab")
        name, width = page.evaluate(
            """() => {
                const e = document.activeElement;
                return [`${e.tagName} ${e.className}`, parseFloat(getComputedStyle(e).outlineWidth)];
            }"""
        )
        seen[name] = min(width, seen.get(name, width))
    assert sum(name.startswith("BUTTON") for name in seen) >= 4
    assert [name for name, width in seen.items() if width < 2] == []


def test_the_dark_page_prints_black_on_white_and_no_line_is_lost(page: Page, site: str) -> None:
    page.add_init_script("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    page.set_viewport_size({"width": 670, "height": 900})  # A4 less its margins
    page.goto(f"{site}/book/dann.html", wait_until="load")
    page.wait_for_load_state("networkidle")
    page.emulate_media(media="print")
    colours = page.eval_on_selector_all(
        "article :is(h1, h2, p, code, pre span)", "all => [...new Set(all.map(e => getComputedStyle(e).color))]"
    )
    assert colours == ["rgb(0, 0, 0)"]
    cut = page.eval_on_selector_all(
        "article pre", "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 80))"
    )
    assert cut == []
    apart = page.eval_on_selector_all(
        "article :is(.cell_input, div.math, tr)",
        "all => all.filter(e => getComputedStyle(e).breakInside !== 'avoid').length",
    )
    assert apart == 0


FACING = sorted({file.stem for file in (ROOT / "book").glob("*.ipynb")} - {"your_own_data"})


@pytest.mark.parametrize("chapter", FACING)
def test_the_first_picture_stands_on_the_first_screen_and_no_code_is_cut(
    browser: Browser, site: str, chapter: str
) -> None:
    found = measured(browser, f"{site}/book/{chapter}.html")
    ends = {screen: values["picture"] for screen, values in found.items()}
    assert all(0 < ends[screen] <= size["height"] for screen, size in SCREENS.items()), ends
    assert found["desk"]["cut"] == 0


@pytest.mark.parametrize("chapter", FACING)
def test_each_figure_has_a_version_for_each_theme_and_a_text(chapter: str) -> None:
    html = BeautifulSoup((HTML / "book" / f"{chapter}.html").read_text(encoding="utf-8"), "html.parser")
    light, dark = (html.select(f"img.figure.only-{theme}") for theme in ("light", "dark"))
    assert len(light) == len(dark) > 3
    for one, other in zip(light, dark, strict=True):
        assert one["src"] != other["src"]
        assert one["alt"] == other["alt"] != ""

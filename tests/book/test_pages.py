"""The rendered pages, opened in a browser as a reader would: on a desk and on a phone, by day and by night."""

import contextlib
import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

from tools.browser import find

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PAGES = sorted(str(file.relative_to(HTML)) for file in HTML.rglob("*.html") if "_static" not in file.parts)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
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


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a server of the rendered book."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find()
    assert path, "no browser: `.venv/bin/python -m tools.browser` brings one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@each_page
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
    problems += [*_sideways(page), *_accessibility(page, "on a phone")]
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


def _accessibility(page: Page, where: str) -> list[str]:
    """What axe-core finds serious or critical, contrast of text with its ground included."""
    page.evaluate("() => window.axe") or page.add_script_tag(path=AXE)
    found = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa'], resultTypes: ['violations']})")
    return [
        f"{where}: {violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:5]
    ]


def _screenshot(page: Page, name: str, how: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    file = f"{Path(name).with_suffix('').as_posix().replace('/', '-')}-{how}.png"
    page.screenshot(path=SCREENSHOTS / file, full_page=True)

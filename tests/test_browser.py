"""Every page as a reader meets it: in Chromium, from a folder and over HTTP, in both schemes, on a phone, without JavaScript."""

import gzip
import re

import browser
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import chromium, served, visit  # noqa: F401
from built import pages, site  # noqa: F401

PAGES = pages()
PAGE_BUDGET, FIGURES_BUDGET = 1_000_000, 60_000
PHONE = {"viewport": {"width": 375, "height": 812}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def homes(site):
    with served(site) as address:
        yield {"file": site.as_uri(), "http": address}


def gzipped(path):
    """Bytes over the wire: a server compresses text, and fonts and pictures are compressed already."""
    content = path.read_bytes()
    return min(len(content), len(gzip.compress(content, 6)))


def axe(tab, rules=None):
    """What axe-core finds, a line for each place."""
    # preload: axe would fetch the stylesheets once more, which file:// refuses
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": {"type": "rule", "values": rules}} if rules else {})
    found = Axe().run(tab, options=options).response["violations"]
    return [f"{fault['id']} ({fault['impact']}): {fault['help']}: {' '.join(node['html'].split())[:160]}"
            for fault in found for node in fault["nodes"][:4]]


@pytest.mark.parametrize("via", ["file", "http"])
@pytest.mark.parametrize("page", PAGES)
def test_page_opens(visit, homes, site, page, via):
    """Nothing on the console, nothing missing, no other host, every formula typeset, and light enough."""
    seen = visit(homes[via], page)
    assert not seen.noise, f"{page} over {via}:\n" + "\n".join(seen.noise)
    formulas, typeset, wrong = seen.tab.evaluate(
        "[document.querySelectorAll('.math').length, document.querySelectorAll('.math > mjx-container').length,"
        " [...document.querySelectorAll('mjx-merror, .math mjx-mtext[style*=red]')].map((e) => e.textContent)]")
    assert typeset == formulas and not wrong, f"{page}: {typeset} of {formulas} formulas are typeset, wrong: {wrong}"
    weights = {url.removeprefix(homes[via]): gzipped(site / url.removeprefix(f"{homes[via]}/")) for url in set(seen.urls)}
    heaviest = sorted(weights.items(), key=lambda item: -item[1])[:5]
    assert sum(weights.values()) <= PAGE_BUDGET, f"{page} weighs {sum(weights.values())} bytes on a first visit: {heaviest}"


@pytest.mark.parametrize("page", PAGES)
def test_page_fits_a_phone(visit, homes, page):
    """The page never scrolls sideways; an equation or a table that is wider does so by itself, and takes the focus of the keyboard."""
    seen = visit(homes["file"], page, **PHONE)
    width, wide = seen.tab.evaluate("""() => {
        const limit = document.documentElement.clientWidth;
        const scrolls = (e) => e && e !== document.body && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
        const wide = [...document.querySelectorAll("article *")].filter((e) => e.getBoundingClientRect().right > limit + 1 && !scrolls(e));
        return [document.documentElement.scrollWidth, wide.slice(0, 5).map((e) => e.outerHTML.slice(0, 100))];
    }""")
    assert width <= 375, f"{page} is {width} px wide on a phone of 375 px: {wide}"
    for part in seen.tab.locator("div.math, .pst-scrollable-table-container").all():
        overflows, focusable = part.evaluate("(e) => [e.scrollWidth > e.clientWidth + 1, e.tabIndex === 0]")
        assert overflows == focusable, f"{page}: {part.inner_text()[:80]}"
    assert not seen.noise, f"{page} on a phone:\n" + "\n".join(seen.noise)


@pytest.mark.parametrize("page", PAGES)
def test_formulas_that_fit_stay_in_their_line(visit, homes, page):
    """On a wide screen no formula of the running text gets a line of its own, in bold and in links neither."""
    seen = visit(homes["file"], page)
    alone = seen.tab.evaluate("""[...document.querySelectorAll("article span.math")].filter((e) => getComputedStyle(e).display !== "inline")
        .map((e) => e.parentElement.textContent.slice(0, 80))""")
    assert not alone, f"{page}: a formula stands alone in: {alone}"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_accessible_in_light_and_dark(visit, homes, page):
    """axe-core finds nothing, with every hint open; the switch leads from the system's light to dark."""
    seen = visit(homes["file"], page, color_scheme="light", reduced_motion="reduce")
    seen.tab.evaluate("""() => {
        document.querySelectorAll("details").forEach((hint) => { hint.open = true; });
        // Two thinnings, for speed: glyphs, which are aria-hidden beside their MathML, and all but one coloured word of each kind in code.
        document.querySelectorAll("mjx-math").forEach((glyphs) => { glyphs.remove(); });
        const kinds = new Set();
        document.querySelectorAll("pre span[class]").forEach((word) => {
            if (kinds.has(word.className)) word.replaceWith(...word.childNodes);
            else kinds.add(word.className);
        });
    }""")
    for scheme in ("light", "dark"):
        if scheme == "dark":
            seen.tab.locator(".theme-switch-button").click()
            seen.settle()
        assert seen.tab.evaluate("document.documentElement.dataset.theme") == scheme
        brightness = sum(map(int, re.findall(r"\d+", seen.tab.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))
        assert (brightness > 600) == (scheme == "light")
        around = "[...document.querySelectorAll('.ropebook-figure')].map((figure) => getComputedStyle(figure.parentElement).backgroundColor)"
        assert set(seen.tab.evaluate(around)) <= {"rgba(0, 0, 0, 0)"}, f"{page} in {scheme}: a card of another colour around a figure"
        faults = axe(seen.tab, rules=["color-contrast"] if scheme == "dark" else None)
        assert not faults, f"{page} in {scheme}:\n" + "\n".join(faults)
    assert not seen.noise, f"{page}:\n" + "\n".join(seen.noise)


@pytest.mark.parametrize("page", PAGES)
def test_page_reads_without_javascript(visit, homes, page):
    """Text, pictures and navigation stand, on a phone too; figures show their still picture; no control is left that does nothing."""
    seen = visit(homes["file"], page, java_script_enabled=False)
    for width in (1280, 375):
        seen.tab.set_viewport_size({"width": width, "height": 812})
        assert seen.tab.locator("h1 >> visible=true").count() == 1
        entries = seen.tab.locator("nav.bd-docs-nav a >> visible=true").count()
        assert entries >= len(PAGES) - 2, f"{page} at {width} px shows {entries} entries of the contents"
        assert seen.tab.locator("button >> visible=true").count() == 0, f"{page} at {width} px shows a button that does nothing"
        for still in seen.tab.locator(".ropebook-figure").all():
            assert still.locator("img, svg").first.is_visible(), f"{page} at {width} px: no picture of {still.get_attribute('data-figure')}"
    assert not seen.noise, f"{page} without JavaScript:\n" + "\n".join(seen.noise)


@pytest.mark.parametrize("via", ["file", "http"])
def test_search_answers_to_the_keyboard(visit, homes, via):
    """Tab to the search field, ask, and open the first answer, hands off the mouse."""
    seen = visit(homes[via], PAGES[0])
    for _ in range(12):
        seen.tab.keyboard.press("Tab")
        if seen.tab.evaluate("document.activeElement.matches('.search-button__button')"):
            break
    seen.tab.keyboard.press("Enter")
    seen.tab.keyboard.type("rotation")
    seen.tab.keyboard.press("Enter")
    first = seen.tab.locator("ul.search li a").first
    first.focus()
    seen.tab.keyboard.press("Enter")
    seen.tab.wait_for_url("**/book/*.html*")
    seen.settle()
    assert "rotation" in seen.tab.locator("article").inner_text().lower()
    assert not seen.noise, f"search over {via}:\n" + "\n".join(seen.noise)


def test_contents_open_on_a_phone(visit, homes):
    seen = visit(homes["file"], PAGES[1], **PHONE)
    entry = seen.tab.locator("nav.bd-docs-nav a", has_text="References")
    assert not entry.is_visible()
    seen.tab.locator(".primary-toggle >> visible=true").tap()
    entry.tap()
    seen.tab.wait_for_url("**/book/references.html")


def test_front_door_opens_the_book(visit, homes):
    visit(homes["file"], "index.html", until="**/book/intro.html")


def test_figure_scripts_are_light(site):
    weights = {path.name: gzipped(path) for path in (site / "_static/figures").glob("*.js")}
    assert weights and sum(weights.values()) <= FIGURES_BUDGET, weights


def test_a_missing_browser_is_a_skip_and_in_continuous_tests_a_failure(monkeypatch):
    monkeypatch.setattr(browser, "NAMES", [])
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="CHROMIUM="):
        browser.find_chromium()
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="CHROMIUM="):
        browser.find_chromium()

"""A real browser for the tests: Chromium under Playwright, every other host blocked, pages from a folder and over HTTP.

Import the fixtures that a test module uses: `from browser import chromium, visit`.
They live as long as a module, since one thread runs one Playwright at a time.
"""

import contextlib
import functools
import http.server
import os
import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
         "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


def find_chromium():
    """The path of a Chromium or Chrome. Without one the test is skipped, or fails where REQUIRE_BROWSER is set."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        refuse = pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip
        refuse("no Chromium or Chrome found: install one, or name it with CHROMIUM=...")
    return path


@pytest.fixture(scope="module")
def chromium():
    """A running Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@contextlib.contextmanager
def served(folder):
    """Serve a folder on 127.0.0.1 and give its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Visit:
    """One tab on one page: `tab` is Playwright's page, `urls` what it asked for, `noise` what went wrong on the way."""

    def __init__(self, context, home):
        self.tab, self.urls, self.noise = context.new_page(), [], []
        self.tab.on("console", lambda m: m.type in ("error", "warning") and self.noise.append(f"console {m.type}: {m.text}"))
        self.tab.on("pageerror", lambda error: self.noise.append(f"script error: {error}"))
        self.tab.on("requestfailed", lambda request: self.noise.append(f"failed request: {request.url}"))
        self.tab.on("response", lambda r: r.status >= 400 and self.noise.append(f"status {r.status}: {r.url}"))
        self.tab.on("request", lambda request: self._note(request.url, home))

    def _note(self, url, home):
        if url.startswith(home):
            self.urls.append(url.split("?")[0].split("#")[0])
        elif not url.startswith(("data:", "blob:")):
            self.noise.append(f"request to another place: {url}")

    def settle(self):
        """Wait until formulas are typeset, fonts are in and figures are alive."""
        self.tab.evaluate("""async () => {
            if (window.MathJax?.startup) await MathJax.startup.promise;
            await document.fonts.ready;
            const still = () => document.querySelector(".ropebook-figure:not([data-live])");
            for (let waited = 0; still() && waited < 10000; waited += 50) await new Promise((go) => setTimeout(go, 50));
            await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
        }""")


@pytest.fixture
def visit(chromium):
    """Open an address below `home` in a fresh tab: visit(home, "index.html", until="**/intro.html", viewport=...)."""
    with contextlib.ExitStack() as stack:

        def visit(home, page, until="**", java_script_enabled=True, **options):
            context = chromium.new_context(java_script_enabled=java_script_enabled, **options)
            context.set_default_timeout(20_000)
            stack.callback(context.close)
            seen = Visit(context, home)
            seen.tab.goto(f"{home}/{page}")
            seen.tab.wait_for_url(until)
            if java_script_enabled:
                seen.settle()
            return seen

        yield visit

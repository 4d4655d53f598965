"""The living side of the figures, in Chromium: equal to NumPy, answering to mouse, touch and keys, from a folder and over HTTP."""

import itertools
import re
import statistics

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import chromium, served, visit  # noqa: F401

from ropebook import frequencies, rotate
from ropebook.decay import mean_partial_sum, scores
from ropebook.encodings import ENCODINGS, bucket, sinusoid
from ropebook.figures import decay, drawing, encodings, hero, shift, spectrum, static, window

NAMES = sorted(static.FIGURES)
PAGE = """<!doctype html><html lang="en"{theme}><head><meta charset="utf-8"><title>Figures</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"><style>body {{margin: 0}} main {{max-width: 720px; margin: auto; padding: 12px}}</style>
<script defer src="loader.js"></script></head><body><main><h1>Figures</h1>{body}</main></body></html>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bare page in each colour scheme with all figures, its scripts beside it."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "loader.js").write_text(static.loader(), encoding="utf-8")
    for name in NAMES:
        (folder / f"{name}.js").write_text(static.bundle(name), encoding="utf-8")
    body = "".join(map(static.placeholder, NAMES))
    for scheme in ("light", "dark"):
        (folder / f"{scheme}.html").write_text(PAGE.format(theme=f' data-theme="{scheme}"', body=body), encoding="utf-8")
    (folder / "auto.html").write_text(PAGE.format(theme="", body=body), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def homes(folder):
    with served(folder) as address:
        yield {"file": folder.as_uri(), "http": address}


@pytest.fixture
def page(visit, homes):  # noqa: F811
    """Open a page of the folder and give its tab; at the end nothing may have gone wrong on the way."""
    seen = []

    def page(name="light.html", via="file", **options):
        seen.append(visit(homes[via], name, **{"viewport": {"width": 760, "height": 1000}, **options}))
        return seen[-1].tab

    yield page
    assert [noise for one in seen for noise in one.noise] == []


def state(tab, name):
    return tab.evaluate(f"({{...document.querySelector('[data-figure={name}]').model.state}})")


def set_state(tab, name, **values):
    tab.evaluate("([name, values]) => Object.entries(values).forEach(([key, value]) =>"
                 " document.querySelector(`[data-figure=${name}]`).model.set(key, value))", [name, values])  # fmt: skip
    settled(tab, name)


def settled(tab, name):
    """Wait until the picture shows the model's state and nothing moves; return the readout."""
    readout = tab.locator(f"[data-figure={name}] [data-slot=readout]")
    tab.wait_for_function("""(name) => {
        const root = document.querySelector(`[data-figure=${name}] .rb-live`), seen = root.innerHTML;
        const frames = (left) => new Promise((done) => left ? requestAnimationFrame(() => frames(left - 1).then(done)) : done());
        return new Promise((done) => setTimeout(done, 120)).then(() => frames(3)).then(() => root.innerHTML === seen);
    }""", arg=name)  # fmt: skip
    return readout.inner_text()


def middle(handle):
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(tab, handle, dx, steps=8):
    x, y = middle(handle)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + dx, y, steps=steps)
    tab.mouse.up()


def swipe(tab, handle, dx, steps=8):
    x, y = middle(handle)
    touch = tab.context.new_cdp_session(tab)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, steps + 1):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + dx * step / steps, "y": y + step}]})
    tab.wait_for_timeout(150)  # the finger rests before it lifts: a fling would swallow the next tap
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def query(tab):
    return tab.get_by_role("slider", name="Position of the query")


def key(tab):
    return tab.get_by_role("slider", name="Position of the key")


def rod(tab):
    return tab.get_by_role("slider", name="Move both words together")


def shift_dot(tab):
    return tab.get_by_role("slider", name="Shift of both positions")


def control(tab, role, name):
    """A control of the encodings figure, by its accessible name."""
    return tab.locator("[data-figure=encodings]").get_by_role(role, name=name, exact=role == "slider")


def large_cell(tab, m, n):
    """The middle of a cell of the large map, on the screen."""
    settled(tab, "encodings")
    drawing = tab.locator("[data-figure=encodings] [data-slot=large] > svg")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    unit = box["width"] / (encodings.LEFT + encodings.SIDE + 2)
    return box["x"] + unit * (encodings.LEFT + encodings.CELL * (n + 0.5)), box["y"] + unit * (encodings.TOP + encodings.CELL * (m + 0.5))


# ---- the same numbers, the same picture ----

RUN = """async ([text, edits, cases]) => {
    const near = (a, b, most) => Array.isArray(b)
        ? Array.isArray(a) && a.length === b.length && b.every((_, i) => near(a[i], b[i], most))
        : Object.is(a, b) || Math.abs(a - b) <= most * Math.max(1, Math.abs(b));
    const wrong = [];
    for (const [at, character] of edits) {
        try {
            const edited = text.slice(0, at) + character + text.slice(at + character.length);
            const url = URL.createObjectURL(new Blob([edited], { type: "text/javascript" })), module = await import(url);
            URL.revokeObjectURL(url);
            wrong.push(cases.filter(([path, given, expected, most]) => {
                const found = path.split(".").reduce((object, part) => object[part], module);
                return !near(given === null ? found : found(...given), expected, most);
            }).map(([path, given]) => `${path}(${given})`));
        } catch (error) {
            wrong.push([String(error)]);
        }
    }
    return wrong;
}"""


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else float(value)


def numpy_cases(name):
    """(name in the module, arguments or None for a constant, NumPy's value, 0 if it must be equal): a grid and random inputs."""
    random = np.random.default_rng(2021)
    cases = [("frequencies", [dim, base], frequencies(dim, base)) for dim in (2, 4, 8, 64, 128) for base in (2.0, 100.0, 10000.0, 5e5)]
    for dim in (2, 4, 8, 64):
        x, y, theta = random.normal(size=dim), random.normal(size=dim), random.uniform(0, 2, dim // 2)
        position = random.uniform(-1000, 1000)
        cases += [("rotate", [plain(x), position, plain(theta)], rotate(x[None], [position], theta)[0]), ("dot", [plain(x), plain(y)], x @ y)]
    cases += [("gaussians", [seed, 6], list(itertools.islice(encodings.normals(seed), 6))) for seed in (1, 77, 2000000000)]
    if name == "decay":
        cases += decay_cases(random)
    if name == "encodings":
        cases += encodings_cases(random)
    if name == "hero":
        cases += [("LAST", None, hero.LAST), ("THETA", None, hero.THETA), ("WORD", None, hero.WORD)]
        for m, n in [*np.ndindex(9, 9), *random.uniform(0, 64, (20, 2))]:
            cases.append(("agreements", [float(m), float(n)], hero.agreements(m, n)))
            cases.append(("score", [float(8 * m - n)], hero.score(8 * m - n)))
    if name == "shift":
        cases += [("LONGEST", None, shift.LONGEST), ("QUERY", None, shift.QUERY), ("KEY", None, shift.KEY), ("KAPPA", None, shift.KAPPA)]
        for encoder in shift.ENCODERS:
            for theta, (m, n) in zip(random.uniform(0.05, 1.5, 40), random.uniform(0, 60, (40, 2)), strict=True):
                x = random.normal(size=2)
                cases.append((f"ENCODE.{encoder}", [plain(x), m, theta], shift.encode(encoder, x, m, theta)))
                cases.append(("score", [encoder, m, n, theta], shift.score(encoder, m, n, theta)))
    if name == "spectrum":
        cases += spectrum_cases(random)
    if name == "window":
        cases += window_cases(random)
    return [[path, given, plain(np.asarray(expected)), *(most or [1e-6])] for path, given, expected, *most in cases]


def decay_cases(random):
    def parts(z):
        return [plain(z.real), plain(z.imag)]

    cases = [("NUMBERS", None, decay.NUMBERS.ravel())]
    for distribution, d, base, target in [(name, d, base, target) for name in decay.MEANING for d, base, target in
                                          ((4, 100, 3), (32, 10_000_000, 4096), (256, 10_000, 1_000_000))]:  # fmt: skip
        own = random.integers(-10, 11, 4).tolist()
        h = decay.shares(distribution, d, base, target, own)
        cases.append(("shares", [distribution, d, base, target, own], [parts(row) for row in h]))
        cases += [("jump", [parts(row)], np.abs(np.diff([*row, 0])).max()) for row in h]
    cases += [("shares", ["your own", d, 100, 0, own], [parts(row) for row in decay.shares("your own", d, 100, 0, own)])
              for d in (4, 32, 128) for own in ([0, 0, 0, 0], [10, 3, -3, -10], [0, -1, 0, 0])]  # fmt: skip
    for m in (0, 1, 500, 1_000_000):
        theta = frequencies(8, 1000.0)
        h, z = random.normal(size=(2, 4)) + 1j * random.normal(size=(2, 4)), np.exp(1j * m * theta)
        cases += [("wave", [m, plain(theta)], parts(z)), ("partial", [plain(z.real)], z.real.cumsum())]
        cases += [("score", [parts(row), parts(z)], scores(row, [m], theta)[0]) for row in h]
        cases += [("meanSum", [parts(z)], mean_partial_sum([m], theta)[0]), ("mean", [plain(h.real[0])], h.real[0].mean())]
    for reach, axis in [(reach, axis) for reach in (256, 4096, 65536, 1_000_000) for axis in ("linear", "log")]:
        places = decay.distances(reach, axis)
        cases.append(("distances", [reach, axis], places))
        for m in places[::25].tolist():
            rail = decay.rail(m, reach, axis)
            cases += [("rail", [m, reach, axis], rail), ("along", [rail, reach, axis], m)]
    return cases


def encodings_cases(random):
    weights = encodings.WEIGHTS
    cases = [("LONGEST_SHIFT", None, encodings.LONGEST_SHIFT), ("LAST", None, encodings.LAST), ("EMBEDDING", None, encodings.EMBEDDING)]
    cases += [(f"WEIGHTS.{field}", None, value) for field, value in vars(weights).items()]
    cases += [("bucket", [offset], bucket(offset)) for offset in range(-200, 201)]
    cases += [("sinusoid", [position], sinusoid(position, encodings.WIDTH)) for position in range(-11, 52)]
    for encoding, score in ENCODINGS.items():
        for m, n in [(0, 0), (51, 40), (40, 51), *random.integers(0, 52, (20, 2)).tolist()]:
            x, y = random.normal(size=(2, encodings.WIDTH))
            cases.append((f"ENCODINGS.{encoding}", [plain(x), plain(y), m, n], score(x[None], y[None], [m], [n], weights)[0, 0]))
        for words, shift in [("sentence", 0), ("sentence", 40), ("one word", 7)]:
            cases.append(("scores", [encoding, words, shift], encodings.scores(encoding, words, shift)))
    for _ in range(10):
        before, after = random.normal(size=(2, 12, 12))
        cases.append(("moved", [plain(before), plain(after)], encodings.moved(before, after)))
        cases.append(("spread", [plain(before)], encodings.spread(before)))
    return cases


def spectrum_cases(random):
    cases, settings = [], list(itertools.product((512, 2048, 4096, 8192), (10_000, 150_000, 500_000), (64, 128, 256)))
    for method, s in itertools.product(spectrum.MEANING, (1, 2, 8, 32)):
        picked = settings if (method, s) == ("YaRN (code)", 8) else [settings[i] for i in random.integers(0, len(settings), 6)]
        for length, base, d in picked:
            given = {"method": method, "s": s, "length": length, "base": base, "d": d}
            cases += [("ratios", [given], spectrum.ratios(**given), 1e-8), ("scale", [given], spectrum.spectrum(**given).scale)]
    for length, base, d in settings:
        turned = spectrum.turns(length, base, d)
        cases += [("turns", [{"length": length, "base": base, "d": d}, i], turned[i], 1e-10) for i in (0, 1, 17, d // 2 - 1)]
    return cases  # ratios are 0.01 or more, turns 0.0002: to 1e-6 of themselves


def window_cases(random):
    cases = [("LONGEST", None, window.LONGEST, 0), ("LAST", None, window.LAST), ("STOPS", None, window.STOPS, 0)]
    cases += [("QUERIES", None, window.QUERIES), ("KEYS", None, window.KEYS)]
    for format in window.FORMATS:
        numbers = [0, -1.5, 257, 2049, 65_504, 65_519, 65_520, 65_536, 2.0**-24,
                   1.5 * 2.0**-24, 2.0**-25, 2.0**-133, 2.0**-134, 3e38, 3.4e38, -1e39]
        for x in [*numbers, *(random.normal(size=20) * 2.0 ** random.integers(-30, 20, 20))]:
            cases.append((f"FORMATS.{format}", [float(x)], window.rounded(np.float64(x), format), 0))
        for encoding in window.ENCODINGS:
            for base, start in ((100, 0), (10_000, 300), (500_000, 65_510)):
                cases.append(("scores", [encoding, format, base, start], window.scores(encoding, format, base, start)))
    cases += [("place", [start], np.interp(start, window.STOPS, range(461))) for start in (0, 1, 99, 100, 101, 4321, 65_504, 999_999, 1_000_000)]
    before, after = random.normal(size=(2, 16, 16))
    after[3] = np.nan, *[np.inf] * 7, *[-np.inf] * 8
    cases += [("minus", [plain(after), plain(before)], after - before), ("largest", [plain(after)], window.largest(after))]
    return [*cases, ("largest", [[[np.nan, np.inf]]], np.nan)]


@pytest.mark.parametrize("name", NAMES)
def test_numbers_equal_numpys(page, name):
    assert page().evaluate(RUN, [static.module(name), [[0, ""]], numpy_cases(name)]) == [[]]


def mathematics(text):
    """Index of every character of code in the module's sections headed "mathematics", comments left out."""
    for section in re.finditer(r"^// ---- mathematics.*?(?=^// ---- )", text, flags=re.DOTALL | re.MULTILINE):
        for line in re.finditer(r"^(?!//)(.*?)(?=//|$)", section[0], flags=re.MULTILINE):
            yield from range(section.start() + line.start(1), section.start() + line.end(1))


@pytest.mark.parametrize("name", NAMES)
def test_every_edit_of_one_character_in_the_mathematics_is_caught(page, name):
    text = static.module(name)
    turned = {"+": "-", "-": "+", "*": "/", "/": "*", **{str(d): str((d + 1) % 10) for d in range(10)}}
    edits = [[at, turned[text[at]]] for at in mathematics(text) if text[at] in turned]
    assert len(edits) > 40
    wrong = page().evaluate(RUN, [text, edits, numpy_cases(name)])
    survivors = [text[max(0, at - 30) : at] + f"[{text[at]}→{character}]" + text[at + 1 : at + 30]
                 for (at, character), found in zip(edits, wrong, strict=True) if not found]  # fmt: skip
    assert survivors == []


@pytest.mark.parametrize("name", NAMES)
def test_module_draws_what_python_draws(page, name):
    random = np.random.default_rng(1)
    states = []
    for _ in range(200):
        given = {}
        for name_, (default, *limits) in static.FIGURES[name].STATE.items():
            if isinstance(default, str) or len(limits) > 2:
                given[name_] = limits[random.integers(len(limits))]
            elif isinstance(default, int):
                given[name_] = int(random.integers(limits[0], limits[1] + 1))
            else:
                given[name_] = float(np.round(random.uniform(*limits), 2))
        states.append(given)
    drawn = page().evaluate(
        "async ([text, states]) => { const { picture } = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));"
        " return states.map(picture); }", [static.module(name), states])  # fmt: skip
    for given, picture in zip(states, drawn, strict=True):
        assert picture == static.FIGURES[name].picture(**given), given


def test_decay_draws_what_python_draws_at_the_ends_of_your_own_h(page):
    zeros_and_ends = [(0, 0, 0, 0), *itertools.product((-10, 0, 10), (0, 10), (-10, 0), (-10, 0, 10))]
    given = {"distribution": "your own", "d": 32, "reach": 256, "m": 3}
    states = [static.state_of("decay", {**given, "axis": axis, **dict(zip(("h1", "h2", "h3", "h4"), own, strict=True))})
              for axis in ("linear", "log") for own in zeros_and_ends]  # fmt: skip
    drawn = page().evaluate(
        "async ([text, states]) => { const { picture } = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));"
        " return states.map(picture); }", [static.module("decay"), states])  # fmt: skip
    for given, picture in zip(states, drawn, strict=True):
        assert picture == decay.picture(**given), given


def test_window_draws_what_python_draws_where_the_formats_end(page):
    starts = [0, 7, 255, 300, 4096, 65_504, 65_505, 65_519, 999_999]
    states = [{"start": start, "encoding": encoding, "format": format, "base": 100, "m": start % 16, "n": 15}
              for start, encoding, format in itertools.product(starts, window.ENCODINGS, window.FORMATS)]  # fmt: skip
    drawn = page().evaluate(
        "async ([text, states]) => { const { picture } = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));"
        " return states.map(picture); }", [static.module("window"), states])  # fmt: skip
    for given, picture in zip(states, drawn, strict=True):
        assert picture == window.picture(**given), given


@pytest.mark.parametrize("format, dtype", [("bfloat16", torch.bfloat16), ("float16", torch.float16), ("float32", torch.float32)])
def test_window_rounds_as_torch_and_numpy_bit_for_bit(page, format, dtype):
    random = np.random.default_rng(16)
    bits = random.integers(0, 2**32, 6000, dtype=np.uint32)
    heads, small = bits & 0xFFFF0000, random.integers(0, 0x7C00, 3000, dtype=np.uint16).view(np.float16).astype(np.float32)
    halves = small + np.spacing(small.astype(np.float16)).astype(np.float32) / 2  # midway between two float16
    singles = np.concatenate([bits, heads, heads | 0x8000, heads | 0x7FFF, heads | 0x8001]).view(np.float32)
    edges = np.float32([0, -0.0, np.inf, -np.inf, 65_504, 65_519.996, 65_520, 3.3895e38, 3.3962e38, 3.4e38, 2.0**-149])
    singles = np.concatenate([singles[~np.isnan(singles)], halves, np.nextafter(halves, np.float32(0)), -halves, edges])
    found = np.array(page().evaluate(
        "async ([text, format, values]) => { const { FORMATS } = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));"
        " return values.map(FORMATS[format]); }", [static.module("window"), format, singles.tolist()]), dtype=np.float64)  # fmt: skip
    expected = torch.from_numpy(singles).to(dtype).double().numpy()
    assert np.array_equal(found.view(np.int64), expected.view(np.int64))
    if format == "float16":
        with np.errstate(over="ignore"):
            assert np.array_equal(expected, singles.astype(np.float16))


def test_module_writes_svg_as_python_does(page):
    calls = [("text", [0, 0, "<&>\"'", {"fill": "<&>\"'"}]), ("arrow", [1, 1, 1, 1, "q", 3, {}]), ("arrow", [3, 1, 1, 2.5, "k", 6, {}])]
    calls += [("num", [x]) for x in (0.005, -0.005, -0.001, 0.01499999, 1234.5)]
    calls += [(name, [x, 2]) for name in ("fixed", "signed") for x in (0.005, -0.005, -0.001, -1.25, 0.1 + 0.2)]
    written = page().evaluate(
        "async ([text, calls]) => { const module = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));"
        " return calls.map(([name, given]) => module[name](...given)); }", [static.module("hero"), calls])  # fmt: skip
    assert written == [getattr(drawing, name)(*given) for name, given in calls]


@pytest.mark.parametrize("name, given", [
    ("decay", {"distribution": "tuned", "reach": 256, "target": 300, "m": 1000}), ("decay", {"distribution": "ramp", "d": 256, "axis": "log"}),
    ("decay", {"distribution": "your own", "h1": 4, "h4": -7, "axis": "log"}),
    ("decay", {"distribution": "your own", "h1": 0, "h2": 0, "h3": 0, "h4": 0}),
    ("encodings", {"encoding": "Transformer-XL", "shift": 40}), ("encodings", {"words": "one word", "m": 11, "n": 0, "shift": 0}),
    ("hero", {"m": 22, "n": 10}), ("hero", {"m": 0, "n": 64}), ("shift", {"encoder": "add", "shift": 33}), ("shift", {"m": 20, "theta": 1.5}),
    ("spectrum", {"method": "p-RoPE", "d": 64, "pair": 100}), ("spectrum", {"method": "NTK-aware", "s": 32, "length": 512, "base": 150_000}),
    ("window", {"start": 1000, "format": "bfloat16"}), ("window", {"start": 65_510, "format": "float16", "encoding": "ALiBi", "m": 15}),
])  # fmt: skip
def test_living_figure_shows_the_picture_of_its_state(page, name, given):
    tab = page()
    set_state(tab, name, **given)
    shown = "(figure) => Object.fromEntries([...figure.querySelectorAll('[data-slot]')].map((slot) => [slot.dataset.slot, slot.innerHTML]))"
    live = tab.evaluate(f"({shown})(document.querySelector('[data-figure={name}]'))")
    picture = static.FIGURES[name].picture(**static.state_of(name, given))
    assert live == tab.evaluate(f"(html) => ({shown})(new DOMParser().parseFromString(html, 'text/html'))", picture)


# ---- it answers ----


@pytest.mark.parametrize("via", ["file", "http"])
def test_hydrates_and_answers_to_mouse_and_keys(page, via):
    tab = page(via=via)
    assert tab.locator(".rb-still").count() == 0
    drag(tab, query(tab), 100)
    assert state(tab, "hero")["m"] > 22 and state(tab, "hero")["n"] == 10
    assert settled(tab, "hero").startswith(f"query at {state(tab, 'hero')['m']}, key at 10:")
    query(tab).press("Home")
    key(tab).press("End")
    key(tab).press("ArrowLeft")
    key(tab).press("PageDown")
    assert state(tab, "hero") == {"m": 0, "n": 55}
    key(tab).press("Shift+ArrowRight")
    assert state(tab, "hero") == {"m": 1, "n": 56}
    assert settled(tab, "hero").startswith("query at 1, key at 56: offset −55, score ")
    assert key(tab).get_attribute("aria-valuetext") == "query at 1, key at 56"
    assert [key(tab).get_attribute(f"aria-value{part}") for part in ("min", "now", "max")] == ["0", "56", "64"]

    drag(tab, shift_dot(tab), 80)
    assert state(tab, "shift")["shift"] > 10
    shift_dot(tab).press("Home")
    shift_dot(tab).press("ArrowRight")
    tab.get_by_role("radio", name="add").check()
    slider = tab.get_by_role("slider", name="query at m")
    slider.focus()
    slider.press("ArrowRight")
    assert state(tab, "shift") == {"m": 9, "n": 3, "shift": 1, "theta": 0.35, "encoder": "add"}
    expected = [f"{shift.score('add', 9 + s, 3 + s, 0.35):.2f}".replace("-", "−") for s in (0, 1)]
    assert settled(tab, "shift") == f"add (cos mθ, sin mθ): score {expected[0]} at (m, n) = (9, 3), {expected[1]} at (10, 4)"


@pytest.mark.parametrize("via", ["file", "http"])
def test_encodings_answer_to_mouse_and_keys(page, via):
    tab = page(via=via)
    assert [control(tab, "radio", name).is_checked() for name in ENCODINGS] == [name == "RoPE" for name in ENCODINGS]
    control(tab, "radio", "TUPE").click()
    assert state(tab, "encodings")["encoding"] == "TUPE"
    control(tab, "radio", "TUPE").press("ArrowRight")
    assert state(tab, "encodings")["encoding"] == "DeBERTa" and control(tab, "radio", "DeBERTa").is_checked()
    control(tab, "radio", "dog, twelve times").check()
    for name, presses in [("shift, tokens", "Home ArrowRight"), ("m, the query", "End"), ("n, the key", "Home ArrowRight ArrowRight")]:
        for press in presses.split():
            control(tab, "slider", name).press(press)
    assert state(tab, "encodings") == {"encoding": "DeBERTa", "words": "one word", "shift": 1, "m": 11, "n": 2}
    value = f"{encodings.scores('DeBERTa', 'one word', 0)[11, 2]:.2f}".replace("-", "−")
    assert settled(tab, "encodings") == (
        f"DeBERTa: query at 11 (dog), key at 2 (dog): score {value}; after a shift of 1 token {value}. Largest change in the map: 0.00. "
        "Largest difference along a diagonal: 0.00.")  # fmt: skip
    assert control(tab, "slider", "m, the query").get_attribute("aria-valuetext") == "11, dog"
    tab.mouse.click(*large_cell(tab, 5, 0))
    assert (state(tab, "encodings")["m"], state(tab, "encodings")["n"]) == (5, 0)
    tab.mouse.move(*large_cell(tab, 3, 3))
    tab.mouse.down()
    tab.mouse.move(*large_cell(tab, 0, 11), steps=6)
    tab.mouse.up()
    assert (state(tab, "encodings")["m"], state(tab, "encodings")["n"]) == (0, 11)
    x, y = large_cell(tab, 0, 0)
    tab.mouse.click(x, y - 30)  # beside the map: nothing happens
    assert (state(tab, "encodings")["m"], state(tab, "encodings")["n"]) == (0, 11)


@pytest.mark.parametrize("width", [360, 1100])
def test_encodings_answer_to_touch(page, width):
    tab = page(viewport={"width": width, "height": 900}, has_touch=True, is_mobile=True)
    control(tab, "radio", "learned").tap()
    control(tab, "radio", "dog, twelve times").tap()
    tab.touchscreen.tap(*large_cell(tab, 9, 4))
    swipe(tab, control(tab, "slider", "shift, tokens"), 60)
    now = state(tab, "encodings")
    assert (now["encoding"], now["words"], now["m"], now["n"]) == ("learned", "one word", 9, 4) and now["shift"] > 20
    for words in ("sentence", "one word"):
        set_state(tab, "encodings", words=words, shift=40, m=11, n=11)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for target in (*(control(tab, "radio", name) for name in ENCODINGS), *tab.locator("[data-figure=encodings] label").all()):
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 36 and 0 <= box["x"] and box["x"] + box["width"] <= width


def test_encodings_say_what_happened_politely(page):
    tab = page()
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    status = tab.locator("[data-figure=encodings] [role=status]")
    hint = status.inner_text()

    def said():
        tab.clock.run_for(400)
        return status.inner_text()

    control(tab, "slider", "shift, tokens").press("ArrowRight")
    assert status.inner_text() == hint  # nothing yet: the reader has not paused
    assert said() == "Shifted by 11 tokens: all maps stay but sinusoidal, learned and TUPE."
    control(tab, "slider", "shift, tokens").press("Home")
    assert said() == "Shifted by 0 tokens: all maps stay."
    control(tab, "radio", "dog, twelve times").check()
    assert said() == "One word: all maps are constant along diagonals but sinusoidal, learned and TUPE."
    control(tab, "radio", "the dog bites").check()
    assert said() == "Different words: no map is constant along diagonals."
    control(tab, "radio", "T5").click()
    assert said() == "T5: a learned number for each bucket of offsets."
    control(tab, "slider", "m, the query").press("Home")
    assert said() == f"the at 0 asks bites at 2: score {encodings.scores('T5', 'sentence', 0)[0, 2]:.2f}.".replace("-", "−")


def test_encodings_follow_a_model_that_python_sets(page):
    tab = page()
    set_state(tab, "encodings", encoding="ALiBi", words="one word", shift=3, n=9)
    assert settled(tab, "encodings").startswith("ALiBi: query at 8 (dog), key at 9 (dog): score ")
    assert control(tab, "radio", "ALiBi").is_checked() and control(tab, "radio", "dog, twelve times").is_checked()
    assert [control(tab, "slider", name).input_value() for name in ("shift, tokens", "m, the query", "n, the key")] == ["3", "8", "9"]


def decay_control(tab, role, name):
    return tab.locator("[data-figure=decay]").get_by_role(role, name=name, exact=True)


def decay_says(**given):
    """What the read-out of the decay figure says in that state."""
    (words,) = re.findall(r'data-slot="readout".*?>(.*?)</p>', decay.picture(**static.state_of("decay", given)))
    return words.replace("\u00a0", " ")


@pytest.mark.parametrize("via", ["file", "http"])
def test_decay_answers_to_mouse_and_keys(page, via):
    tab = page(via=via)
    reader = decay_control(tab, "slider", "Distance that is read")
    assert decay_control(tab, "slider", "target, tokens").count() == own_sliders(tab).count() == 0  # no dead control
    decay_control(tab, "radio", "tuned").check()
    decay_control(tab, "radio", "64").check()
    decay_control(tab, "radio", "256").last.check()  # the range; the head dimension has one of that name too
    decay_control(tab, "slider", "base").press("ArrowRight")
    decay_control(tab, "slider", "target, tokens").press("Home")
    decay_control(tab, "slider", "target, tokens").press("ArrowRight")
    for press in ("Home", "ArrowRight", "PageUp", "ArrowLeft"):
        reader.press(press)
    expected = {"distribution": "tuned", "d": 64, "base": 20_000, "reach": 256, "axis": "linear", "target": 1, "m": 20}
    expected |= {"h1": 0, "h2": 0, "h3": -5, "h4": 10}
    assert state(tab, "decay") == expected
    assert settled(tab, "decay").replace("\u00a0", " ") == decay_says(**expected)
    assert [reader.get_attribute(f"aria-value{part}") for part in ("min", "now", "max")] == ["0", "20", "256"]
    assert reader.get_attribute("aria-valuetext").startswith("20 tokens, score ")
    assert decay_control(tab, "slider", "base").get_attribute("aria-valuetext") == "20,000"
    decay_control(tab, "radio", "1,000,000").check()
    decay_control(tab, "radio", "log").check()
    reader.press("End")
    reader.press("Shift+ArrowLeft")
    assert state(tab, "decay")["m"] == 999_999
    reader.press("ArrowLeft")
    assert 900_000 < state(tab, "decay")["m"] < 999_999  # the next distance drawn
    settled(tab, "decay")
    drag(tab, reader, -1000)
    assert state(tab, "decay")["m"] == 0
    for slot in ("bounds", "scores"):
        board = tab.locator(f"[data-figure=decay] [data-slot={slot}]")
        x, y = middle(board)
        width = board.bounding_box()["width"]
        tab.mouse.click(x + width * (decay.LEFT + decay.WIDE - 50) / 100, y)
        assert state(tab, "decay")["m"] > 900_000  # the right end of the axis
        tab.mouse.move(x + width * (decay.LEFT - 50) / 100, y)
        tab.mouse.down()
        set_state(tab, "decay", base=500 if slot == "bounds" else 10_000)  # redrawn between press and release
        tab.mouse.up()
        assert state(tab, "decay")["m"] <= 10  # the left end


def own_sliders(tab):
    return tab.locator("[data-figure=decay]").get_by_role("slider", name=re.compile("^h, "))


@pytest.mark.parametrize("via", ["file", "http"])
def test_decays_own_h_answers_to_mouse_and_keys_where_it_counts(page, via):
    tab = page(via=via)
    decay_control(tab, "radio", "your own").check()
    settled(tab, "decay")
    assert own_sliders(tab).count() == 4 and decay_control(tab, "slider", "target, tokens").count() == 0
    for name, presses in [("h, fastest pair", "End"), ("h, one third", "End ArrowLeft"),
                          ("h, two thirds", "Home"), ("h, slowest pair", "ArrowLeft ArrowLeft")]:  # fmt: skip
        for press in presses.split():
            decay_control(tab, "slider", name).press(press)
    expected = static.state_of("decay", {"distribution": "your own", "h1": 10, "h2": 9, "h3": -10, "h4": 8})
    assert state(tab, "decay") == expected
    assert settled(tab, "decay").replace("\u00a0", " ") == decay_says(**expected)
    assert [slider.get_attribute("aria-valuetext") for slider in own_sliders(tab).all()] == ["1.0", "0.9", "−1.0", "0.8"]
    assert tab.locator("[data-figure=decay] output:visible").all_inner_texts()[1:] == ["1.0", "0.9", "−1.0", "0.8"]
    for slider in own_sliders(tab).all():
        tab.mouse.click(*middle(slider))
    assert [state(tab, "decay")[f"h{j}"] for j in (1, 2, 3, 4)] == [0, 0, 0, 0]
    assert settled(tab, "decay") == decay.NOTHING
    decay_control(tab, "radio", "tuned").check()
    settled(tab, "decay")
    assert own_sliders(tab).count() == 0 and decay_control(tab, "slider", "target, tokens").count() == 1


@pytest.mark.parametrize("width", [360, 1100])
def test_decay_answers_to_touch(page, width):
    tab = page(viewport={"width": width, "height": 900}, has_touch=True, is_mobile=True)
    decay_control(tab, "radio", "tuned").tap()
    swipe(tab, decay_control(tab, "slider", "target, tokens"), 60)
    swipe(tab, decay_control(tab, "slider", "Distance that is read"), 90)
    assert state(tab, "decay")["m"] > 500 and state(tab, "decay")["target"] > 500
    decay_control(tab, "radio", "your own").tap()
    swipe(tab, decay_control(tab, "slider", "h, fastest pair"), 60)
    assert state(tab, "decay")["h1"] > 0
    for reach, axis, distribution in ((256, "linear", "tuned"), (1_000_000, "linear", "your own"), (1_000_000, "log", "tuned")):
        set_state(tab, "decay", reach=reach, axis=axis, distribution=distribution, m=1_000_000)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for target in (decay_control(tab, "slider", "Distance that is read"), *tab.locator("[data-figure=decay] label:visible").all()):
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 36 and 0 <= box["x"] and box["x"] + box["width"] <= width


def test_decay_says_what_happened_politely(page):
    tab = page()
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    status = tab.locator("[data-figure=decay] [role=status]")
    hint = status.inner_text()

    def said():
        tab.clock.run_for(400)
        return status.inner_text()

    reader = decay_control(tab, "slider", "Distance that is read")
    reader.press("Home")
    assert status.inner_text() == hint  # nothing yet: the reader has not paused
    assert re.fullmatch(r"At 0 tokens Abel’s bound is \d+\.\d\d times the trivial one: it tells nothing new\.", said())
    decay_control(tab, "radio", "ramp").check()
    assert said() == "At 0 tokens Abel’s bound is 1.00 times the trivial one: it tells nothing new."
    for _ in range(20):
        reader.press("Shift+ArrowRight")
    bound = mean_partial_sum([20], frequencies(128, base=10000.0))[0] / 32.5
    assert said() == f"At 20 tokens Abel’s bound is {bound:.2f} of the trivial one: here it tells something."
    decay_control(tab, "radio", "tuned").check()
    assert said() == "Tuned to 500 tokens: there each score is as large as it can be."
    decay_control(tab, "radio", "your own").check()
    h = decay.shares("your own", 128, 10_000, 0, (0, 0, -5, 10))
    places = decay.distances(4096, "linear")
    values = scores(h, places, frequencies(128, base=10000.0))[0]
    assert said() == f"Your own: the largest score drawn is {values.max():.2f}, at {places[values.argmax()]:,} tokens."
    reader.press("Home")
    assert re.fullmatch(r"At 0 tokens Abel’s bound is \d+\.\d\d times the trivial one: it tells nothing new\.", said())
    tab.evaluate("['h1', 'h2', 'h3', 'h4'].forEach((h) => document.querySelector('[data-figure=decay]').model.set(h, 0))")
    assert said() == decay.NOTHING


def test_decay_follows_a_model_that_python_sets(page):
    tab = page()
    set_state(tab, "decay", distribution="tuned", d=256, base=30_000, reach=65536, axis="log", target=7, m=1_000_000)
    shown = settled(tab, "decay").replace("\u00a0", " ")
    assert shown == decay_says(distribution="tuned", d=256, base=30_000, reach=65536, axis="log", target=7, m=65536)
    assert all(decay_control(tab, "radio", name).last.is_checked() for name in ("tuned", "65,536", "log"))
    assert [decay_control(tab, "slider", name).get_attribute("aria-valuetext") for name in ("base", "target, tokens")] == ["30,000", "7"]


def spectrum_control(tab, role, name):
    return tab.locator("[data-figure=spectrum]").get_by_role(role, name=name, exact=True)


def spectrum_choose(tab, trait, name):
    tab.locator(f"[data-figure=spectrum] [role=radiogroup][aria-label={trait}]").get_by_role("radio", name=name, exact=True).check()


def spectrum_says(slot="readout", **given):
    """What a line of the spectrum figure says in that state."""
    (words,) = re.findall(rf'data-slot="{slot}".*?>(.*?)</p>', spectrum.picture(**static.state_of("spectrum", given)))
    return words


def spectrum_dot(tab, wavelength):
    """Where a wavelength lies on the board, on the screen, halfway down."""
    settled(tab, "spectrum")
    board = tab.locator("[data-figure=spectrum] [data-slot=board]")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    return box["x"] + box["width"] * spectrum._rail(wavelength) / 100, box["y"] + spectrum.TOP + spectrum.TALL / 2


@pytest.mark.parametrize("via", ["file", "http"])
def test_spectrum_answers_to_mouse_and_keys(page, via):
    tab = page(via=via)
    for trait, name in [("method", "NTK-aware"), ("s", "32"), ("L", "512"), ("base", "500,000"), ("d", "64")]:
        spectrum_choose(tab, trait, name)
    slider = spectrum_control(tab, "slider", "pair")
    slider.press("Home")
    slider.press("ArrowRight")
    expected = {"method": "NTK-aware", "s": 32, "length": 512, "base": 500_000, "d": 64, "pair": 1}
    assert state(tab, "spectrum") == expected and settled(tab, "spectrum") == spectrum_says(**expected)
    slider.press("End")
    assert state(tab, "spectrum")["pair"] == 31
    spectrum_control(tab, "radio", "NTK-aware").press("ArrowRight")
    assert state(tab, "spectrum")["method"] == "by parts" and spectrum_control(tab, "radio", "by parts").is_checked()
    waves = 2 * np.pi / frequencies(64, base=500_000)
    for pair in (0, 7, 20, 31):
        tab.mouse.click(*spectrum_dot(tab, waves[pair]))
        assert state(tab, "spectrum")["pair"] == pair
    tab.mouse.move(*spectrum_dot(tab, waves[25]))
    tab.mouse.down()
    set_state(tab, "spectrum", s=4)  # redrawn between press and release
    tab.mouse.up()
    assert state(tab, "spectrum")["pair"] == 25
    tab.mouse.down()
    tab.mouse.move(*spectrum_dot(tab, waves[3]), steps=6)
    tab.mouse.up()
    assert state(tab, "spectrum")["pair"] == 3
    for wavelength, end in [(10**0.3, 0), (10**6.7, 31)]:  # beyond the axis: the last pair there
        tab.mouse.click(*spectrum_dot(tab, wavelength))
        assert state(tab, "spectrum")["pair"] == end


@pytest.mark.parametrize("width", [360, 1100])
def test_spectrum_answers_to_touch(page, width):
    tab = page(viewport={"width": width, "height": 900}, has_touch=True, is_mobile=True)
    spectrum_control(tab, "radio", "p-RoPE").tap()
    tab.touchscreen.tap(*spectrum_dot(tab, 2 * np.pi * 10_000 ** (50 / 64)))
    assert (state(tab, "spectrum")["method"], state(tab, "spectrum")["pair"]) == ("p-RoPE", 50)
    swipe(tab, spectrum_control(tab, "slider", "pair"), 60)
    assert state(tab, "spectrum")["pair"] != 50
    for given in ({"s": 1, "length": 512}, {"s": 32, "length": 8192, "base": 500_000, "d": 256, "method": "none", "pair": 0}):
        set_state(tab, "spectrum", **given)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for target in tab.locator("[data-figure=spectrum] label").all():
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 36 and 0 <= box["x"] and box["x"] + box["width"] <= width
        for words in tab.locator("[data-figure=spectrum] svg text").all():
            box = words.bounding_box()
            assert 0 <= box["x"] and box["x"] + box["width"] <= width


def test_spectrum_says_what_happened_politely(page):
    tab = page()
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    status = tab.locator("[data-figure=spectrum] [role=status]")
    hint = status.inner_text()

    def said():
        tab.clock.run_for(400)
        return status.inner_text()

    spectrum_control(tab, "radio", "NTK-aware").check()
    assert status.inner_text() == hint  # nothing yet: the reader has not paused
    assert said() == "18 of 64 pairs make no full turn in training; the long text brings 17 of them to new angles."
    spectrum_control(tab, "slider", "pair").press("End")
    assert said() == spectrum_says(method="NTK-aware", pair=63)
    spectrum_choose(tab, "s", "1")
    assert said() == "18 of 64 pairs make no full turn in training; the long text brings 0 of them to new angles."


def test_spectrum_follows_a_model_that_python_sets(page):
    tab = page()
    given = {"method": "p-RoPE", "s": 2, "length": 512, "base": 150_000, "d": 64, "pair": 127}
    set_state(tab, "spectrum", **given)
    assert settled(tab, "spectrum") == spectrum_says(**given) and "Pair 31 of 32" in spectrum_says(**given)
    for slot in ("note", "tally"):
        assert tab.locator(f"[data-figure=spectrum] [data-slot={slot}]").inner_text() == spectrum_says(slot, **given)
    checked = tab.locator("[data-figure=spectrum] label:has(:checked)").all_inner_texts()
    assert checked == ["p-RoPE", "2", "512", "150,000", "64"]
    assert spectrum_control(tab, "slider", "pair").input_value() == "31"


def window_control(tab, role, name):
    return tab.locator("[data-figure=window]").get_by_role(role, name=name, exact=True)


def window_cell(tab, slot, m, n):
    """The middle of a cell of a map, on the screen."""
    settled(tab, "window")
    drawing = tab.locator(f"[data-figure=window] [data-slot={slot}] > svg")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    unit = box["width"] / (window.LEFT + window.SIDE + 4)
    return box["x"] + unit * (window.LEFT + window.CELL * (n + 0.5)), box["y"] + unit * (window.TOP + window.CELL * (m + 0.5))


@pytest.mark.parametrize("via", ["file", "http"])
def test_window_answers_to_mouse_and_keys(page, via):
    tab = page(via=via)
    handle, exact = window_control(tab, "slider", "Start of the window"), window_control(tab, "spinbutton", "start, tokens")
    drag(tab, handle, 60)
    assert 150_000 < state(tab, "window")["start"] < 800_000 and state(tab, "window")["start"] % 10_000 == 0  # coarse far out
    drag(tab, handle, -2000)
    assert state(tab, "window")["start"] == 0
    for press, start in [("ArrowRight", 1), ("PageUp", 11), ("ArrowLeft", 10), ("End", 1_000_000), ("ArrowDown", 990_000),
                         ("PageDown", 890_000)]:  # fmt: skip
        handle.press(press)
        assert state(tab, "window")["start"] == start
    exact.fill("65510")
    assert state(tab, "window")["start"] == 65_510
    settled(tab, "window")
    said = [handle.get_attribute(f"aria-value{part}") for part in ("min", "now", "max", "text")]
    assert said == ["0", "65510", "1000000", "words at 65,510 to 65,525"]
    handle.press("ArrowRight")
    assert state(tab, "window")["start"] == 66_000  # the next stop
    settled(tab, "window")  # a drawing that comes while the field is filled would move the cursor in it
    exact.fill("65510")
    settled(tab, "window")
    handle.press("ArrowLeft")
    assert state(tab, "window")["start"] == 65_000
    exact.fill("7000000")
    settled(tab, "window")
    assert state(tab, "window")["start"] == 1_000_000 and exact.input_value() == "1000000"
    exact.fill("")
    exact.blur()
    settled(tab, "window")
    assert exact.input_value() == "1000000"
    window_control(tab, "radio", "float16").check()
    assert settled(tab, "window").startswith(
        "RoPE in float16, base 10,000: no score is a finite number, for 65,504 is the largest that float16 holds. ")  # fmt: skip
    exact.fill("100")
    window_control(tab, "radio", "bfloat16").check()
    window_control(tab, "radio", "500,000").check()
    window_control(tab, "slider", "word m, query").press("End")
    window_control(tab, "slider", "word n, key").press("Home")
    expected = {"start": 100, "encoding": "RoPE", "format": "bfloat16", "base": 500_000, "m": 15, "n": 0}
    assert state(tab, "window") == expected
    before, now = (window.scores("RoPE", "bfloat16", 500_000, start) for start in (0, 100))
    assert settled(tab, "window").replace("−", "-") == (
        f"RoPE in bfloat16, base 500,000: the largest change of a score is {np.abs(now - before).max():.3f}. "
        f"Score of word 15 with word 0: {before[15, 0]:.4f} at start 0, {now[15, 0]:.4f} at start 100.")  # fmt: skip
    window_control(tab, "radio", "ALiBi").check()
    assert "ALiBi in bfloat16: no score changes by more than 10⁻⁹." in settled(tab, "window")
    assert window_control(tab, "radio", "100").is_disabled() and window_control(tab, "radio", "float64").is_enabled()
    window_control(tab, "radio", "none").check()
    settled(tab, "window")
    assert window_control(tab, "radio", "float64").is_disabled()


def test_window_cells_are_picked_in_either_map(page):
    tab = page()
    tab.mouse.click(*window_cell(tab, "scores", 3, 12))
    assert (state(tab, "window")["m"], state(tab, "window")["n"]) == (3, 12)
    tab.mouse.move(*window_cell(tab, "change", 0, 15))
    tab.mouse.down()
    tab.mouse.move(*window_cell(tab, "change", 15, 1), steps=6)
    tab.mouse.up()
    assert (state(tab, "window")["m"], state(tab, "window")["n"]) == (15, 1)
    x, y = window_cell(tab, "scores", 0, 0)
    tab.mouse.click(x, y - 30)  # beside the map: nothing happens
    assert (state(tab, "window")["m"], state(tab, "window")["n"]) == (15, 1)


@pytest.mark.parametrize("width", [360, 1100])
def test_window_answers_to_touch(page, width):
    tab = page(viewport={"width": width, "height": 900}, has_touch=True, is_mobile=True)
    window_control(tab, "radio", "float32").tap()
    tab.touchscreen.tap(*window_cell(tab, "change", 9, 4))
    swipe(tab, window_control(tab, "slider", "Start of the window"), -90)
    now = state(tab, "window")
    assert now["format"] == "float32" and (now["m"], now["n"]) == (9, 4) and now["start"] < 100_000
    for start in (0, 65_510, 1_000_000):
        set_state(tab, "window", start=start, format="float16")
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for target in (window_control(tab, "slider", "Start of the window"), *tab.locator("[data-figure=window] label").all()):
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 36 and 0 <= box["x"] and box["x"] + box["width"] <= width


def test_window_says_what_happened_politely(page):
    tab = page()
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    status = tab.locator("[data-figure=window] [role=status]")
    hint = status.inner_text()

    def said():
        tab.clock.run_for(400)
        return status.inner_text()

    window_control(tab, "slider", "Start of the window").press("ArrowRight")
    assert status.inner_text() == hint  # nothing yet: the reader has not paused
    assert said() == "Start 110,000: no score changes by more than 10⁻⁹."
    window_control(tab, "radio", "sinusoidal").check()
    far = window.largest(window.scores("sinusoidal", "float64", 10_000, 110_000) - window.scores("sinusoidal", "float64", 10_000, 0))
    assert said() == f"Start 110,000: the largest change of a score is {far:.3f}, as much as a score itself."
    window_control(tab, "slider", "word m, query").press("Home")
    before, now = (window.scores("sinusoidal", "float64", 10_000, start)[0, 4] for start in (0, 110_000))
    assert said().replace("−", "-") == f"Score of word 0 with word 4: {before:.4f} at start 0, {now:.4f} at start 110,000."


def test_window_follows_a_model_that_python_sets(page):
    tab = page()
    set_state(tab, "window", start=65_519, format="float16", encoding="sinusoidal", base=100, n=9)
    assert settled(tab, "window").startswith("sinusoidal in float16, base 100: 255 of 256 scores are not finite; among the others ")
    assert all(window_control(tab, "radio", name).is_checked() for name in ("sinusoidal", "float16", "100"))
    assert window_control(tab, "spinbutton", "start, tokens").input_value() == "65519"
    assert window_control(tab, "slider", "word n, key").input_value() == "9"


@pytest.mark.parametrize("width", [360, 1100])
def test_answers_to_touch(page, width):
    tab = page(viewport={"width": width, "height": 900}, has_touch=True, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    swipe(tab, query(tab), 60)
    assert state(tab, "hero")["m"] > 22
    before = state(tab, "hero")
    settled(tab, "hero")
    swipe(tab, rod(tab), -500)  # further than the text reaches
    assert state(tab, "hero") == {"m": before["m"] - before["n"], "n": 0}
    swipe(tab, shift_dot(tab), 60)
    assert state(tab, "shift")["shift"] > 10
    for m, n in [(0, 0), (64, 64), (0, 64)]:
        set_state(tab, "hero", m=m, n=n)
        set_state(tab, "shift", shift=40 * m // 64)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for handle in (query(tab), key(tab), rod(tab), shift_dot(tab)):
            box = handle.bounding_box()
            assert min(box["width"], box["height"]) >= 44 and 0 <= box["x"] and box["x"] + box["width"] <= width


def test_score_stays_put_when_both_move_and_moves_when_one_does(page):
    tab = page()
    curve, dials = (tab.locator(f"[data-figure=hero] [data-slot={slot}]") for slot in ("curve", "dials"))
    start, arrows = curve.inner_html(), dials.inner_html()
    tab.evaluate("""() => {
        window.seen = new Set();
        const slot = document.querySelector("[data-slot=curve]");
        new MutationObserver(() => seen.add(slot.innerHTML)).observe(slot, { childList: true, subtree: true });
    }""")
    for dx in (37, 200, -90):
        drag(tab, rod(tab), dx, steps=15)
        settled(tab, "hero")
    for press in ("Shift+ArrowRight", "Shift+PageDown", "Shift+Home"):
        query(tab).press(press)
        settled(tab, "hero")
    assert state(tab, "hero") == {"m": 12, "n": 0}
    assert tab.evaluate("[...seen]") == [start]  # in every frame, also between whole positions
    assert dials.inner_html() != arrows
    query(tab).press("ArrowRight")
    assert "offset +13" in settled(tab, "hero")
    assert curve.inner_html() != start


def test_what_happened_is_said_once_and_politely(page):
    tab = page()
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    status = tab.locator("[data-figure=hero] [role=status]")
    hint = status.inner_text()
    for _ in range(10):
        query(tab).press("Shift+ArrowRight")
    assert status.inner_text() == hint  # nothing yet: the reader has not paused
    tab.clock.run_for(400)
    score = f"{hero.score(12):.2f}"
    assert status.inner_text() == f"Both moved by +10: offset still +12, score still {score}."
    key(tab).press("ArrowRight")
    tab.clock.run_for(400)
    assert status.inner_text() == f"Offset now +11: the score went from {score} to {hero.score(11):.2f}."
    shift_dot(tab).press("ArrowRight")
    tab.clock.run_for(400)
    assert tab.locator("[data-figure=shift] [role=status]").inner_text() == "Shifted by 11: the score stays."


def test_follows_a_model_that_python_sets(page):
    tab = page()
    set_state(tab, "hero", m=40, n=41)
    assert settled(tab, "hero").startswith("query at 40, key at 41: offset −1")
    assert query(tab).get_attribute("aria-valuenow") == "40"


def test_jupyterlab_leaves_the_keys_to_the_figures(page):
    tab = page()
    loose = tab.locator(":is(.rb-live input, .rb-live [tabindex]):not([data-lm-suppress-shortcuts])")
    assert tab.locator(".rb-live input, .rb-live [tabindex]").count() == 26 + 22 + 15 + 26 and loose.count() == 0


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_glides_unless_motion_is_unwanted(page, motion):
    tab = page(reduced_motion=motion)
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)
    where = "parseFloat(document.querySelector('[aria-label=\"Position of the query\"]').style.left)"
    start = tab.evaluate(where)
    query(tab).press("PageUp")
    tab.clock.run_for(90)
    halfway = tab.evaluate(where)
    tab.clock.run_for(400)
    end = tab.evaluate(where)
    assert start < halfway == end if motion == "reduce" else start < halfway < end


# ---- how it looks, what it costs, when it fails ----


@pytest.mark.parametrize("name, preferred, shown", [
    ("light.html", "dark", "light"), ("dark.html", "light", "dark"), ("auto.html", "light", "light"), ("auto.html", "dark", "dark"),
])  # fmt: skip
def test_colours_follow_the_page_then_the_system(page, name, preferred, shown):
    tab = page(name, color_scheme=preferred)
    hexes = drawing.PALETTE[shown]
    colours = tab.evaluate("""() => {
        const chips = document.querySelectorAll("[data-slot=strip] rect");
        const card = getComputedStyle(document.querySelector(".rb-live > div"));
        return [getComputedStyle(chips[0]).fill, getComputedStyle(chips[1]).fill, card.backgroundColor, card.color];
    }""")
    assert colours == ["rgb({}, {}, {})".format(*bytes.fromhex(hexes[name][1:])) for name in ("q", "k", "paper", "ink")]


@pytest.mark.parametrize("width", [760, 360])
@pytest.mark.parametrize("kind", ["light", "dark", "still"])
def test_axe_finds_nothing(page, kind, width):
    tab = page("dark.html" if kind == "dark" else "light.html", viewport={"width": width, "height": 800})
    if kind == "still":
        body = "".join(map(static.placeholder, NAMES))
        tab.set_content(PAGE.replace("<script", "<!-- <script").replace("</head>", "--></head>").format(theme="", body=body))
    found = Axe().run(tab, options={"resultTypes": ["violations"], "preload": False})
    assert found.violations_count == 0, found.generate_report()


def test_still_picture_without_scripts(page):
    tab = page(java_script_enabled=False, viewport={"width": 360, "height": 740})
    assert tab.get_by_text("A still picture. It moves on").count() == len(NAMES)
    for picture in tab.get_by_role("img").all():
        picture.scroll_into_view_if_needed()
        assert picture.is_visible() and picture.evaluate("(image) => image.complete && image.naturalWidth > 0")
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    assert tab.get_by_role("slider").count() == tab.get_by_role("radio").count() == 0  # no dead controls


@pytest.mark.parametrize("bundle", ['ropebookFigure("hero", "throw new Error(\'broken\')");', 'ropebookFigure("hero", "syntax error");',
                                    'ropebookFigure("hero", "export default { render() { throw new Error(\'broken\'); } }");', None])  # fmt: skip
def test_still_picture_stays_when_the_module_fails(chromium, tmp_path, bundle):  # noqa: F811
    (tmp_path / "loader.js").write_text(static.loader(), encoding="utf-8")
    if bundle:
        (tmp_path / "hero.js").write_text(bundle, encoding="utf-8")
    (tmp_path / "index.html").write_text(PAGE.format(theme="", body=static.placeholder("hero")), encoding="utf-8")
    context = chromium.new_context()
    tab = context.new_page()
    with tab.expect_console_message(lambda message: message.type == "error" and "figure hero:" in message.text):
        tab.goto((tmp_path / "index.html").as_uri())
    assert tab.get_by_role("img", name="Score by offset.").is_visible() and tab.locator(".rb-still").is_visible()
    context.close()


@pytest.mark.parametrize("name, moving, given", [
    ("decay", "m", {"m": 0, "d": 256}), ("decay", "h3", {"h3": -10, "d": 256, "distribution": "your own", "reach": 1_000_000}),
    ("decay", "target", {"target": 0, "d": 256, "distribution": "tuned", "reach": 1_000_000}),
    ("decay", "base", {"base": 100, "d": 256, "distribution": "independent", "reach": 1_000_000}),
    ("encodings", "shift", {"shift": 0}), ("hero", "m", {"m": 0}), ("shift", "shift", {"shift": 0}),
    ("spectrum", "pair", {"pair": 0, "d": 256}),
    ("window", "start", {"start": 65_500, "format": "float16", "encoding": "sinusoidal"}),
])  # fmt: skip
def test_a_frame_is_cheap(page, name, moving, given):
    times = page().evaluate("""async ([name, moving, given]) => {
        const figure = document.querySelector(`[data-figure=${name}]`), root = figure.querySelector(".rb-live");
        for (const [key, value] of Object.entries(given)) figure.model.set(key, value);
        for (let frame = 0; frame < 110; frame++) {
            figure.model.set(moving, given[moving] + frame % 20);
            await new Promise(requestAnimationFrame);
        }
        return root.frameTimes;
    }""", [name, moving, given])  # fmt: skip
    cost = statistics.median(times)
    print(f"{name}, moving {moving}: {cost:.1f} ms a frame, the median of {len(times)} (target 16)")
    assert len(times) == 100 and cost <= 50

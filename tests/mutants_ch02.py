"""Wrong answers to the exercises of chapter 02, each with part of the lesson that its checker must give."""

import numpy as np
import sympy as sp

from ropebook.encodings import sinusoid

r, theta, m, n = sp.symbols("r theta m n", real=True)
slope = sp.symbols("slope", positive=True)


def waves(position, width, exponent=lambda t, C: -2 * t / C, base=10000.0, scale=1.0, first=np.sin, second=np.cos, halves=False):
    """Equation 4 with its mistakes as options."""
    turn = scale * position * base ** exponent(np.arange(width // 2), width)
    if halves:
        return np.concatenate([first(turn), second(turn)])
    p = np.empty(width)
    p[0::2], p[1::2] = first(turn), second(turn)
    return p


def wave(**mistake):
    return lambda position, width: waves(position, width, **mistake)


def own_exponents(position, width):
    return np.array([(np.cos if j % 2 else np.sin)(position / 10000 ** (j / width)) for j in range(width)])


def entries_counted(position, width):
    return np.array([(np.cos if j % 2 else np.sin)(position / 10000 ** (2 * j / width)) for j in range(width)])


def rows(change=lambda d: d, low=0, high=0, add=0):
    return lambda m, n, reach: np.clip(change(np.subtract.outer(m, n)), -reach + low, reach + high) + reach + add


def writes_into_m(m, n, reach):
    m += reach
    return np.clip(m[:, None] - n, 0, 2 * reach)


ONE_ARRAY = np.empty(64)


def in_one_array(position, width):
    ONE_ARRAY[:width] = waves(position, width)
    return ONE_ARRAY[:width]


def stays(scores, rng, trials=60, words=range(2, 8), lowest=0, highest=20, shifts=range(1, 21), tolerance=1e-9,
          zero=False, same=False, compare=None):
    """The right test of exercise 2.6 with its mistakes as options."""
    compare = compare or (lambda gap, before: np.abs(gap).max() <= tolerance)
    for _ in range(trials):
        x = rng.standard_normal((rng.choice(words), 8)) * (not zero)
        x = np.tile(x[:1], (len(x), 1)) if same else x
        m = rng.integers(lowest, highest + 1, len(x))
        before = scores(x, m)
        if not compare(scores(x, m + rng.choice(shifts)) - before, before):
            return False
    return True


def offset_test(**mistake):
    return lambda scores, rng: stays(scores, rng, **mistake)


def shuffles_instead(scores, rng):
    x, order = rng.standard_normal((6, 8)), rng.permutation(6)
    return np.allclose(scores(x[order], np.arange(6)), scores(x, np.arange(6))[order][:, order])


def only_if_right(scores, rng):
    if stays(scores, rng):
        return True


def runs_off_the_table(scores, rng):
    return stays(scores, rng, shifts=[50])


RIGHT = {"NoPE", "sinusoidal", "learned", "RoPE"}

MUTANTS = [
    ("2.1", lambda position, width: waves(5, width), "slip in the printed equation 4"),
    ("2.1", wave(exponent=lambda t, C: -t / C), "Your exponent is −t/C"),
    ("2.1", wave(exponent=lambda t, C: 2 * t / C), "minus sign of the exponent"),
    ("2.1", wave(exponent=lambda t, C: -2 * (t + 1) / C), "Your t starts at 1"),
    ("2.1", wave(exponent=lambda t, C: -2 * t / max(C - 2, 1)), "a speed of 1/10000"),
    ("2.1", wave(first=np.cos, second=np.sin), "changed places"),
    ("2.1", wave(halves=True), "all sines first"),
    ("2.1", wave(first=np.cos, second=np.sin, halves=True), "All cosines first"),
    ("2.1", wave(scale=np.pi / 180), "degrees"),
    ("2.1", wave(scale=2 * np.pi), "factor 2π"),
    ("2.1", wave(base=1000.0), "Your base is 1000."),
    ("2.1", wave(base=1e5), "Your base is 100000"),
    ("2.1", wave(second=np.sin), "Both entries of a wave are sines"),
    ("2.1", wave(first=np.cos), "Both entries of a wave are cosines"),
    ("2.1", own_exponents, "an exponent of its own"),
    ("2.1", entries_counted, "count entries where"),
    ("2.1", lambda position, width: waves(int(position), width), "round the position"),
    ("2.1", lambda position, width: waves(position + 1, width), "count positions from 1"),
    ("2.1", lambda position, width: waves(abs(position), width), "For position = -7"),
    ("2.1", wave(base=500.0), "entry 2 should be"),
    ("2.1", lambda position, width: waves(position, width).astype(np.float16), "Right but for rounding"),
    ("2.1", lambda position, width: np.round(waves(position, width), 4), "Right but for rounding: you are off by up to 5e-05"),
    ("2.1", wave(scale=-1), "entry 0 should be 0.1411; yours is -0.1411"),
    ("2.1", lambda position, width: np.where(position > 10, np.nan, waves(position, width)), "yours is nan"),
    ("2.1", lambda position, width: waves(position, width)[None], "shape (1, 6)"),
    ("2.1", lambda position, width: waves(position, width)[: width // 2], "shape (3,)"),
    ("2.1", lambda position, width: waves(position, width) + 0j, "real numbers"),
    ("2.2", sp.cos(r * theta), "That is (2a)"),
    ("2.2", -sp.sin(r * theta), "The sign is opposite"),
    ("2.2", -sp.cos(r * theta), "sines meet cosines"),
    ("2.2", 2 * sp.sin(r * theta), "factor of 2"),
    ("2.2", sp.sin(r * theta) / 2, "factor of 2"),
    ("2.2", sp.sin(r), "no theta in it"),
    ("2.2", sp.sin(theta), "no r in it"),
    ("2.2", sp.Integer(0), "no theta in it"),
    ("2.2", sp.sin(r + theta), "yours gives"),
    ("2.2", sp.sin(sp.Abs(r) * theta), "For m − n = "),
    ("2.2", sp.sin(r * sp.Abs(theta)), "theta = -0.6"),
    ("2.2", sp.sin(r * theta) + sp.sin(sp.pi * r), "For m − n = 2.5"),
    ("2.2", sp.I * sp.sin(r * theta), "real part"),
    ("2.2", sp.exp(sp.I * r * theta), "real part"),
    ("2.2", sp.sin((m - n) * theta), "I also see m, n"),
    ("2.2", sp.nan, "not finite"),
    ("2.2", sp.Matrix([[0, 1], [-1, 0]]), "Expected one SymPy expression"),
    ("2.3", rows(lambda d: -d), "That is n − m"),
    ("2.3", lambda m, n, reach: np.subtract.outer(m, n) + reach, "Clip them first"),
    ("2.3", lambda m, n, reach: np.clip(np.subtract.outer(m, n), -reach, reach), "row −1 is the last one"),
    ("2.3", lambda m, n, reach: np.clip(np.subtract.outer(m, n), 0, 2 * reach), "clip before they shift"),
    ("2.3", rows(np.abs), "keep the sign"),
    ("2.3", rows(add=1), "Off by one"),
    ("2.3", rows(add=-1), "yours has −1"),
    ("2.3", rows(high=-1), "last row is never used"),
    ("2.3", lambda m, n, reach: (np.subtract.outer(m, n) + reach) % (2 * reach + 1), "wrap round"),
    ("2.3", lambda m, n, reach: np.clip(np.subtract.outer(m, n), -reach, reach) % (2 * reach + 1), "counts negative indices"),
    ("2.3", rows(low=1), "the row is 0; yours is 1"),
    ("2.3", rows(high=1), "the row is 4; yours is 5. The table has rows 0 to 4"),
    ("2.3", lambda m, n, reach: rows()(m, n, reach).T, "Queries are rows"),
    ("2.3", lambda m, n, reach: rows()(m, n, reach)[0], "shape (3, 4); yours is (4,)"),
    ("2.3", lambda m, n, reach: rows()(m, n, float(reach)), "float64"),
    ("2.3", lambda m, n, reach: np.full((len(m), len(n)), np.nan), "float64"),
    ("2.3", writes_into_m, "writes into m or n"),
    ("2.3", lambda m, n, reach: np.clip(m - n, -reach, reach) + reach, "could not be broadcast"),
    ("2.4", "log10(1000) / slope", "SymPy knows no function log10"),
    ("2.4", sp.log(sp.Rational(1, 1000)) / slope, "The sign is opposite"),
    ("2.4", 3 / slope, "decimal logarithm"),
    ("2.4", sp.log(1000, 2) / slope, "base 2"),
    ("2.4", 1000 / slope, "take a logarithm"),
    ("2.4", 1 / (1000 * slope), "Where is the logarithm"),
    ("2.4", sp.log(1000), "no slope in it"),
    ("2.4", sp.log(1000) * slope, "divided by the slope"),
    ("2.4", slope / sp.log(1000), "That is the inverse"),
    ("2.4", sp.exp(-1000 * slope), "factor at distance 1000"),
    ("2.4", sp.ceiling(sp.log(1000) / slope), "Do not round up"),
    ("2.4", sp.floor(sp.log(1000) / slope), "Do not round down"),
    ("2.4", sp.log(1000 / slope), "Divide after the logarithm"),
    ("2.4", 6.9078 / slope, "Keep sp.log(1000)"),
    ("2.4", sp.log(1000) / slope**2, "weighs"),
    ("2.4", sp.log(100) / slope, "weighs 0.01 of the nearer"),
    ("2.4", -1e9 * slope, "weighs inf"),
    ("2.4", sp.log(1000) / sp.Symbol("s"), "I also see s"),
    ("2.4", sp.I / slope, "real number"),
    ("2.4", sp.nan, "not a finite number"),
    *(("2.5", RIGHT - {name}, f"{name} belongs in the set: ") for name in sorted(RIGHT)),
    *(("2.5", RIGHT | {name}, f"{name} does not belong in the set: ") for name in ("Shaw", "Transformer-XL", "T5", "TUPE", "DeBERTa", "ALiBi")),
    ("2.5", {"T5", "ALiBi"}, "And 5 more"),
    ("2.5", {"NoPE", "sinusoid", "learned", "RoPE"}, "no encoding 'sinusoid'"),
    ("2.5", {}, "empty dictionary"),
    ("2.5", "RoPE", "Give a set of names"),
    ("2.5", {sinusoid}, "Give a set of names"),
    ("2.5", set(), "NoPE belongs"),
    ("2.6", lambda scores, rng: True, "the scores stay, and they move: sinusoidal"),
    ("2.6", lambda scores, rng: False, "the scores move, and they stay: ALiBi"),
    ("2.6", lambda scores, rng: not stays(scores, rng), "the scores move, and they stay: ALiBi"),
    ("2.6", offset_test(tolerance=0.0), "allow for rounding"),
    ("2.6", offset_test(tolerance=1e-14), "allow for rounding"),
    ("2.6", offset_test(tolerance=2.0), "they move"),
    ("2.6", offset_test(shifts=[1], highest=6), "Draw small and large shifts"),
    ("2.6", offset_test(shifts=[2, 4, 6, 8, 20]), "down to an even number"),
    ("2.6", offset_test(highest=10, shifts=range(1, 11)), "Draw small and large shifts"),
    ("2.6", offset_test(lowest=1), "Position 0 must be among your draws"),
    ("2.6", offset_test(zero=True), "zeros hide it"),
    ("2.6", offset_test(words=[1]), "they move"),
    ("2.6", offset_test(compare=lambda gap, before: abs(gap[0, 0]) < 1e-9), "they move"),
    ("2.6", offset_test(compare=lambda gap, before: abs(gap[0, -1]) < 1e-9), "Compare all T · T scores"),
    ("2.6", offset_test(compare=lambda gap, before: np.abs(gap - np.diag(np.diag(gap))).max() < 1e-9), "score with itself"),
    ("2.6", offset_test(compare=lambda gap, before: np.abs(np.tril(gap)).max() < 1e-9, words=range(3, 8)), "Keys ahead of the query"),
    ("2.6", offset_test(compare=lambda gap, before: np.abs(gap.sum(1)).max() < 1e-9), "Their sums stay"),
    ("2.6", offset_test(compare=lambda gap, before: abs(gap.sum()) < 1e-9), "Their sums stay"),
    ("2.6", offset_test(same=True), "Draw different words"),
    ("2.6", offset_test(trials=1, words=[2], highest=3, shifts=[1]), "they move"),
    ("2.6", shuffles_instead, "leave the words as they are"),
    ("2.6", runs_off_the_table, "the table has positions 0 to 63"),
    ("2.6", only_if_right, "every path needs a return"),
    ("2.6", lambda scores, rng: 1.0, "True or False, not float"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("2.1", sinusoid),
    ("2.1", in_one_array),
    ("2.1", lambda position, width: [f(position / 10000 ** (2 * t / width)) for t in range(width // 2) for f in (np.sin, np.cos)]),
    ("2.1", lambda position, width: waves(np.float32(position), width).astype(np.float32)),
    ("2.2", sp.cos(r * theta - sp.pi / 2)),
    ("2.2", "sin(r * theta)"),
    ("2.2", sp.im(sp.exp(sp.I * r * theta))),
    ("2.2", sp.Matrix([[sp.sin(r * theta)]])),
    ("2.2", sp.sin(sp.Symbol("r") * sp.Symbol("theta"))),
    ("2.2", 1.0 * sp.sin(1.0 * theta * r)),
    ("2.3", lambda m, n, reach: [[max(-reach, min(reach, int(a - b))) + reach for b in n] for a in m]),
    ("2.3", lambda m, n, reach: np.clip(m[:, None] - n + reach, 0, 2 * reach).astype(np.uint8)),
    ("2.3", lambda m, n, reach: np.minimum(np.maximum(m[:, None] - n[None, :], -reach), reach) + reach),
    ("2.4", -sp.log(sp.Rational(1, 1000)) / slope),
    ("2.4", 3 * sp.log(10) / slope),
    ("2.4", np.log(1000) / slope),
    ("2.4", "log(1000)/slope"),
    ("2.4", sp.log(1000) / sp.Symbol("slope")),
    ("2.4", sp.solve(sp.Eq(sp.exp(-slope * r), sp.Rational(1, 1000)), r)[0]),
    ("2.5", ["RoPE", "NoPE", "sinusoidal", "learned"]),
    ("2.5", frozenset(RIGHT)),
    ("2.6", offset_test(compare=lambda gap, before: np.allclose(before + gap, before))),
    ("2.6", offset_test(tolerance=1e-6, words=[12], trials=40)),
    ("2.6", offset_test(words=[20], highest=39, shifts=[1], trials=40)),
]

"""Wrong answers to the exercises of chapter 03, each with part of the lesson that its checker must give."""

import numpy as np
import sympy as sp

m, n, r, u, theta = sp.symbols("m n r u theta", real=True)
x, y = sp.symbols("x y")  # complex
bar = sp.conjugate(y)
behind = sp.exp(-sp.I * u * theta)


def turned(angle, x):
    return np.array([x[0] * np.cos(angle) - x[1] * np.sin(angle), x[0] * np.sin(angle) + x[1] * np.cos(angle)])


def keeps(f, rng, tolerance=1e-9, both=True, draws=20, positive=False):
    """The right test of exercise 3.5 with its mistakes as options."""
    for _ in range(draws):
        x, y = rng.standard_normal((2, 2))
        if positive:
            x, y = abs(x), abs(y)
        first, second, shift = rng.integers(-20, 20, size=3)
        moved = f(x, first + shift) @ f(y, second + both * shift) - f(x, first) @ f(y, second)
        if not abs(moved) <= tolerance:
            return False
    return True


def norm_only(f, rng):
    x = rng.standard_normal(2)
    return bool(np.isclose(np.linalg.norm(f(x, 7)), np.linalg.norm(x)))


def compares_with_one_formula(f, rng):
    x = rng.standard_normal(2)
    return np.allclose(f(x, 3), turned(0.9, x))


def writes_into_x(x, m, theta):
    x[0] = x[0] * np.cos(m * theta) - x[1] * np.sin(m * theta)
    x[1] = x[0] * np.sin(m * theta) + x[1] * np.cos(m * theta)
    return x


def signs(first, second):
    """A rotation with the signs of its two sines as options."""
    def turn(x, m, theta):
        c, s = np.cos(m * theta), np.sin(m * theta)
        return np.array([c * x[0] + first * s * x[1], second * s * x[0] + c * x[1]])
    return turn


def never_returns_true(f, rng):
    if not keeps(f, rng):
        return False


def only_if_wrong(f, rng):
    if keeps(f, rng):
        return True


def composes(f, rng):
    """A test of something else: lengths kept, and one turn after another is the turn by the sum."""
    x = rng.standard_normal(2)
    return norm_only(f, rng) and np.allclose(f(f(x, 2), 5), f(x, 7))


def key_alone(f, rng):
    x, y = rng.standard_normal((2, 2))
    return bool(abs(f(x, 3) @ f(y, 8) - x @ f(y, 5)) < 1e-9)


MUTANTS = [
    ("3.1", signs(1, -1), "turns the other way"),
    ("3.1", signs(1, 1), "exactly one of the two sines"),
    ("3.1", signs(-1, -1), "exactly one of the two sines"),
    ("3.1", lambda x, m, theta: turned(np.deg2rad(m * theta), x), "degrees"),
    ("3.1", lambda x, m, theta: x + np.array([np.cos(m * theta), np.sin(m * theta)]), "At m = 0 nothing may move"),
    ("3.1", lambda x, m, theta: 1.1**m * x, "keeps lengths"),
    ("3.1", lambda x, m, theta: turned(m, x), "should go to"),
    ("3.1", lambda x, m, theta: turned(0.7 * m, x), "should go to"),
    ("3.1", lambda x, m, theta: turned(theta, x), "At m = 0"),
    ("3.1", lambda x, m, theta: turned(m * theta, x)[None], "shape (1, 2)"),
    ("3.1", lambda x, m, theta: turned(abs(m) * theta, x), "turns the other way"),
    ("3.1", lambda x, m, theta: x * np.exp(1j * m * theta), "two real numbers"),
    ("3.1", lambda x, m, theta: turned(m * theta, np.abs(x)), "linear in x"),
    ("3.1", writes_into_x, "writes into x"),
    ("3.2", sp.sin((n - m) * theta), "sign is opposite"),
    ("3.2", sp.cos((m - n) * theta), "two equal arrows"),
    ("3.2", sp.sin((m + n) * theta), "move together"),
    ("3.2", sp.sin(m - n), "no theta in it"),
    ("3.2", sp.Integer(0), "no theta in it"),
    ("3.2", 2 * sp.sin((m - n) * theta), "not the score"),
    ("3.2", -sp.I * sp.exp(sp.I * (m - n) * theta), "real part"),
    ("3.2", sp.nan, "not finite"),
    ("3.2", sp.Symbol("q") * theta, "I also see q"),
    ("3.3", (sp.exp(m), sp.exp(n)), "What must b undo?"),
    ("3.3", (sp.exp(m), sp.Integer(1)), "constant"),
    ("3.3", (sp.sin(m) ** 2 + sp.cos(m) ** 2, sp.exp(n)), "a is constant"),
    ("3.3", (sp.sin(m) ** 2 + sp.cos(m) ** 2 - 1, n), "a is constant"),
    ("3.3", (m, -n), "What must b undo?"),
    ("3.3", (m, 1 / n), "What must b undo?"),
    ("3.3", (2**m, 3 ** (-n)), "What must b undo?"),
    ("3.3", (sp.exp(sp.I * m), sp.exp(-sp.I * n)), "a must be a real number"),
    ("3.3", (sp.I * sp.exp(m), -sp.I * sp.exp(-n)), "a must be a real number"),
    ("3.3", sp.exp(m - n), "pair"),
    ("3.3", (sp.exp(m - n), sp.exp(n - m)), "may not contain n"),
    ("3.4", sp.exp(-sp.I * r * theta), "turn the key ahead"),
    ("3.4", sp.exp(sp.I * theta), "is possible"),
    ("3.4", 2 * sp.exp(sp.I * r * theta), "length 2.000"),
    ("3.4", sp.Integer(1), "is possible"),
    ("3.4", -sp.exp(sp.I * r * theta), "is possible"),
    ("3.4", sp.exp(sp.I * m * theta), "I also see m"),
    ("3.4", sp.nan, "must have length 1"),
    ("3.4", sp.Matrix([sp.cos(r * theta), sp.sin(r * theta)]), "one complex number"),
    ("3.5", lambda f, rng: True, "accepted an encoder that breaks"),
    ("3.5", lambda f, rng: False, "rejected an encoder that keeps"),
    ("3.5", lambda f, rng: not keeps(f, rng), "rejected an encoder that keeps"),
    ("3.5", lambda f, rng: keeps(f, rng, tolerance=1e-18), "allow for rounding"),
    ("3.5", lambda f, rng: keeps(f, rng, tolerance=10.0), "accepted an encoder that breaks"),
    ("3.5", lambda f, rng: keeps(f, rng, both=False), "shift both positions"),
    ("3.5", lambda f, rng: keeps(f, rng, positive=True), "accepted an encoder that breaks"),
    ("3.5", norm_only, "rejected an encoder that keeps"),
    ("3.5", composes, "rejected an encoder that keeps"),
    ("3.5", key_alone, "rejected an encoder that keeps"),
    ("3.5", compares_with_one_formula, "rejected an encoder that keeps"),
    ("3.5", only_if_wrong, "every path needs a return"),
    ("3.5", lambda f, rng: "yes", "True or False, not str"),
    ("3.6", sp.re(x * bar / behind), "the g of equation 11 again"),
    ("3.6", sp.re(sp.conjugate(x) * y * behind), "the g of equation 11 again"),
    ("3.6", x * bar * behind, "take the real part, `sp.re`"),
    ("3.6", sp.conjugate(x) * y / behind, "take the real part, `sp.re`"),
    ("3.6", x * bar / behind, "`sp.re`. And that is the g of equation 11"),
    ("3.6", sp.re(x * y * behind), "must be conjugated"),
    ("3.6", sp.re(x * y / behind), "must be conjugated"),
    ("3.6", sp.im(x * bar * behind), "imaginary part"),
    ("3.6", -sp.re(x * bar / behind), "not in front"),
    ("3.6", -sp.re(x * bar * behind), "not in front"),
    ("3.6", x * y * sp.cos(u * theta), "yours is complex"),
    ("3.6", sp.re(x * bar) * sp.cos(u * theta), "write −u for its u"),
    ("3.6", abs(x * bar * behind), "At u = 0"),
    ("3.6", sp.re(x * bar * sp.exp(sp.I * (n - m) * theta)), "I also see m, n"),
    ("3.6", sp.re(x * bar * behind) / u, "not a finite number"),
    ("3.6", sp.nan, "not a finite number"),
    ("3.6", sp.re(sp.Symbol("x", real=True) * sp.Symbol("y", real=True) * behind), "declared real"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("3.1", lambda x, m, theta: [x[0] * np.cos(m * theta) - x[1] * np.sin(m * theta), x[0] * np.sin(m * theta) + x[1] * np.cos(m * theta)]),
    ("3.2", 1.0 * sp.sin(1.0 * (m - n) * theta)),
    ("3.2", sp.cos((m - n) * theta - np.pi / 2)),
    ("3.2", sp.re(-1j * sp.exp(1j * theta * (m - n)))),
    ("3.2", "sin((m - n) * theta)"),
    ("3.2", sp.Matrix([[sp.sin(theta * (m - n))]])),
    ("3.2", sp.sin((sp.Symbol("m") - sp.Symbol("n")) * sp.Symbol("theta"))),
    ("3.3", [2**m, 2 ** (-n)]),
    ("3.3", (sp.exp(sp.Symbol("kappa") * m), sp.exp(-sp.Symbol("kappa") * n))),
    ("3.3", sp.Tuple(3 * sp.exp(-m / 7), 5 * sp.exp(n / 7))),
    ("3.4", sp.cos(r * theta) + sp.I * sp.sin(r * theta)),
    ("3.4", "exp(I * r * theta)"),
    ("3.6", sp.re(sp.conjugate(x) * y / behind)),
    ("3.6", (x * bar * behind + sp.conjugate(x) * y / behind) / 2),
    ("3.6", sp.re(x * bar) * sp.cos(u * theta) + sp.im(x * bar) * sp.sin(u * theta)),
    ("3.6", abs(x * y) * sp.cos(sp.arg(x) - sp.arg(y) - u * theta)),
    ("3.6", "re(x * conjugate(y) * exp(-I * u * theta))"),
    ("3.6", sp.re(sp.Symbol("x") * sp.conjugate(sp.Symbol("y") * sp.exp(sp.I * sp.Symbol("u") * theta)))),
]

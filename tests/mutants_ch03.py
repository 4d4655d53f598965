"""Wrong answers to the exercises of chapter 03, each with part of the lesson that its checker must give."""

import numpy as np
import sympy as sp

m, n, r, theta = sp.symbols("m n r theta", real=True)


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


MUTANTS = [
    ("3.1", lambda x, m, theta: turned(-m * theta, x), "turns the other way"),
    ("3.1", lambda x, m, theta: turned(np.deg2rad(m * theta), x), "degrees"),
    ("3.1", lambda x, m, theta: x + np.array([np.cos(m * theta), np.sin(m * theta)]), "The norm changed"),
    ("3.1", lambda x, m, theta: turned(m, x), "expected ("),
    ("3.1", lambda x, m, theta: turned(m * theta + 0.1, x), "expected ("),
    ("3.1", lambda x, m, theta: np.array([x[0] * np.cos(m * theta) - x[1] * np.sin(m * theta), x[0] * np.sin(m * theta) - x[1] * np.cos(m * theta)]), "expected (0.000, 1.000)"),
    ("3.1", lambda x, m, theta: turned(m * theta, x)[None], "shape (1, 2)"),
    ("3.1", lambda x, m, theta: turned(abs(m) * theta, x), "turns the other way"),
    ("3.2", sp.sin((n - m) * theta), "sign is opposite"),
    ("3.2", sp.cos((m - n) * theta), "two equal vectors"),
    ("3.2", sp.sin((m + n) * theta), "move together"),
    ("3.2", sp.sin(m - n), "theta = π/2"),
    ("3.2", sp.Integer(0), "theta = π/2"),
    ("3.2", sp.Symbol("q") * theta, "I also see q"),
    ("3.3", (sp.exp(m), sp.exp(n)), "What must b undo?"),
    ("3.3", (sp.exp(m), sp.Integer(1)), "constant"),
    ("3.3", (m, -n), "What must b undo?"),
    ("3.3", (2**m, 3**(-n)), "What must b undo?"),
    ("3.3", (sp.exp(sp.I * m), sp.exp(-sp.I * n)), "real numbers"),
    ("3.3", sp.exp(m - n), "pair"),
    ("3.3", (sp.exp(m - n), sp.exp(n - m)), "I also see"),
    ("3.4", sp.exp(-sp.I * r * theta), "turned ahead"),
    ("3.4", sp.exp(sp.I * theta), "is possible"),
    ("3.4", 2 * sp.exp(sp.I * r * theta), "norm 2.000"),
    ("3.4", sp.Integer(1), "is possible"),
    ("3.4", -sp.exp(sp.I * r * theta), "is possible"),
    ("3.4", sp.exp(sp.I * m * theta), "I also see m"),
    ("3.5", lambda f, rng: True, "accepted an encoder that breaks"),
    ("3.5", lambda f, rng: False, "rejected an encoder that keeps"),
    ("3.5", lambda f, rng: keeps(f, rng, tolerance=1e-18), "tolerance too tight"),
    ("3.5", lambda f, rng: keeps(f, rng, tolerance=10.0), "accepted an encoder that breaks"),
    ("3.5", lambda f, rng: keeps(f, rng, both=False), "rejected an encoder that keeps"),
    ("3.5", lambda f, rng: keeps(f, rng, positive=True), "accepted an encoder that breaks"),
    ("3.5", norm_only, "accepted an encoder that breaks"),
    ("3.5", compares_with_one_formula, "rejected an encoder that keeps"),
]

"""Wrong answers to the exercises of chapter 04, each with part of the lesson that its checker must give."""

from itertools import count

import numpy as np
import sympy as sp

from ropebook.symbolic import Rotation

m, s, t, theta = sp.symbols("m s t theta", real=True)
c, z = sp.cos(s * theta), sp.sin(s * theta)
cosine = (t - 1) / 2
SHEAR = sp.Matrix([[1, 0], [2, 1]])
draws = np.random.default_rng(0)
calls = count()


def jumping(n, flips=(0, 3, 4)):
    """A right answer to exercise 4.4."""
    return np.diag([1.0, -1.0 if n in flips else 1.0])


def turn(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def generator(f, d, at=1):
    return np.stack([f(e, at) for e in np.eye(d)], axis=1)


def angles(f, d, at=1, keep=slice(None, None, 2), of=lambda angle: angle):
    """The right answer to exercise 4.5 with its mistakes as options."""
    return of(np.sort(np.abs(np.angle(np.linalg.eigvals(generator(f, d, at)))))[keep])


def options(**mistake):
    return lambda f, d: angles(f, d, **mistake)


def upper_half(f, d):
    values = np.linalg.eigvals(generator(f, d))
    return np.sort(np.angle(values[values.imag > 0]))


def as_in_the_chapter(f, d):
    values = np.linalg.eigvals(generator(f, d))
    return np.sort(-np.angle(values[np.angle(values) < 0]))


def diagonal(f, d):
    return np.sort(np.arccos(np.clip(np.diag(generator(f, d))[::2], -1, 1)))


def adjacent_pairs(f, d):
    G = generator(f, d)
    return np.sort(np.abs([np.arctan2(G[i + 1, i], G[i, i]) for i in range(0, d, 2)]))


def no_clip(f, d):
    with np.errstate(invalid="ignore"):
        return np.arccos(np.sort(np.linalg.eigvalsh(generator(f, d) + generator(f, d).T) / 2 * (1 + 1e-15))[::-1])[::2]


def distinct(f, d):
    return np.unique(np.round(angles(f, d), 9))


def symmetric_part(f, d):
    G = generator(f, d)
    return np.sort(np.arccos(np.clip(np.linalg.eigvalsh((G + G.T) / 2), -1, 1)))[::2]


def by_schur(f, d):
    """Two eigenvalues 1 or −1 may stand in blocks of their own: count what is left over."""
    values = np.linalg.eigvals(generator(f, d))
    proper = [v for v in values if v.imag > 1e-9]
    rest = [abs(np.angle(v)) for v in values if abs(v.imag) <= 1e-9]
    return sorted([float(np.angle(v)) for v in proper] + sorted(rest)[::2])


def eigen(G, circle=True, basis=True, at_most=False):
    """The right answer to exercise 4.6 with its mistakes as options."""
    values, vectors = np.linalg.eig(G)
    sizes = np.abs(values)
    good = (sizes <= 1 + 1e-6).all() if at_most else np.abs(sizes - 1).max() < 1e-6
    return bool((good or not circle) and (not basis or np.linalg.cond(vectors) < 1e5))


def powers(G, n=1000, both=True, bound=200):
    if abs(np.linalg.det(G)) < 1e-9:
        return False
    longest = max(np.linalg.norm(np.linalg.matrix_power(G, k)) for k in ((n, -n) if both else (n,)))
    return bool(longest < bound)


def only_if_bounded(G):
    if powers(G):
        return True


def averages(G):
    """The chapter's proof: the mean P of (Gⁿ)ᵀ Gⁿ, both ways, is a length that G keeps, if the powers are bounded."""
    try:
        back = np.linalg.inv(G)
    except np.linalg.LinAlgError:
        return False
    for step in (G, back):
        power, total = np.eye(len(G)), np.zeros_like(G)
        for _ in range(3000):
            total, power = total + power.T @ power, power @ step
        P = total / 3000
        if not np.abs(step.T @ P @ step - P).max() < 2:
            return False
    return True


MUTANTS = [
    ("4.1", SHEAR**m, "That is G^m"),
    ("4.1", SHEAR ** (-m), "The transpose is missing"),
    ("4.1", (SHEAR**m).T, "its power is −m"),
    ("4.1", sp.Matrix([[1, 0], [-m, 1]]), "A_mᵀ G^m = 1"),
    ("4.1", sp.Matrix([[1, -m], [0, 1]]), "wrong rate"),
    ("4.1", sp.Matrix([[1, -(2**m)], [0, 1]]), "does not double"),
    ("4.1", sp.Matrix([[1, 2 ** (-m)], [0, 1]]), "entry by entry"),
    ("4.1", SHEAR.inv().T, "That is A_1"),
    ("4.1", sp.eye(2), "does nothing to a query"),
    ("4.1", sp.Matrix([[0, -2 * m], [0, 0]]), "ones on the diagonal"),
    ("4.1", sp.Matrix([[m, 0], [0, 1]]), "A_0 must be the identity"),
    ("4.1", sp.Matrix([[1, 1 / m], [0, 1]]), "not a finite number"),
    ("4.1", sp.Matrix([[sp.nan, 0], [0, 1]]), "not a finite number"),
    ("4.1", sp.Matrix([[1, -2 * sp.Symbol("n")], [0, 1]]), "I also see n"),
    ("4.1", -2 * m, "Expected a 2 × 2 matrix"),
    ("4.1", sp.Matrix([1, -2 * m]), "shape (2, 1)"),
    ("4.1", sp.Matrix([[1 + sp.sin(m), -2 * m], [0, 1]]), "At m = 1 your product"),
    ("4.2", Rotation(s, theta), "That is R_s"),
    ("4.2", sp.Matrix([[c, -z], [z, c]]), "That is R_s"),
    ("4.2", Rotation(-s, 1), "no theta in your angle"),
    ("4.2", Rotation(-1, theta), "That is one step"),
    ("4.2", Rotation(-s, theta * sp.pi / 180), "degrees"),
    ("4.2", sp.eye(2), "That is the identity"),
    ("4.2", sp.Matrix([[c, z], [z, c]]), "only the second column"),
    ("4.2", sp.Matrix([[1, z], [0, c]]), "only the second column"),
    ("4.2", sp.diag(sp.sin((m + s) * theta) / sp.sin(m * theta), sp.cos((m + s) * theta) / sp.cos(m * theta)), "not a finite number"),
    ("4.2", sp.Matrix([[c, z], [-z, c]]) * (1 + m), "changes with m"),
    ("4.2", Rotation(-m, theta), "changes with m"),
    ("4.2", sp.Matrix([[c, z], [-z, c]]) * 2, "your M p_m is"),
    ("4.2", sp.Matrix([[c, z], [z, -c]]), "your M p_m is"),
    ("4.2", sp.Matrix([[sp.nan, z], [-z, c]]), "not a finite number"),
    ("4.2", sp.Matrix([[sp.sin(sp.Symbol("n")), z], [-z, c]]), "Use only s, theta; I also see n"),
    ("4.2", Rotation(-s, sp.Abs(theta)), "theta = -0.8"),
    ("4.2", sp.cos(s * theta), "Expected a 2 × 2 matrix"),
    ("4.3", sp.acos(t / 2), "forgets the axis"),
    ("4.3", sp.acos(t / 3), "mean of the three"),
    ("4.3", sp.acos(t - 1), "two cosines"),
    ("4.3", sp.acos((t + 1) / 2), "not added"),
    ("4.3", sp.acos(-cosine), "Look at the sign"),
    ("4.3", sp.acos(cosine) * 180 / sp.pi, "degrees"),
    ("4.3", sp.asin(cosine), "a cosine, not a sine"),
    ("4.3", sp.asin(sp.sqrt(1 - cosine**2)), "obtuse"),
    ("4.3", -sp.acos(cosine), "yours is negative"),
    ("4.3", 2 * sp.pi - sp.acos(cosine), "opposite axis"),
    ("4.3", cosine, "Asked is the angle"),
    ("4.3", sp.acos(cosine) / 2, "two axes are turned round, so the angle is π. Yours gives 1.5708."),
    ("4.3", sp.pi * (3 - t) ** 2 / 16, "cosine of the angle is 0"),
    ("4.3", sp.pi * (3 - t) / 4, "in between it is not"),
    ("4.3", sp.atan(sp.sqrt(1 - cosine**2) / cosine), "not a finite number"),
    ("4.3", 2 * sp.atan(sp.sqrt((3 - t) / (1 + t))), "try t = -1"),
    ("4.3", sp.nan, "not a finite number"),
    ("4.3", sp.acos(t) * theta, "I also see theta"),
    ("4.4", lambda n: np.eye(2), "identity as G"),
    ("4.4", lambda n: turn(0.3), "identity as G"),
    ("4.4", lambda n: turn(0.3 * n), "Part (a) fails"),
    ("4.4", lambda n: np.diag([n, 1.0]), "Part (a) fails"),
    ("4.4", lambda n: np.diag([1.0, (-1.0) ** n]), "mirror's G^n B(0), with G = [[ 1., 0.], [ 0., -1.]]"),
    ("4.4", lambda n: np.diag([1.0, -((-1.0) ** n)]), "mirror"),
    ("4.4", lambda n: np.diag([1.0, (-1.0) ** (n * n)]), "mirror"),
    ("4.4", lambda n: np.array([[1, 0], [np.sin(n**2), n**3 + 1]]), "some key changes its length"),
    ("4.4", lambda n: np.diag([1.0, n]), "some key changes its length"),
    ("4.4", lambda n: np.diag([1.0, 0.0]), "is singular"),
    ("4.4", lambda n: np.array([[1.0, 0.0], [n % 2, 1.0]]), "some key changes its length"),
    ("4.4", lambda n: np.diag([2.0, 1.0]), "some key changes its length"),
    ("4.4", lambda n: np.diag([1.0, draws.choice([-1.0, 1.0])]), "the first time and another"),
    ("4.4", lambda n: jumping(n, flips=(100,)), "for every n that I tried"),
    ("4.4", lambda n: np.diag([1.0, np.nan]), "not a finite number"),
    ("4.4", lambda n: np.ones(2), "shape (2,)"),
    ("4.4", lambda n: [[1, 0], [0]], "I cannot read"),
    ("4.4", lambda n: np.diag([1, 1j]), "I cannot read"),
    ("4.4", lambda n: jumping(n).astype(int).astype(str), "I cannot read"),
    ("4.4", lambda n: jumping(next(calls) // 2), "the first time and another"),
    ("4.4", np.eye(2), "Expected a function"),
    ("4.4", lambda n: jumping(n) * (1 + 1e-6), "some key changes its length"),
    ("4.5", options(keep=slice(None)), "Give each plane once"),
    ("4.5", options(of=lambda angle: angle[::-1]), "the largest comes first"),
    ("4.5", lambda f, d: angles(f, d)[np.random.default_rng(3).permutation(d // 2)[::-1]], "in another order"),
    ("4.5", options(of=lambda angle: -angle), "right up to sign"),
    ("4.5", options(of=lambda angle: 2 * np.pi - angle), "full turns"),
    ("4.5", options(of=np.rad2deg), "degrees"),
    ("4.5", options(of=np.cos), "these are cosines"),
    ("4.5", options(of=np.sin), "these are sines"),
    ("4.5", options(of=lambda angle: angle / 2), "has the eigenvalues e^(iθ)"),
    ("4.5", options(of=lambda angle: angle.astype(str)), "cannot read"),
    ("4.5", options(at=2), "at m = 2"),
    ("4.5", options(at=0), "at m = 0"),
    ("4.5", diagonal, "along the axes"),
    ("4.5", adjacent_pairs, "along the axes"),
    ("4.5", upper_half, "no imaginary part to choose by"),
    ("4.5", as_in_the_chapter, "no imaginary part to choose by"),
    ("4.5", distinct, "count twice"),
    ("4.5", no_clip, "clip it"),
    ("4.5", lambda f, d: np.linalg.eigvals(generator(f, d))[::2], "Return real angles"),
    ("4.5", options(of=lambda angle: angle[:, None]), "shape (d/2,)"),
    ("4.5", lambda f, d: 10000.0 ** (-2 * np.arange(d // 2) / d)[::-1], "the angles are [2.4]"),
    ("4.5", options(of=lambda angle: np.round(angle, 3) + 1e-5), "off by up to 1e-05"),
    ("4.5", lambda f, d: angles(f, d) if d < 8 else None, "every path needs a return"),
    ("4.5", lambda f, d: angles(f, d, at=0.5), "whole positions only"),
    ("4.6", lambda G: eigen(G, basis=False), "not enough eigenvectors"),
    ("4.6", lambda G: eigen(G, basis=False) and np.linalg.matrix_rank(np.linalg.eig(G)[1]) == len(G), "Rounding may split"),
    ("4.6", lambda G: bool(np.allclose(G.T @ G, np.eye(len(G)))), "S R S⁻¹"),
    ("4.6", lambda G: bool(np.linalg.norm(np.linalg.matrix_power(G, 1000)) < 200), "n runs over both signs"),
    ("4.6", lambda G: eigen(G, at_most=True), "n runs over both signs"),
    ("4.6", lambda G: bool(np.isclose(abs(np.linalg.det(G)), 1)), "areas stay"),
    ("4.6", lambda G: bool(np.isclose(np.linalg.det(G), 1)), "a mirror"),
    ("4.6", lambda G: powers(G, n=100), "1 % for each token"),
    ("4.6", lambda G: powers(G, bound=3), "S R S⁻¹"),
    ("4.6", lambda G: eigen(G, circle=False), "one direction grows"),
    ("4.6", lambda G: bool(max(np.linalg.norm(np.linalg.matrix_power(G, k)) for k in (1000, -1000)) < 200), "A singular G has no inverse"),
    ("4.6", lambda G: len(set(np.linalg.eigvals(G).round(6))) == len(G) and eigen(G, basis=False), "the identity"),
    ("4.6", lambda G: bool(np.linalg.norm(np.linalg.matrix_power(G, 10**5), 2) < 200), "Did a large power overflow?"),
    ("4.6", lambda G: not powers(G), "You call the powers unbounded"),
    ("4.6", lambda G: True, "You call the powers bounded"),
    ("4.6", lambda G: False, "You call the powers unbounded"),
    ("4.6", only_if_bounded, "every path needs a return"),
    ("4.6", lambda G: 1.0, "True or False, not float"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("4.1", (SHEAR ** (-m)).T),
    ("4.1", [[1, -2 * m], [0, 1]]),
    ("4.1", np.array([[1, -2.0 * m], [0, 1]])),
    ("4.1", "Matrix([[1, -2*m], [0, 1]])"),
    ("4.1", sp.ImmutableMatrix([[1, -2 * sp.Symbol("m", integer=True)], [0, 1]])),
    ("4.1", sp.Transpose(sp.MatPow(sp.ImmutableMatrix(SHEAR), -m))),
    ("4.1", (-m * sp.Matrix([[0, 0], [2, 0]])).exp().T),
    ("4.2", sp.Matrix([[c, z], [-z, c]])),
    ("4.2", Rotation(-s, theta)),
    ("4.2", Rotation(s, theta).T),
    ("4.2", sp.Matrix([[sp.cos(theta), sp.sin(theta)], [-sp.sin(theta), sp.cos(theta)]]) ** s),
    ("4.2", (s * sp.Matrix([[0, theta], [-theta, 0]])).exp()),
    ("4.2", [[sp.cos((m + s) * theta - m * theta), sp.sin(s * theta)], [-sp.sin(s * theta), sp.sin(sp.pi / 2 - s * theta)]]),
    ("4.3", 2 * sp.acos(sp.sqrt(1 + t) / 2)),
    ("4.3", 2 * sp.asin(sp.sqrt(3 - t) / 2)),
    ("4.3", sp.atan2(sp.sqrt((3 - t) * (1 + t)), t - 1)),
    ("4.3", sp.pi - sp.acos((1 - t) / 2)),
    ("4.3", "acos(t/2 - 0.5)"),
    ("4.3", sp.arg((t - 1) / 2 + sp.I * sp.sqrt(1 - cosine**2))),
    ("4.4", jumping),
    ("4.4", lambda n: np.diag([1, 1 if n >= 0 else -1])),
    ("4.4", lambda n: [[1, 0], [0, (-1) ** (n * (n - 1) // 2)]]),
    ("4.4", lambda n: sp.Matrix([[1, 0], [0, -1 if n == 5 else 1]])),
    ("4.4", lambda n: jumping(n) @ turn(0.7)),
    ("4.4", lambda n: np.array([[0.6, 0.8], [0.8, -0.6]]) if n % 3 == 0 else np.array([[0.6, 0.8], [-0.8, 0.6]])),
    ("4.4", lambda n: np.float32([[0.6, 0.8], [0.8, -0.6]] if n % 3 == 0 else [[0.6, 0.8], [-0.8, 0.6]])),
    ("4.5", lambda f, d: angles(f, d).tolist()),
    ("4.5", lambda f, d: np.float32(angles(f, d))),
    ("4.5", symmetric_part),
    ("4.5", by_schur),
    ("4.5", lambda f, d: np.sort(np.abs(np.angle(np.linalg.eigvals(f(np.eye(d), 1)))))[1::2]),
    ("4.6", eigen),
    ("4.6", powers),
    ("4.6", lambda G: powers(G, n=2000, bound=999)),
    ("4.6", lambda G: powers(G, n=3000, bound=101)),
    ("4.6", averages),
    ("4.6", lambda G: np.bool_(eigen(G))),
]

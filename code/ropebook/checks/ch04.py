"""Checkers of chapter 04, the theorem."""

import numpy as np
import sympy as sp

from ropebook.checks.ch04_boxes import POWERS, SINGULAR, TURNERS, encoder, folded
from ropebook.checks.expressions import expression, value
from ropebook.exercises import Wrong, call, exercise

TOLERANCE = 1e-9
PLACES = [dict(m=m) for m in (0, 1, 2, 5, -3, 8)]


@exercise("4.1")
def shear_query(answer):
    """A_m = (G^-m)^T for the shear G = [[1, 0], [2, 1]], as a 2 × 2 matrix of expressions in m."""
    got = _values(_matrix(answer, {"m"}), PLACES)  # (points, 2, 2)
    is_ = lambda f: np.abs(got - np.array([f(p["m"]) for p in PLACES])).max() <= TOLERANCE
    if is_(lambda m: [[1, -2 * m], [0, 1]]):
        return "The key's shear stands below the diagonal, the query's above it, with the opposite sign: that is what makes m and n meet as n − m."
    lessons = [
        (lambda m: [[1, 0], [2 * m, 1]], "That is G^m, what a key at m gets. The query gets the transpose of the inverse."),
        (lambda m: [[1, 0], [-2 * m, 1]], "That is G^(−m). The transpose is missing: the query stands on the left of the score, as (A_m q)ᵀ."),
        (lambda m: [[1, 2 * m], [0, 1]], "That is the transpose of G^m. The query undoes what the key does: its power is −m."),
        (lambda m: [[1, -m], [0, 1]], "Right form, wrong rate: this shear has a 2. What is G²?"),
        (lambda m: [[1, -(2.0**m)], [0, 1]], "The 2 does not double at each step. Multiply G by G and look at the corner."),
        (lambda m: [[1, 2.0**-m], [0, 1]], "Powers are not taken entry by entry. Multiply G by G and look at the corner."),
        (lambda m: [[1, -2], [0, 1]], "That is A_1. What is it for any m? The corner grows with every step."),
        (lambda m: [[1, 0], [0, 1]], "That is the identity: then position does nothing to a query."),
        (lambda m: [[0, -2 * m], [0, 0]], "That is −mNᵀ, the generator's part. Its exponential has ones on the diagonal as well."),
    ]  # fmt: skip
    for wrong, lesson in lessons:
        if is_(wrong):
            raise Wrong(lesson)
    if not np.isfinite(got).all():
        raise Wrong("An entry of your matrix is not a finite number for every whole m.")
    G = np.array([[1.0, 0.0], [2.0, 1.0]])
    if not np.abs(got[0] - np.eye(2)).max() <= TOLERANCE:
        raise Wrong("At m = 0 nothing has happened yet: A_0 must be the identity, and yours is not.")
    for p, a in zip(PLACES, got):
        product = a.T @ np.linalg.matrix_power(G, p["m"])
        if not np.abs(product - np.eye(2)).max() <= TOLERANCE:
            raise Wrong(f"At equal positions the two sides must cancel, A_mᵀ G^m = 1. At m = {p['m']} your product is {_shown(product)}.")
    raise Wrong("Not for every whole m.")


STEPS = [dict(s=s, theta=theta, m=m) for s, theta, m in ((0, 0.7, 1.3), (1, 0.4, 0.2), (2.5, 0.9, 3), (-1.7, 1.3, -2.4), (6, 0.11, 5.5), (2, -0.8, 3.1), (3, 2.9, 0))]


@exercise("4.2")
def wave_step(answer):
    """M with p_{m+s} = M p_m for p_m = (sin m theta, cos m theta), a 2 × 2 matrix of expressions in s and theta."""
    matrix = _matrix(answer, None)
    strange = {symbol.name for entry in matrix for symbol in entry.free_symbols} - {"s", "theta", "m"}  # an m may cancel
    if strange:
        raise Wrong(f"Use only s, theta; I also see {', '.join(sorted(strange))}.")
    got = _values(matrix, STEPS)
    moved = _values(matrix, [p | {"m": p["m"] + 0.83} for p in STEPS])
    is_ = lambda f: np.abs(got - np.array([f(p["s"], p["theta"], p["m"]) for p in STEPS])).max() <= TOLERANCE
    turn = lambda angle: np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if is_(lambda s, theta, m: turn(-s * theta)):
        return "It is R with index −s: from place to place the waves of chapter 02 do nothing but turn."
    if not np.isfinite(got).all():
        raise Wrong("An entry of your matrix is not a finite number for every s and theta.")
    if not np.abs(got - moved).max() <= TOLERANCE:
        raise Wrong("Your M changes with m. One matrix has to serve every m: it may know the step s and the speed theta alone.")
    lessons = [
        (lambda s, theta, m: turn(s * theta), "That is R_s, the transpose of the right one. Sine comes first in p_m, so a step forward turns the arrow backward."),
        (lambda s, theta, m: turn(-s), "How fast does the wave turn? There is no theta in your angle."),
        (lambda s, theta, m: turn(-theta), "That is one step. How does the angle depend on s?"),
        (lambda s, theta, m: turn(-np.deg2rad(s * theta)), "That reads the angle in degrees; the book's theta is in radians per token."),
        (lambda s, theta, m: [[1, 0], [0, 1]], "That is the identity, which leaves the wave where it is."),
    ]  # fmt: skip
    for wrong, lesson in lessons:
        if is_(wrong):
            raise Wrong(lesson)
    wave = lambda p, at: np.array([np.sin(at * p["theta"]), np.cos(at * p["theta"])])
    if all(np.abs(M @ wave(p, 0) - wave(p, p["s"])).max() <= TOLERANCE for p, M in zip(STEPS, got)):
        raise Wrong("It takes p_0 to p_s, but other p_m go elsewhere: p_0 = (0, 1) meets only the second column of M. Use the addition theorems.")
    p, M = next((p, M) for p, M in zip(STEPS, got) if not np.abs(M @ wave(p, p["m"]) - wave(p, p["m"] + p["s"])).max() <= TOLERANCE)
    raise Wrong(f"For s = {p['s']}, theta = {p['theta']}, m = {p['m']} your M p_m is {_shown(M @ wave(p, p['m']))}; p_(m+s) is {_shown(wave(p, p['m'] + p['s']))}.")


TRACES = [dict(t=t) for t in (3, 2.6, 1.8, 1, 0.3, -0.4, -0.9, -1)]


@exercise("4.3")
def angle_from_trace(answer):
    """The angle in [0, pi] of a rotation of space with trace t, an expression in t."""
    found = expression(answer, {"t"})
    got = np.array([_number(found, p) for p in TRACES])
    upper = lambda z: z.real + 1j * np.abs(z.imag)  # where a cosine is above 1, each library has its own side of the cut
    near = lambda f: np.abs(upper(got) - upper(np.array([f(p["t"]) for p in TRACES]))).max() <= 1e-6  # arccos is steep at both ends
    right = lambda t: np.arccos((t - 1) / 2)
    if near(right):
        return "The axis gives the trace a 1 and the plane gives 2 cos θ, in whatever basis G is written: a trace does not know the basis."
    if not np.isfinite(got).all():
        where = TRACES[int(np.argmin(np.isfinite(got)))]["t"]
        raise Wrong(f"Your expression is not a finite number for every t from −1 to 3: try t = {where}.")
    arccos = lambda c: np.arccos(complex(c))
    lessons = [
        (lambda t: arccos(t / 2), "That forgets the axis, which stays where it is and puts a 1 on the diagonal beside the plane's 2 cos θ."),
        (lambda t: arccos(t / 3), "That takes the mean of the three diagonal entries for the cosine; but one of the three eigenvalues is 1. What do the other two add up to?"),
        (lambda t: arccos(t - 1), "Right to take away the axis. What is left belongs to a plane, whose block has two cosines on its diagonal."),
        (lambda t: arccos((t + 1) / 2), "The axis stands still: its eigenvalue is +1, so it must be taken away from t, not added. Try t = 3, where nothing turns."),
        (lambda t: arccos((1 - t) / 2), "At t = 3 nothing turns and the angle must be 0; yours is π. Look at the sign."),
        (lambda t: np.rad2deg(right(t)), "That is in degrees; the book's angles are in radians."),
        (lambda t: np.arcsin((t - 1) / 2), "That is the complement, π/2 − θ: the trace holds a cosine, not a sine."),
        (lambda t: np.arcsin(np.sqrt(max(1 - ((t - 1) / 2) ** 2, 0))), "An arcsine does not go beyond π/2: for t < 1 the angle is obtuse, and yours is π minus it."),
        (lambda t: -right(t), "The angle is asked for in [0, π]; yours is negative. Turning by −θ about the axis is turning by θ about the opposite axis."),
        (lambda t: 2 * np.pi - right(t), "The angle is asked for in [0, π]. Turning by 2π − θ is turning by θ about the opposite axis."),
        (lambda t: (t - 1) / 2, "That is the cosine of the angle. Asked is the angle."),
    ]  # fmt: skip
    for wrong, lesson in lessons:
        if near(wrong):
            raise Wrong(lesson)
    for t, sense in ((3, "nothing turns, so the angle is 0"), (-1, "two axes are turned round, so the angle is π"), (1, "the cosine of the angle is 0")):
        here = got[[p["t"] for p in TRACES].index(t)]
        if not abs(here - right(t)) <= 1e-6:
            raise Wrong(f"Try t = {t}: {sense}. Yours gives {_shown(here)}.")
    raise Wrong("At t = 3, 1 and −1 it is right, in between it is not. Write the trace of the block form, a plane and an axis.")


SPAN = range(-8, 9)


@exercise("4.4")
def blind_keys(answer):
    """A function (n) -> orthogonal B_n with a first row that stays, and no G and B_0 with B_n = G^n B_0."""
    family = {n: _real_2x2(call(answer, n), n) for n in SPAN}
    for n in reversed(SPAN):
        if not np.abs(family[n] - _real_2x2(call(answer, n), n)).max() <= TOLERANCE:
            raise Wrong(f"B({n}) gives one matrix the first time and another the second time. A position means the same thing every time.")
    start = family[0]
    for n, B in family.items():
        if not np.abs(B[0] - start[0]).max() <= TOLERANCE:
            raise Wrong(f"Part (a) fails: A_mᵀB(n) is the first row of B(n) above a row of zeros. It is {_shown(start[0])} at n = 0 and {_shown(B[0])} at "
                        f"n = {n}; since it does not know m, it may not know n either.")
    for n, B in family.items():
        if not np.abs(B @ B.T - np.eye(2)).max() <= 5e-7:  # float32 will do
            if abs(np.linalg.det(B)) <= TOLERANCE:
                raise Wrong(f"Part (b) fails: B({n}) is singular. It sends some vector to 0, so lengths are not kept.")
            raise Wrong(f"Part (b) fails: at n = {n} the rows of B(n) are not of length 1 and perpendicular, so some key changes its length. "
                        "With the first row given, what can the second row still be?")
    signs = [round(np.linalg.det(B)) for B in family.values()]
    steps = {a * b for a, b in zip(signs, signs[1:])}
    if steps == {1}:
        raise Wrong("Part (c) fails: your B(n) is the same matrix for every n that I tried, and that is G^n B(0) with the identity as G.")
    if steps == {-1}:
        raise Wrong(f"Part (c) fails: your second row changes its sign at every step. That is a mirror's G^n B(0), with G = {_shown(family[1] @ start.T)}. "
                    "The signs must not follow a rule of powers.")
    return "Lengths are kept, scores follow the offset (they ignore it), and the signs go as they like: assumption 1 cannot be left out."


@exercise("4.5")
def spectrum(answer):
    """A function (f, d) -> the d/2 angles in [0, pi], sorted, of a linear f(x, m) = G^m x that turns planes of R^d."""
    for index, (name, G, theta, advice) in enumerate(TURNERS):
        d = len(G)
        result = call(answer, encoder(G), d) if index == 0 else answer(encoder(G), d)
        if result is None or result is ...:
            raise Wrong(f"It returned nothing for one encoder, {name}: every path needs a return.")
        try:
            got = np.asarray(result)
            got = got if got.dtype.kind == "c" else _no_text(got).astype(np.float64)
        except (TypeError, ValueError):
            raise Wrong(f"Return an array of d/2 numbers; for {name} I cannot read yours as one.") from None
        if got.shape != theta.shape:
            raise Wrong(f"For {name}, d = {d}, there are {d // 2} angles; yours has shape {got.shape}. {_why_not_as_many(got, theta)}")
        if np.iscomplexobj(got):
            raise Wrong("Return real angles, not complex numbers: the angle of an eigenvalue is `np.angle(value)`.")
        if not np.isfinite(got).all():
            raise Wrong(f"For {name} you return {_shown(got)}. Rounding may push a cosine just above 1, where arccos ends: clip it, or use np.angle.")
        if not np.abs(got - theta).max() <= 1e-6:
            raise Wrong(f"For {name}, d = {d}: {_why_not_this_spectrum(got, theta, G, advice)}")
    return f"{len(TURNERS)} black boxes, and you know how fast each of them turns without having looked inside: a basis can hide planes, but not angles."


def _why_not_as_many(got, theta):
    if got.shape == (2 * len(theta),):
        return "A plane has two eigenvalues, e^(iθ) and e^(−iθ). Give each plane once."
    if got.ndim == 1 and len(got) < len(theta):
        return ("A plane that stands still has the eigenvalue 1 twice and one that turns by π has −1 twice, with no imaginary part to choose by; "
                "and equal angles of two planes count twice.")
    return "Return one angle for each plane, shape (d/2,)."


def _why_not_this_spectrum(got, theta, G, advice):
    near = lambda other: np.abs(got - other).max() <= 1e-6
    adjacent = np.abs(np.arctan2(G[1::2, ::2].diagonal(), G[::2, ::2].diagonal()))
    with np.errstate(all="ignore"):
        diagonal = np.arccos(np.clip(G.diagonal(), -1, 1))
    if near(theta[::-1]):
        return "the angles are right, but the largest comes first. Sort them, smallest first."
    if np.abs(np.sort(got) - theta).max() <= 1e-6:
        return "the angles are right, but in another order. Sort them, smallest first."
    if np.abs(np.sort(np.abs(got)) - theta).max() <= 1e-6:
        return "right up to sign. θ and −θ are one and the same plane, seen from its two sides; give the angle in [0, π]."
    if np.abs(np.sort(np.abs(np.angle(np.exp(1j * got)))) - theta).max() <= 1e-6:
        return "right up to full turns and signs. On whole tokens θ, −θ and θ + 2π are one encoder; give the angle in [0, π]."
    if near(np.rad2deg(theta)):
        return "these are degrees; give radians."
    if near(0):
        return "all angles are 0. Did you ask f at m = 0, where nothing has moved?"
    if near(np.sort(folded(2 * theta))):
        return "each plane has turned twice. Did you ask f at m = 2? Take m = 1: an angle per token."
    if np.abs(np.sort(got) - np.sort(np.cos(theta))).max() <= 1e-6:
        return "these are cosines. Take their arccos."
    if np.abs(np.sort(got) - np.sort(np.sin(theta))).max() <= 1e-6:
        return "these are sines, the imaginary parts of the eigenvalues. An eigenvalue e^(iθ) has the angle θ, `np.angle`."
    if any(near(np.sort(guess)) for guess in (adjacent, diagonal[::2], diagonal[: len(theta)])):
        return f"reading entries of G as cosines takes for granted that its planes lie along the axes. {advice}"
    if np.abs(got - theta).max() < 1e-3:
        return f"almost; you are off by up to {np.abs(got - theta).max():.0e} radians, and rounding need not cost more than 1e-6."
    return f"the angles are {_shown(theta)}; yours are {_shown(got)}. {advice}"


@exercise("4.6")
def stays_bounded(answer):
    """A function (G) -> bool that says whether the powers G^n, n whole and of both signs, stay bounded."""
    for index, (name, G, bounded, advice) in enumerate(POWERS):
        try:
            with np.errstate(all="ignore"):  # a power may overflow
                said = call(answer, G.copy()) if index == 0 else answer(G.copy())
        except np.linalg.LinAlgError as error:
            why = advice if advice == SINGULAR else "Did a large power overflow?"
            raise Wrong(f"For {name}, G = {_shown(G)}, your function stopped with LinAlgError: {error}. {why}") from None
        if said is None or said is ...:
            raise Wrong(f"It returned nothing for one matrix, {name}: every path needs a return.")
        if not isinstance(said, (bool, np.bool_)):
            raise Wrong(f"Return True or False, not {type(said).__name__}.")
        if said != bounded:
            verdict = "bounded, and they are not" if said else "unbounded, and they stay bounded"
            raise Wrong(f"You call the powers {verdict}: {name}, G = {_shown(G)}. {advice}")
    return f"It judged {len(POWERS)} matrices rightly. Those it let through are, in another basis, turns and signs; the others are not."


# ---- reading answers --------------------------------------------------------


def _matrix(answer, allowed):
    """The reader's 2 × 2 matrix as a list of four SymPy expressions, row by row."""
    kind = "a 2 × 2 matrix, such as sp.Matrix([[1, 2], [3, 4]])"
    try:
        found = sp.sympify(answer)
        found = found.doit().as_explicit() if isinstance(found, sp.MatrixExpr) else sp.Matrix(found)
    except (sp.SympifyError, TypeError, ValueError, AttributeError, NotImplementedError):
        raise Wrong(f"Expected {kind}, got {type(answer).__name__}.") from None
    if found.shape != (2, 2):
        raise Wrong(f"Expected {kind}; yours has shape {found.shape}.")
    return [expression(entry, allowed) for entry in found]


def _values(entries, points):
    """(points, 2, 2) complex values of the matrix of four expressions."""
    return np.array([[_number(entry, p) for entry in entries] for p in points]).reshape(-1, 2, 2)


def _number(expression, point):
    """The value at a point, NaN where there is none."""
    try:
        return value(expression, point)
    except TypeError:  # what SymPy says of infinite arguments and the like
        return complex(np.nan)


def _no_text(array):
    """The array; TypeError if it holds text, which NumPy would read as numbers."""
    if array.dtype.kind in "SU":
        raise TypeError("text")
    return array


def _real_2x2(result, n):
    try:
        got = np.asarray(result)
        if got.dtype.kind == "c":
            raise TypeError
        got = _no_text(got).astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"B({n}) should be a 2 × 2 array of real numbers; I cannot read yours as one.") from None
    if got.shape != (2, 2):
        raise Wrong(f"B({n}) should be a 2 × 2 array; yours has shape {got.shape}.")
    if not np.isfinite(got).all():
        raise Wrong(f"B({n}) holds an entry that is not a finite number.")
    return got.copy()


def _shown(number):
    """A number or array for a message, short."""
    array = np.asarray(number)
    array = array.real if np.iscomplexobj(array) and not np.abs(array.imag).max() > 1e-9 else array
    if array.ndim == 0:
        return f"{array + 0:.6g}"
    text = np.array2string(np.round(array, 4) + 0, separator=", ", threshold=16, suppress_small=True)
    return " ".join(text.replace("\n", " ").split())

"""Checkers of chapter 03, the rotation in the plane."""

import numpy as np

from ropebook.checks.expressions import expression, value
from ropebook.exercises import Wrong, call, exercise

# Where expressions are compared: a formula that agrees at all of these points is the same formula for our purpose,
# however it is written, floating-point coefficients included.
POINTS = [dict(m=m, n=n, s=s, r=r, theta=theta) for m, n, s, r, theta in (
    (1.3, 0.4, 0.9, 3, 0.4), (2.7, 5.1, 1.7, -2, 0.5), (0.2, 3.3, 4.1, 1, 1.3), (6.5, 1.1, 0.3, 7, 0.11), (4.0, 2.0, 2.6, -5, 2.9))]
TOLERANCE = 1e-9


@exercise("3.1")
def turn(answer):
    """A function (x, m, theta) -> the plane vector x turned by m * theta."""
    for m, theta in ((0, 0.7), (1, 0.7), (3, 0.3), (-2, 0.7), (1000, 0.3)):
        columns = []
        for x in np.eye(2):
            handed = x.copy()
            got = np.asarray(call(answer, handed, m, theta))
            if not np.array_equal(handed, x):
                raise Wrong("Your function writes into x, so the second entry is computed from the first one's new value.")
            if np.iscomplexobj(got):
                raise Wrong("Return two real numbers, not one complex one.")
            if got.shape != (2,) or not np.issubdtype(got.dtype, np.number):
                raise Wrong(f"Return one plane vector, shape (2,); yours has shape {got.shape} and holds {got.dtype}.")
            columns.append(got)
        got, right = np.array(columns).T, np.array([_spin(x, m * theta) for x in np.eye(2)]).T
        if not np.abs(got - right).max() <= TOLERANCE:
            raise Wrong(_why_not_turned(got, right, m, theta))
    if not np.abs(call(answer, np.array([0.3, -2.0]), 2, 0.7) - _spin([0.3, -2.0], 1.4)).max() <= TOLERANCE:
        raise Wrong("(1, 0) and (0, 1) turn rightly, but (0.3, −2) does not: is your function linear in x?")
    return "At position 0 nothing moves, lengths are kept, and (1, 0) moves towards (0, 1)."


def _why_not_turned(got, right, m, theta):
    near = lambda other: np.abs(got - other).max() <= 1e-6
    degrees = np.deg2rad(m * theta)
    if m == 0:
        return "At m = 0 nothing may move, and it does."
    if near(right.T):
        return "That turns the other way: the sine with the minus sign belongs to the first entry. The book turns by +m theta."
    if near(np.array([_spin(x, degrees) for x in np.eye(2)]).T):
        return "That reads the angle in degrees; NumPy's cos and sin, and the book, take radians."
    if near(np.abs(right) * np.sign(got)):
        return "Sizes are right, signs are not: exactly one of the two sines carries a minus, and both cosines a plus."
    if not np.allclose(np.linalg.norm(got, axis=0), 1):
        return f"At m = {m} an arrow of length 1 has length {np.linalg.norm(got[:, 0]):.3f}: a rotation keeps lengths."
    return f"At m = {m}, theta = {theta}, (1, 0) should go to ({right[0, 0]:.3f}, {right[1, 0]:.3f}); yours goes to ({got[0, 0]:.3f}, {got[1, 0]:.3f})."


@exercise("3.2")
def crossed_score(answer):
    """The score of q = (1, 0) at m and k = (0, 1) at n, as an expression in m, n, theta."""
    score = expression(answer, {"m", "n", "theta"})
    values = np.array([value(score, p) for p in POINTS])
    moved = np.array([value(score, p | {"m": p["m"] + p["s"], "n": p["n"] + p["s"]}) for p in POINTS])
    by_offset = lambda f: np.array([f(p["m"] - p["n"], p["theta"]) for p in POINTS])
    near = lambda other: np.abs(values - other).max() <= TOLERANCE
    if near(by_offset(lambda u, theta: np.sin(u * theta))):
        return "At m = n the two are perpendicular and the score is 0; then it follows the sine of the offset."
    if not np.isfinite(values).all():
        raise Wrong("Your expression is not finite everywhere; a score is a number for any two positions.")
    if np.abs(values.imag).max() > TOLERANCE:
        raise Wrong("A score is a real number; did you take the real part?")
    if near(by_offset(lambda u, theta: -np.sin(u * theta))):
        raise Wrong("The sign is opposite. With m = 1, n = 0 and a small angle the query has turned towards the key: is the score positive?")
    if near(by_offset(lambda u, theta: np.cos(u * theta))):
        raise Wrong("That is the score of two equal arrows. Here query and key are perpendicular when m = n: what must the score be there?")
    if not np.abs(values - moved).max() <= TOLERANCE:
        raise Wrong("Your expression changes when m and n move together, so it cannot be the score of a rotation.")
    if "theta" not in {symbol.name for symbol in score.free_symbols}:
        raise Wrong("There is no theta in it: how fast do the arrows turn?")
    raise Wrong("It depends on the offset alone, as it must, but it is not the score. Try m = n, where the arrows are perpendicular.")


@exercise("3.3")
def two_factors(answer):
    """A pair (a, b): real expressions a in m and b in n, not constant, with a*b a function of m - n."""
    try:
        first, second = answer
    except (TypeError, ValueError):
        raise Wrong("Give a pair (a, b) of expressions, a in m and b in n.") from None
    a, b = expression(first, None), expression(second, None)
    for name, factor, stranger in (("a", a, "n"), ("b", b, "m")):
        if stranger in {symbol.name for symbol in factor.free_symbols}:
            raise Wrong(f"{name} may not contain {stranger}: each factor knows its own position only.")
        values = np.array([value(factor, p) for p in POINTS])
        if not np.isfinite(values).all() or np.abs(values.imag).max() > TOLERANCE:
            raise Wrong(f"{name} must be a real number at every position; {factor} is not.")
        if np.ptp(values.real) <= TOLERANCE:
            raise Wrong(f"{name} is constant: then its position has left no trace.")
    for p in POINTS:
        moved = p | {"m": p["m"] + p["s"], "n": p["n"] + p["s"]}
        here, there = (value(a, at) * value(b, at) for at in (p, moved))
        if not abs(there - here) <= TOLERANCE * max(1, abs(here)):
            raise Wrong(f"With m = {p['m']}, n = {p['n']} the product is {here.real:.4g}; move both by {p['s']} and it is {there.real:.4g}. What must b undo?")
    return "The wish holds, and yet one length runs away: this is the family that keeping lengths rules out."


@exercise("3.4")
def aimed_key(answer):
    """A complex expression y in r and theta such that the score with x = 1 peaks at m - n = r, with |y| = 1."""
    key = expression(answer, {"r", "theta"}, "one SymPy expression (an arrow is one complex number)")
    for p in POINTS:
        got, turned = value(key, p), np.exp(1j * p["r"] * p["theta"])
        where = f"r = {p['r']}, theta = {p['theta']}"
        if not abs(abs(got) - 1) <= TOLERANCE:
            raise Wrong(f"For {where} your key has length {abs(got):.3f}; it must have length 1.")
        if not (got.conjugate() * turned).real >= 1 - TOLERANCE:
            mirrored = (got.conjugate() * turned.conjugate()).real >= 1 - TOLERANCE
            side = " It peaks at −r: turn the key ahead, to where the query will be." if mirrored else ""
            raise Wrong(f"For {where} the score at m − n = r is {(got.conjugate() * turned).real:.3f}, and 1 is possible.{side}")
    return "A key can be built to answer best at any offset: a rotation does not force attention to fade with distance."


@exercise("3.5")
def detector(answer):
    """A function (f, rng) -> bool that says whether an encoder f(x, m) keeps the wish for random words and shifts."""
    for index, (name, encoder, keeps) in enumerate(ENCODERS):
        said = call(answer, encoder, np.random.default_rng(0)) if index == 0 else answer(encoder, np.random.default_rng(0))
        if said is None:
            raise Wrong(f"It returned None for an encoder, {name}: every path needs a return.")
        if not isinstance(said, (bool, np.bool_)):
            raise Wrong(f"Return True or False, not {type(said).__name__}.")
        if keeps and not said:
            raise Wrong(f"Your test rejected an encoder that keeps the wish: {name}. Do you shift both positions, allow for rounding, "
                        "and compare scores rather than vectors or formulas?")
        if said and not keeps:
            raise Wrong(f"Your test accepted an encoder that breaks the wish: {name}. Use several random words, positions and shifts, "
                        "so that nothing cancels by luck, and compare the scores themselves.")
    return f"It judged {len(ENCODERS)} encoders rightly, and it never asked how they were written."


PAIRS = [dict(x=x, y=y, u=u, theta=theta) for x, y, u, theta in (
    (1.3 + 0.4j, -0.7 + 1.1j, 1, 0.4), (-0.2 - 2.1j, 0.9 - 0.3j, -3, 0.5), (0.6 - 1.2j, 1.4 + 0.8j, 2.5, 1.3), (2.0, -1.1j, 7, 0.11), (0.8j, 1.2 - 0.5j, 4, -0.6), (1j, 0.3 + 0.3j, 0, 2.9))]


@exercise("3.6")
def second_sign(answer):
    """The g of equation 21, Re[x conj(y) exp(-i u theta)] with u = n - m, as an expression in x, y, u, theta."""
    found = expression(answer, {"x", "y", "u", "theta"}, "one SymPy expression (an arrow is one complex number)")
    values = np.array([value(found, p) for p in PAIRS])
    is_ = lambda f: np.abs(values - np.array([f(p["x"], np.conj(p["y"]), np.exp(1j * p["u"] * p["theta"])) for p in PAIRS])).max() <= TOLERANCE
    if is_(lambda x, bar, turn: (x * bar / turn).real):
        return "Both are right about the same score; they count the offset from opposite ends, so each g is the other at −u."
    if not np.isfinite(values).all():
        raise Wrong("Your expression is not a finite number for every x, y, u and theta.")
    if any(symbol.name in "xy" and symbol.is_extended_real for symbol in found.free_symbols):
        raise Wrong('Your x or y is declared real, so it has lost its conjugate. Arrows are complex: x, y = sp.symbols("x y").')
    real_part = "A score is a real number: take the real part, `sp.re`."
    conjugate = "One of the two arrows must be conjugated, as y is in the g of equation 11; otherwise their angles add up."
    in_front = "The sign changes in the offset, not in front: at u = 0 both g are the dot product of x and y."
    lessons = [
        (lambda x, bar, turn: (x * bar * turn).real, "That is the g of equation 11 again. Here u = n − m, so m − n is −u."),
        (lambda x, bar, turn: x * bar / turn, real_part),
        (lambda x, bar, turn: np.conj(x * bar / turn), real_part),
        (lambda x, bar, turn: x * bar * turn, f"{real_part} And that is the g of equation 11; here u = n − m."),
        (lambda x, bar, turn: (x * np.conj(bar) / turn).real, conjugate),
        (lambda x, bar, turn: (x * np.conj(bar) * turn).real, conjugate),
        (lambda x, bar, turn: (x * bar / turn).imag, "That is the imaginary part. The score is the real part."),
        (lambda x, bar, turn: -(x * bar * turn).real, in_front),
        (lambda x, bar, turn: -(x * bar / turn).real, in_front),
    ]
    for wrong, lesson in lessons:
        if is_(wrong):
            raise Wrong(lesson)
    if np.abs(values.imag).max() > TOLERANCE:
        raise Wrong("A score is a real number; yours is complex.")
    p = PAIRS[-1]
    if not abs(values[-1] - (p["x"] * np.conj(p["y"])).real) <= TOLERANCE:
        raise Wrong("At u = 0 the score must be the dot product of the two arrows, Re[x ȳ]; yours is not.")
    raise Wrong("Take the g of equation 11 and write −u for its u: the same score, with the offset counted from the other end.")


def _spin(x, angle):
    return np.array([x[0] * np.cos(angle) - x[1] * np.sin(angle), x[0] * np.sin(angle) + x[1] * np.cos(angle)])


MIX = np.array([[0.6, 1.1], [-0.4, 0.9]])  # a learned projection, say
ENCODERS = (
    ("rotation by +0.3 m", lambda x, at: _spin(x, 0.3 * at), True),
    ("rotation by −2.1 m", lambda x, at: _spin(x, -2.1 * at), True),
    ("no position at all", lambda x, at: np.array(x), True),
    ("rotation that starts at an angle of 1", lambda x, at: _spin(x, 0.3 * at + 1), True),
    ("projection, then rotation", lambda x, at: _spin(MIX @ x, 0.3 * at), True),
    ("sign of the second entry flipped at odd positions", lambda x, at: np.array([x[0], (-1.0) ** (at % 2) * x[1]]), True),
    ("adding a vector that turns with m", lambda x, at: x + np.array([np.cos(at), np.sin(at)]), False),
    ("scaling by 1 + 0.01 sin m", lambda x, at: (1 + 0.01 * np.sin(at)) * np.array(x), False),
    ("rotation by 0.01 m squared, whose steps grow", lambda x, at: _spin(x, 0.01 * at**2), False),
    ("rotation, then projection", lambda x, at: MIX @ _spin(x, 0.3 * at), False),
    ("rotation whose speed is the length of the word", lambda x, at: _spin(x, 0.3 * at * np.hypot(*x)), False),
    ("rotation of words with positive first entry only", lambda x, at: _spin(x, 0.3 * at) if x[0] > 0 else np.array(x), False),
    ("rotation, then rounding to one decimal", lambda x, at: np.round(_spin(x, at), 1), False),
)

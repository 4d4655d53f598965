"""Checkers of chapter 03, the rotation in the plane."""

import numpy as np
import sympy as sp

from ropebook.exercises import Wrong, call, exercise
from ropebook.rotation import rotate

m, n, r, s, theta = sp.symbols("m n r s theta", real=True)
POSITIONS = (0, 1, 3, -2, 1000)


@exercise("3.1")
def turn(answer):
    """A function (x, m, theta) -> the plane vector x turned by m * theta."""
    for x in ([1.0, 0.0], [0.0, 1.0], [0.3, -2.0]):
        for position in POSITIONS:
            got = np.asarray(call(answer, np.array(x), position, 0.7), dtype=float)
            expected = rotate(np.array([x]), [position], [0.7])[0]
            if got.shape != (2,):
                raise Wrong(f"Return one plane vector, shape (2,); yours has shape {got.shape}.")
            if not np.allclose(got, expected, atol=1e-9):
                raise Wrong(_why_not_turned(np.array(x), position, got, expected))
    return "At position 0 nothing moves, the norm is kept, and (1, 0) moves towards (0, 1)."


def _why_not_turned(x, position, got, expected):
    where = f"x = ({x[0]:g}, {x[1]:g}) at m = {position} with theta = 0.7"
    if np.allclose(got, rotate(x[None], [-position], [0.7])[0]):
        return f"That turns the other way: at {where} the sign of the sine is opposite. The book turns by +m theta."
    if np.allclose(got, rotate(x[None], [position], [np.deg2rad(0.7)])[0]):
        return "That reads theta in degrees; NumPy's cos and sin, and the book, take radians."
    if not np.isclose(np.linalg.norm(got), np.linalg.norm(x)):
        return f"The norm changed from {np.linalg.norm(x):.3f} to {np.linalg.norm(got):.3f} for {where}: a rotation keeps it."
    return f"For {where} expected ({expected[0]:.3f}, {expected[1]:.3f}), got ({got[0]:.3f}, {got[1]:.3f})."


@exercise("3.2")
def crossed_score(answer):
    """The score of q = (1, 0) at m and k = (0, 1) at n, as an expression in m, n, theta."""
    expression = _expression(answer, {m, n, theta})
    right = sp.sin((m - n) * theta)
    if _equal(expression, right):
        return "At m = n the two are perpendicular and the score is 0; then it follows the sine of the offset."
    if _equal(expression, -right):
        raise Wrong("The sign is opposite. With m = 1, n = 0 and a small angle the query has turned towards the key: is the score positive?")
    if _equal(expression, sp.cos((m - n) * theta)):
        raise Wrong("That is the score of two equal vectors. Here q and k are perpendicular when m = n: what must the score be there?")
    if not _equal(expression.subs({m: m + s, n: n + s}, simultaneous=True), expression):
        raise Wrong("Your expression changes when m and n move together, so it cannot be the score of a rotation.")
    raise Wrong("It depends on the offset alone, as it must, but try m = 1, n = 0, theta = π/2: the query lies on the key and the score is 1.")


@exercise("3.3")
def two_factors(answer):
    """A pair (a, b): real expressions a in m and b in n, not constant, with a*b a function of m - n."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Wrong("Give a pair (a, b) of expressions, a in m and b in n.")
    a, b = _expression(answer[0], {m}), _expression(answer[1], {n})
    if not a.has(m) or not b.has(n):
        raise Wrong("One of your factors is constant: then the position has left no trace in it.")
    if not (a * b).is_real:
        raise Wrong(f"Both factors must be real numbers for real positions; {a * b} need not be.")
    if not _equal((a * b).subs({m: m + s, n: n + s}, simultaneous=True), a * b):
        raise Wrong(f"Move both positions by s: a*b becomes {sp.simplify((a * b).subs({m: m + s, n: n + s}, simultaneous=True))}. What must b undo?")
    return "The wish holds, and yet the norms run away: this is the family that keeping the norm rules out."


@exercise("3.4")
def aimed_key(answer):
    """A complex expression k in r and theta such that the score with q = 1 peaks at m - n = r, with |k| = 1."""
    key = _expression(answer, {r, theta})
    for offset, angle in ((3, 0.4), (-2, 0.5), (1, 1.3)):
        value = complex(key.subs({r: offset, theta: angle}))
        if abs(abs(value) - 1) > 1e-9:
            raise Wrong(f"For r = {offset}, theta = {angle} your key has norm {abs(value):.3f}; it must have norm 1.")
        score = (np.conj(value) * np.exp(1j * offset * angle)).real
        if score < 1 - 1e-9:
            mirrored = (np.conj(value) * np.exp(-1j * offset * angle)).real > 1 - 1e-9
            side = " It peaks at −r: the key must be turned ahead, to where the query will be." if mirrored else ""
            raise Wrong(f"For r = {offset}, theta = {angle} the score at m − n = r is {score:.3f}, and 1 is possible.{side}")
    return "A key can be built to answer best at any offset: a rotation does not force attention to fade with distance."


@exercise("3.5")
def detector(answer):
    """A function (f, rng) -> bool that says whether an encoder f(x, m) keeps the wish for random words and shifts."""
    for name, encoder, keeps in ENCODERS:
        said = call(answer, encoder, np.random.default_rng(0))
        if bool(said) != keeps:
            verb, fact = ("rejected", "keeps") if keeps else ("accepted", "breaks")
            raise Wrong(f"Your test {verb} an encoder that {fact} the wish: {name}. {_detector_hint(name)}")
    return f"It judged {len(ENCODERS)} encoders rightly, and it never asked how they were written."


def _detector_hint(name):
    if name.startswith("rotation"):
        return "Is your tolerance too tight, or do you compare with one particular formula?"
    return "Use several random words, positions and shifts, so that nothing cancels by luck, and shift both positions."


def _spin(x, angle):
    return np.array([x[0] * np.cos(angle) - x[1] * np.sin(angle), x[0] * np.sin(angle) + x[1] * np.cos(angle)])


ENCODERS = (
    ("rotation by +0.3 m", lambda x, at: _spin(x, 0.3 * at), True),
    ("rotation by −2.1 m", lambda x, at: _spin(x, -2.1 * at), True),
    ("rotation by 0, no position at all", lambda x, at: np.array(x), True),
    ("adding a vector that turns with m", lambda x, at: x + np.array([np.cos(at), np.sin(at)]), False),
    ("scaling by 1.1 to the m", lambda x, at: 1.1**at * x, False),
    ("rotation by 0.01 m squared, whose steps grow", lambda x, at: _spin(x, 0.01 * at**2), False),
    ("rotating only words of positive first entry", lambda x, at: _spin(x, 0.3 * at) if x[0] > 0 else np.array(x), False),
    ("turning by m, then rounding to one decimal", lambda x, at: np.round(_spin(x, at), 1), False),
)


def _expression(answer, allowed):
    try:
        expression = sp.sympify(answer)
    except (sp.SympifyError, TypeError):
        raise Wrong(f"Expected a SymPy expression, got {type(answer).__name__}.") from None
    if not isinstance(expression, sp.Expr):
        raise Wrong(f"Expected a SymPy expression, got {type(expression).__name__}.")
    # Symbols are compared by name: a reader's own Symbol("theta"), not declared real, means the same thing.
    by_name = {symbol.name: symbol for symbol in allowed}
    expression = expression.subs({symbol: by_name.get(symbol.name, symbol) for symbol in expression.free_symbols})
    if strange := expression.free_symbols - allowed:
        raise Wrong(f"Use only {', '.join(sorted(by_name))}; I also see {', '.join(sorted(map(str, strange)))}.")
    return expression


def _equal(one, other):
    return sp.simplify(one - other) == 0

"""Two layouts, one rotation: rows of projections reordered for the other layout, and a detector for black boxes.

Letters of shapes: H heads, D head dimension, C model width, R the first features of a head that turn (R = D unless the
rotary is partial). Interleaved pairs are (2i, 2i+1), half-split pairs (i, i + R/2), i = 0 … R/2 − 1. NumPy only; tensors are
read through a detached copy on the CPU.
"""

import operator
from dataclasses import dataclass, field

import numpy as np

from ropebook.rotation import rotate as rotate_interleaved
from ropebook.rotation import rotate_half_split, to_half_split, to_interleaved

POSITIONS = (1, 2, 4, 8, 16, 32, 64)  # tokens; doubling, so that each angle can be unwrapped with the one before
FRESH = (3, 21, 61)  # tokens; positions that the speeds were not measured at
NOTHING = 2.0**-40  # a one-hot vector has nothing to round against: what is smaller did not move


@dataclass(frozen=True, eq=False)
class Layout:
    """What `detect` found; R = rotated.

    layout   "interleaved", pairs (2i, 2i+1), or "half-split", pairs (i, i + R/2); one pair alone is called interleaved
    sign     +1 if position m turns the first feature of a pair towards the second, −1 if away from it
    rotated  R, how many features turn: the first R; the others pass through
    base     b of theta[i] = theta[0] * b ** (-2 i / R), or None if the speeds are not geometric or there is one alone
    theta    (R/2,) float64, the measured speeds, positive, radians per token; read-only
    """

    layout: str
    sign: int
    rotated: int
    base: float | None
    theta: np.ndarray = field(repr=False)


def head_rows_to_half_split(weight, heads, rotated=None):
    """Rows of W_q or W_k of an interleaved model, reordered head by head for a half-split model with the same scores.

    weight   (H·D, C) or a bias (H·D,); the rows of one head stand together (cut a fused query_key_value first)
    heads    H, the heads of this projection: for W_k of grouped-query attention the key heads
    rotated  R, the first features of each head that turn, even; None for all D
    returns  shape and dtype of weight, a NumPy copy; `head_rows_to_interleaved` undoes it exactly
    raises   ValueError if the rows do not split into heads, or R is odd or above D, naming both numbers
    source   chapter 06; W_v and the output projection stay as they are, for values are not rotated
    """
    return _reorder_heads(to_half_split, weight, heads, rotated)


def head_rows_to_interleaved(weight, heads, rotated=None):
    """Rows of W_q or W_k of a half-split model, reordered for an interleaved one; undoes `head_rows_to_half_split`.

    weight   (H·D, C) or a bias (H·D,)
    heads    H, the heads of this projection
    rotated  R, the first features of each head that turn, even; None for all D
    returns  shape and dtype of weight, a NumPy copy
    raises   ValueError as `head_rows_to_half_split`
    source   chapter 06
    """
    return _reorder_heads(to_interleaved, weight, heads, rotated)


def detect(rotate, head_dim, unit=2.0**-24):
    """Layout, sign, extent, base and speeds of a rotation that can only be called.

    Speeds are read as angles at positions 1, 2, 4, …, 64, so they must lie under π radians a token: a faster one is the same
    as a slower one the other way round. A pair slower than 2⁻⁴⁰ radians a token counts as passing through.

    rotate    rotate(x, position) → (D,): one vector x (D,) float64 at an integer position; an array or a tensor
    head_dim  D, at least 2
    unit      unit roundoff of the box's arithmetic; 2⁻²⁴ is float32's
    returns   Layout
    raises    ValueError that says what was seen, if the box is no rotary rotation: position 0 must change nothing, norms stay,
              features turn in pairs of one layout, all one way, by angles proportional to the position whatever x is
    source    chapter 06
    """
    head_dim = _whole("head_dim", head_dim, 2)
    before, after = (_matrix(rotate, m, head_dim) for m in (0, 1))
    _position_zero_is_still(before, unit)
    _norms_stay(after, 1, unit)
    pairs = _pairs(after)
    layout = _name(pairs, head_dim)
    speeds = _speeds(_unwrapped(rotate, pairs, head_dim), pairs, unit)
    sign, theta = _one_way(speeds, pairs), np.abs(speeds)
    theta.setflags(write=False)
    found = Layout(layout, sign, 2 * len(pairs), _base(theta, unit), theta)
    _holds_for_other_vectors(rotate, found, head_dim, unit)
    return found


def _reorder_heads(reorder, weight, heads, rotated):
    weight, heads = _array(weight), _whole("heads", heads, 1)
    if weight.ndim == 0 or weight.shape[0] == 0 or weight.shape[0] % heads:
        raise ValueError(f"weight of shape {weight.shape} does not split into {heads} heads of equally many rows")
    head_dim = weight.shape[0] // heads
    rotated = head_dim if rotated is None else _whole("rotated", rotated, 0)
    if rotated % 2 or rotated > head_dim:
        raise ValueError(f"rotated must be even and at most head_dim = {head_dim}, got {rotated}")
    order = np.arange(head_dim)
    order[:rotated] = reorder(order[:rotated])
    return weight.reshape(heads, head_dim, *weight.shape[1:])[:, order].reshape(weight.shape)  # (H, D, C) on the way


def _array(values):
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _whole(name, value, least):
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def _call(rotate, x, position):
    """rotate(x, position) as float64 (D,), on a copy of x, after a look at its shape and values."""
    out = _array(rotate(x.copy(), position))
    if out.shape != x.shape:
        raise ValueError(f"rotate returned shape {out.shape} for x of shape {x.shape}")
    if np.iscomplexobj(out) or not np.isfinite(out).all():
        raise ValueError(f"rotate must return finite real numbers, got {out} at position {position}")
    return out.astype(np.float64)


def _matrix(rotate, position, head_dim):
    """What the box does to the one-hot vectors: column j is rotate(e_j, position), (D, D)."""
    return np.stack([_call(rotate, one_hot, position) for one_hot in np.eye(head_dim)], axis=-1)


def _norms_stay(matrix, position, unit):
    norms = np.linalg.norm(matrix, axis=0)  # (D,)
    worst = np.abs(norms - 1).argmax()
    if abs(norms[worst] - 1) > 8 * unit:
        raise ValueError(f"norms change: the one-hot vector of feature {worst} has norm {norms[worst]:.6g} at position {position}")


def _position_zero_is_still(matrix, unit):
    _norms_stay(matrix, 0, unit)
    change = np.abs(matrix - np.eye(len(matrix))).max(axis=0)  # (D,)
    if change.max() > 8 * unit:
        raise ValueError(f"position 0 changes feature {change.argmax()} by {change.max():.3g}; a rotary rotation leaves it")


def _pairs(matrix):
    """The pairs (a, b), a < b, of features that move into each other at position 1, in the order of a."""
    moved = (np.abs(matrix) > NOTHING) & ~np.eye(len(matrix), dtype=bool)  # [b, a]: a moves into b
    if not moved.any():
        raise ValueError("no feature turns at position 1")
    for a, into in enumerate(moved.T):
        if into.sum() > 1 or (into != moved[a]).any():
            to, back = np.flatnonzero(into).tolist(), np.flatnonzero(moved[a]).tolist()
            raise ValueError(f"at position 1 feature {a} moves into {to}, and into it moves {back}: no pair")
    return [(a, b) for a, b in np.argwhere(moved).tolist() if a < b]


def _name(pairs, head_dim):
    half = len(pairs)
    if pairs == [(2 * i, 2 * i + 1) for i in range(half)]:
        return "interleaved"
    if pairs == [(i, i + half) for i in range(half)]:
        return "half-split"
    shown = ", ".join(map(str, pairs[:4])) + (", …" if half > 4 else "")
    raise ValueError(f"of {head_dim} features the pairs {shown} turn: neither interleaved nor half-split within the first {2 * half}")


def _unwrapped(rotate, pairs, head_dim):
    """The angle of every pair at every one of POSITIONS, (P, R/2), whole turns included, radians."""
    first, second = np.array(pairs).T
    rows = []
    for m in POSITIONS:
        turned = np.stack([_call(rotate, x, m) for x in np.eye(head_dim)[first]])  # (R/2, D)
        each = np.arange(len(pairs))
        angle = np.arctan2(turned[each, second], turned[each, first])  # within one turn
        expected = 2 * rows[-1] if rows else angle  # each position is twice the one before
        rows.append(angle + 2 * np.pi * np.round((expected - angle) / (2 * np.pi)))
    return np.stack(rows)


def _speeds(angle, pairs, unit):
    """Least-squares slope of each pair's angle against the position, (R/2,); each angle must be m times the first.

    float32 rounds the product mθ once and cos and sin once each: under 3 unit roundoffs of either angle, 8 allowed for both.
    """
    m = np.array(POSITIONS, dtype=np.float64)
    line = m[:, None] * angle[0]  # (P, R/2)
    away = np.abs(angle - line) > 8 * unit * np.abs(line)
    if away.any():
        j, i = np.argwhere(away)[0]
        seen = f"pair {pairs[i]} turns by {angle[0, i]:.6g} at 1 and by {angle[j, i]:.6g} at {POSITIONS[j]}"
        raise ValueError(f"angles are not proportional to the position: {seen}")
    return m @ angle / (m @ m)


def _one_way(speeds, pairs):
    back = [pair for pair, speed in zip(pairs, speeds) if speed < 0]
    if 0 < len(back) < len(pairs):
        raise ValueError(f"of {len(pairs)} pairs {len(back)} turn backwards, such as {back[0]}: signs are mixed, or a speed is above π")
    return -1 if back else 1


def _base(theta, unit):
    """b of the least-squares line through (i, ln theta[i]), whose slope is −2 ln(b) / R; None if the speeds leave it.

    A float32 speed errs by 3 roundoffs where it is measured, 3 where it is computed, and ln(b) · 2i/R = |ln theta| where its
    exponent is rounded; the residual of a line is at most 3 times the largest error (its hat matrix has norm under 2).
    """
    if len(theta) < 2:
        return None
    i, log = np.arange(len(theta)) - (len(theta) - 1) / 2, np.log(theta)
    slope = i @ log / (i @ i)
    if np.abs(log - log.mean() - slope * i).max() > 3 * unit * (6 + np.abs(log).max()):
        return None
    return float(np.exp(-slope * len(theta)))


def _holds_for_other_vectors(rotate, found, head_dim, unit):
    """Two vectors of different length, at positions old and new, turn as the one-hot vectors foretell."""
    turn = rotate_interleaved if found.layout == "interleaved" else rotate_half_split
    short, long = np.random.default_rng(6).standard_normal((2, head_dim)) * [[1], [-10]]
    for x in (short, long):
        for m in POSITIONS + FRESH:
            expected = x.copy()
            expected[: found.rotated] = turn(x[None, : found.rotated], [m], found.sign * found.theta)[0]
            error = np.linalg.norm(_call(rotate, x, m) - expected) / np.linalg.norm(x)
            if error > 8 * unit * (1 + m * found.theta.max()):
                seen = f"a random x at position {m} ends {error:.3g} |x| away from there"
                raise ValueError(f"one-hot vectors turn as {found.layout} pairs, but {seen}")

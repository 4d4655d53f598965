"""For the checkers of chapters 07 and 07b: reading answers that are tensors, and the rotation with the mistakes that it invites."""

import torch

from ropebook.exercises import Wrong
from ropebook.frequencies import frequencies

CLOSE = 1e-4  # at positions up to 30 float32 angles are off by 1e-5, mistakes by hundredths at least


def checked(got, shape, dtype, name, not_a_number=""):
    """The reader's tensor in float64, once its type, shape and dtype are right and its numbers are numbers."""
    if not isinstance(got, torch.Tensor):
        raise Wrong(f"Expected a tensor for {name}, got {type(got).__name__}.")
    if got.is_complex():
        raise Wrong("Expected real numbers, got complex ones. torch.view_as_real gives their two parts back, in a last axis of 2.")
    if tuple(got.shape) != tuple(shape):
        raise Wrong(f"For {name} the shape should be {tuple(shape)}; yours is {tuple(got.shape)}.")
    if got.dtype != dtype:
        raise Wrong(f"For {name} the dtype should be {short(dtype)}; yours is {short(got.dtype)}. Cast at the end.")
    if got.isnan().any():
        raise Wrong(f"For {name} some of your numbers are not a number. {not_a_number}".rstrip())
    return got.detach().double()


def short(dtype):
    """torch.bfloat16 → "bfloat16"."""
    return str(dtype).removeprefix("torch.")


def same(one, other):
    """Whether two float64 tensors are the same but for rounding; a mistake that does not apply, None, is not."""
    return other is not None and one.shape == other.shape and torch.allclose(one, other, rtol=1e-6, atol=CLOSE)


def speeds(head_dim, base=10000.0):
    """theta (D/2,) in float64."""
    return torch.from_numpy(frequencies(head_dim, base))


def angles_of(positions, theta):
    """(T, D/2) for positions (T,), (B, 1, T, D/2) for positions (B, T)."""
    at = positions.double()[..., None]
    return (at[:, None] if positions.ndim == 2 else at) * theta


def turned(x, angles, half_split=False):
    """x (..., D) in float64 with pair i turned by angles (..., D/2)."""
    first, second = x.detach().double().unflatten(-1, (2, -1) if half_split else (-1, 2)).unbind(-2 if half_split else -1)
    pairs = first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()
    return torch.stack(pairs, dim=-2 if half_split else -1).flatten(-2)


def slack(x, angles, dtype, angle_unit=2.0**-53, roundings=3):
    """How far from exact each entry of x (..., D), turned in dtype by angles (..., D/2), may be: (..., D).

    Of a pair of length r. The angle is off by up to 64 units, relative: a speed is the exponential of at most ln(base) = 13,
    rounded up to four times, and the product adds a few. That moves the pair by r times the angle's error. The cosine and sine
    (half a unit each, so r/√2), the products and their sum (r each) are rounded: 3 units of r. Where only the result is rounded to
    dtype it is one.
    """
    r = x.detach().double().unflatten(-1, (-1, 2)).norm(dim=-1)  # (..., D/2)
    unit = torch.finfo(dtype).eps / 2
    return (r * (64 * angle_unit * (1 + angles.abs()) + roundings * unit)).repeat_interleave(2, dim=-1)


def why_not_turned(x, positions, base, got):
    """The lesson of the mistake that explains the answer `got` (B, H, T, D), or where it is wrong."""
    if lesson := next((lesson for lesson, wrong in MISTAKES if same(got, wrong(x, positions, base))), None):
        return lesson
    return where(x, positions, turned(x, angles_of(positions, speeds(x.shape[-1], base))), got)


def where(x, positions, right, got):
    """The worst entry, in words."""
    b, h, t, j = (part.item() for part in torch.unravel_index((got - right).abs().argmax(), x.shape))
    place = positions[t] if positions.ndim == 1 else positions[b, t]
    return (f"in the row at position {place} (text {b}, head {h}, word {t}), entry {j} should be {right[b, h, t, j]:.3f}; "
            f"yours is {got[b, h, t, j]:.3f}.")


def _by(change_positions=lambda at: at, change_theta=lambda theta: theta, half_split=False):
    """The rotation with other positions, other speeds or other pairs."""
    return lambda x, at, base: turned(x, angles_of(change_positions(at), change_theta(speeds(x.shape[-1], base))), half_split)


def _powers(exponents):
    """The rotation with speeds base ** exponents(i, x)."""
    return lambda x, at, base: turned(x, angles_of(at, base ** exponents(torch.arange(x.shape[-1] // 2).double(), x)))


def _along(axis):
    """Positions (T,) that are taken for those of the batch or of the heads."""

    def wrong(x, at, base):
        if at.ndim == 2 or x.shape[axis] != len(at):
            return None
        return turned(x.transpose(axis, 2), angles_of(at, speeds(x.shape[-1], base))).transpose(axis, 2)
    return wrong


def _aligned_from_the_right(x, at, base):
    """Angles (B, T, D/2) without an axis for the heads: where B = H, head h is turned as text h should be."""
    if at.ndim == 1 or x.shape[0] != x.shape[1]:
        return None
    return turned(x, at.double()[..., None] * speeds(x.shape[-1], base))


def _first_row(x, at, base):
    return turned(x, angles_of(at[0], speeds(x.shape[-1], base))) if at.ndim == 2 else None


def _with(spread, quarter):
    """x cos + quarter sin, its angles spread over the entries by `spread` and its other half made by `quarter`."""

    def wrong(x, at, base):
        angles = spread(angles_of(at, speeds(x.shape[-1], base)))  # (..., T, D)
        return x.double() * angles.cos() + quarter(x.double()) * angles.sin()
    return wrong


def _repeat(angles):
    return angles.repeat_interleave(2, dim=-1)


def _tile(angles):
    return torch.cat([angles, angles], dim=-1)


def _neighbours(x, sign=-1):
    return torch.stack([sign * x[..., 1::2], x[..., 0::2]], dim=-1).flatten(-2)


def _halves(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def _overwritten(x, at, base):
    angles, out = angles_of(at, speeds(x.shape[-1], base)), x.double().clone()
    out[..., 0::2] = out[..., 0::2] * angles.cos() - out[..., 1::2] * angles.sin()
    out[..., 1::2] = out[..., 0::2] * angles.sin() + out[..., 1::2] * angles.cos()
    return out


MISTAKES = (  # lesson, wrong(x, positions, base)
    ("you turn the other way: look at the sign of the sine.", _by(change_positions=lambda at: -at)),
    ("your exponent is −i/D. A pair has two entries, so it is −2i/D.", _powers(lambda i, x: -i / x.shape[-1])),
    ("your i starts at 1. The first pair has i = 0 and turns by 1 radian per token.", _powers(lambda i, x: -2 * (i + 1) / x.shape[-1])),
    ("your exponent is divided by the width of all heads. D is the features of one.",
     _powers(lambda i, x: -2 * i / (x.shape[-1] * x.shape[1]))),
    ("your last speed is 1/b. The last pair has i = D/2 − 1 and stops short of it.", _powers(lambda i, x: -i / (x.shape[-1] // 2 - 1))),
    ("your speeds grow from pair to pair. Is the minus sign of the exponent there?", _powers(lambda i, x: 2 * i / x.shape[-1])),
    ("you turn at the speeds of base 10000, whatever base says. Use the argument.", lambda x, at, base: _by()(x, at, 10000.0)),
    ("your pairs are (i, i + D/2). In this book's default layout neighbours pair up: (0, 1), (2, 3), …", _by(half_split=True)),
    ("neighbours pair up, but your angles suit halves. Two entries of a pair share an angle: repeat_interleave, not cat.",
     _with(_tile, _neighbours)),
    ("your angles suit neighbours, but the entries that you swap are (i, i + D/2).", _with(_repeat, _halves)),
    ("both sines carry a plus: in a turn the first entry of each pair gets minus the second.", _with(_repeat, lambda x: _neighbours(x, 1))),
    ("those are the cosines' parts; the sines' are missing.", _with(_repeat, torch.zeros_like)),
    ("the second entries are made from first ones that are already turned. Keep the old ones until both are done.", _overwritten),
    ("you number the words 0, 1, 2, … The caller says where each stands: use positions.", _by(lambda at: torch.arange(at.shape[-1]))),
    ("you turn all words by the position of the first. Each has its own: give positions another axis.",
     _by(lambda at: at[..., :1].expand(at.shape))),
    ("every row is one token too far: a row at position 0 stays as it is.", _by(lambda at: at + 1)),
    ("you turn all texts by the positions of the first. Positions (B, T) have a row for each text.", _first_row),
    ("you turn text b by positions[b]. Positions (T,) belong to the words, the axis before the last.", _along(0)),
    ("you turn head h by positions[h]. Positions (T,) belong to the words, the axis before the last.", _along(1)),
    ("with as many heads as texts, head h of every text is turned as text h should be: angles (B, T, D/2) are lined up from the right. "
     "Give them an axis for the heads, (B, 1, T, D/2).", _aligned_from_the_right),
    ("your angles are taken for degrees. Positions times theta are radians.", _by(change_theta=torch.deg2rad)),
    ("cosine and sine have changed places: at position 0 a row stays as it is.",
     lambda x, at, base: turned(x, torch.pi / 2 - angles_of(at, speeds(x.shape[-1], base)))),
    ("every row comes back as it was.", _by(lambda at: 0 * at)),
)

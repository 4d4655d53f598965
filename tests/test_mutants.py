"""The claims catch wrong RoPEs: every one-token edit of the library's own source below fails at least one of them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from mutation import failures, mutated
from rotation_claims import CLAIMS
from test_rotation import on_tensors

import ropebook

SOURCE = Path(ropebook.__file__).parent

# (file, the line's text, the edited text); the text occurs once in the file
NUMPY = [
    ("frequencies.py", "** (-2.0 *", "** (2.0 *"),  # the sign of the exponent
    ("frequencies.py", "(-2.0 *", "(-1.0 *"),  # i/d for 2i/d
    ("frequencies.py", "np.arange(head_dim // 2) / head_dim", "np.arange(head_dim // 2) / 64"),
    ("frequencies.py", "np.arange(head_dim // 2)", "np.arange(1, head_dim // 2 + 1)"),  # i from 1 with the exponent for i from 0
    ("frequencies.py", "float(base)", "float(10000.0)"),  # base ignored
    ("frequencies.py", "head_dim % 2:", "head_dim % 1:"),  # odd dimensions pass
    ("frequencies.py", "not math.isfinite(base) or", "False or"),
    ("frequencies.py", "base <= 0", "base < 0"),
    ("rotation.py", "positions[:, None] * theta", "positions[:, None] + theta"),
    ("rotation.py", "positions[:, None] * theta", "positions[:, None] * 1"),  # one speed for all pairs
    ("rotation.py", "positions[:, None] * theta", "positions[:, None] ** 2 * theta"),
    ("rotation.py", "positions[:, None] * theta", "-positions[:, None] * theta"),  # the sign of the angle
    ("rotation.py", "positions[:, None] * theta", "np.float32(positions[:, None]) * np.float32(theta)"),
    ("rotation.py", "positions[:, None] * theta", "positions[:1, None] * theta"),  # every row at the first position
    ("rotation.py", "out[..., 0::2] = first * cos - second * sin", "out[..., 0::2] = first * cos + second * sin"),
    ("rotation.py", "out[..., 1::2] = first * sin + second * cos", "out[..., 1::2] = first * sin - second * cos"),
    ("rotation.py", "out[..., 0::2] = first * cos", "out[..., 0::2] = first * sin"),
    ("rotation.py", "out[..., 1::2] = first", "out[..., 1::2] = second"),
    ("rotation.py", "out[..., 1::2] =", "out[..., 0::2] ="),
    ("rotation.py", "first, second = x[..., 0::2], x[..., 1::2]", "first, second = np.split(x, 2, axis=-1)"),  # half-split in, interleaved out
    ("rotation.py", "out = np.empty_like(x)", "out = x"),  # the caller's array overwritten
    ("rotation.py", "first, second = np.split(x, 2, axis=-1)", "first, second = x[..., 0::2], x[..., 1::2]"),
    ("rotation.py", "np.concatenate([first * cos - second", "np.concatenate([first * cos + second"),
    ("rotation.py", "first * sin + second * cos], axis", "second * sin + first * cos], axis"),
    ("rotation.py", "2 * angle.shape[1]:", "x.shape[-1]:"),  # a wrong number of frequencies goes on
    ("rotation.py", "x.shape[-2] != angle.shape[0]:", "angle.shape[0] not in (1, x.shape[-2]):"),  # one position for all rows
    ("rotation.py", "if not np.isfinite(values).all():", "if False:"),
    ("rotation.py", "np.issubdtype(x.dtype, np.floating)", "np.issubdtype(x.dtype, np.number)"),
    ("rotation.py", "np.cos(angle).astype(x.dtype)", "np.cos(angle.astype(x.dtype))"),  # the angle rounded, not its cosine
]
TORCH = [
    ("rotation_torch.py", "pairs * table", "pairs * table.conj()"),
    ("rotation_torch.py", "pairs * table", "pairs + table"),
    ("rotation_torch.py", "pairs * table", "pairs * table[:1]"),
    ("rotation_torch.py", "real.unflatten(-1, (-1, 2))", "real.unflatten(-1, (2, -1)).mT.contiguous()"),
    ("rotation_torch.py", "torch.ones_like(angle), angle", "torch.ones_like(angle), -angle"),
    ("rotation_torch.py", "torch.polar(torch.ones_like(angle), angle)", "torch.polar(torch.ones_like(angle.float()), angle.float())"),
    ("rotation_torch.py", "x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)", "x"),
    ("rotation_torch.py", "to_half_split(rotate(to_interleaved(x), positions, theta))", "rotate(to_interleaved(x), positions, theta)"),
]


def mutant(file, old, new):
    """The NumPy level with one edit in one file, as a namespace; the file's other names as they are."""
    names = mutated(SOURCE / file, old, new)
    if file == "rotation_torch.py":
        names = {name: on_tensors(names[name]) for name in ("rotate", "rotate_half_split")}
    pick = lambda name: names.get(name, getattr(ropebook, name))
    return SimpleNamespace(**{name: pick(name) for name in ("frequencies", "rotate", "rotate_half_split")})


@pytest.mark.parametrize("file, old, new", NUMPY + TORCH, ids=[f"{old} → {new}" for _, old, new in NUMPY + TORCH])
def test_mutant_is_caught(file, old, new):
    expected = {"bad_input_is_refused"} if file == "rotation_torch.py" else set()  # torch refuses in its own words
    assert set(failures(mutant(file, old, new), CLAIMS)) - expected, f"no claim notices {new!r} for {old!r} in {file}"


def test_unmutated_source_passes():
    """The harness itself breaks nothing: an edit that changes no meaning fails no claim."""
    assert failures(mutant("rotation.py", "out = np.empty_like(x)", "out = np.zeros_like(x)"), CLAIMS) == []
    assert failures(mutant("frequencies.py", "(-2.0 *", "(0 - 2.0 *"), CLAIMS) == []

"""The claims of rotation_claims.py about the book's own code, and its agreement with references of both layouts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rotation_claims import CLAIMS, EPS, bad_input_is_refused, normal, refuse, rounding

import ropebook
from ropebook import rotation_torch

POSITIONS = [0, 1, 2, 511]


def on_tensors(function):
    """A torch rotation as a function of NumPy arrays."""
    return lambda x, positions, theta: function(torch.from_numpy(np.asarray(x)), positions, theta).numpy()


TORCH = SimpleNamespace(
    frequencies=ropebook.frequencies,
    rotate=on_tensors(rotation_torch.rotate),
    rotate_half_split=on_tensors(rotation_torch.rotate_half_split),
)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_numpy(claim):
    claim(ropebook)


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c is not bad_input_is_refused], ids=lambda claim: claim.__name__)
def test_torch(claim):  # its refusals are in test_torch_refuses
    claim(TORCH)


def test_matrix_is_the_rotation():
    """rotation_matrix(m) @ x equals rotate, is orthogonal, and R_mᵀ R_n = R_{n−m} (eq. 16)."""
    theta = ropebook.frequencies(8)
    x = normal(8)
    for m, n in ((0, 0), (3, 10), (-4, 2.5)):
        R_m, R_n = ropebook.rotation_matrix(m, theta), ropebook.rotation_matrix(n, theta)
        np.testing.assert_allclose(R_m @ x, ropebook.rotate(x[None], [m], theta)[0], atol=np.linalg.norm(x) * rounding(8, 0))
        np.testing.assert_allclose(R_m.T @ R_n, ropebook.rotation_matrix(n - m, theta), atol=rounding(8, 30))
        np.testing.assert_allclose(R_m.T @ R_m, np.eye(8), atol=rounding(8, 0))


def test_layouts_are_a_reordering():
    """Reorder, rotate half-split, reorder back: the interleaved rotation, exactly; and not without the reordering."""
    x, theta, positions = normal(2, 4, 8), ropebook.frequencies(8), [1, 5, 2, 9]
    there = ropebook.rotate_half_split(ropebook.to_half_split(x), positions, theta)
    np.testing.assert_array_equal(ropebook.to_interleaved(there), ropebook.rotate(x, positions, theta))
    np.testing.assert_array_equal(ropebook.to_half_split(np.arange(6)), [0, 2, 4, 1, 3, 5])
    np.testing.assert_array_equal(ropebook.to_interleaved(np.arange(6)), [0, 3, 1, 4, 2, 5])
    assert np.abs(ropebook.rotate_half_split(x, positions, theta) - ropebook.rotate(x, positions, theta)).max() > 0.1
    for reorder in (ropebook.to_half_split, ropebook.to_interleaved):
        refuse(lambda: reorder(np.zeros(7)), "7")


def test_torch_equals_numpy():
    x, theta = normal(2, 3, 4, 16), ropebook.frequencies(16)
    for name in ("rotate", "rotate_half_split"):
        ours, theirs = getattr(ropebook, name)(x, POSITIONS, theta), getattr(TORCH, name)(x, POSITIONS, theta)
        np.testing.assert_allclose(ours, theirs, atol=np.abs(x).max() * rounding(2, 0))


def test_torch_gradient_is_the_rotation_back():
    """d(rotate)/dx is orthogonal, so the gradient of w · rotate(x) is w turned by −m theta."""
    theta = ropebook.frequencies(8)
    x, weight = map(torch.from_numpy, normal(2, 4, 8))
    x.requires_grad_()
    (rotation_torch.rotate(x, POSITIONS, theta) * weight).sum().backward()
    back = rotation_torch.rotate(weight, [-p for p in POSITIONS], theta)
    torch.testing.assert_close(x.grad, back, rtol=0, atol=np.sqrt(2) * float(weight.abs().max()) * rounding(2, 0))
    assert torch.autograd.gradcheck(lambda t: rotation_torch.rotate_half_split(t, POSITIONS, theta), (x,))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_the_result_only(dtype):
    """The rotation of half-precision rows is computed in float32: the error is the rounding of the result."""
    x = torch.from_numpy(normal(4, 64)).to(dtype)
    positions, theta = [8000, 16001, 65537, 131071], ropebook.frequencies(64)
    got = rotation_torch.rotate(x, positions, theta)
    exact = rotation_torch.rotate(x.double(), positions, theta)
    assert got.dtype == dtype
    assert ((got.double() - exact).abs() <= 1.01 * torch.finfo(dtype).eps / 2 * exact.abs() + 6 * 2.0**-24 * 6).all()


def test_torch_refuses():
    x, theta = torch.from_numpy(normal(3, 8)), ropebook.frequencies(8)
    for turn in (rotation_torch.rotate, rotation_torch.rotate_half_split):
        refuse(lambda: turn(x[:, :6], range(3), theta), "6", "8")
        refuse(lambda: turn(x, range(4), theta), "3", "4")
        refuse(lambda: turn(x, [0, 1, float("nan")], theta), "nan")
        refuse(lambda: turn(x[0], [1], theta), "(8,)")
        refuse(lambda: turn(x.long(), range(3), theta), "int64")
    refuse(lambda: rotation_torch.rotate_half_split(x[:, :7], range(3), theta), "7")
    refuse(lambda: rotation_torch.rotation_table(range(3), theta, torch.bfloat16), "bfloat16", "float32")
    refuse(lambda: rotation_torch.apply_table(x, rotation_torch.rotation_table(range(3), theta)), "float64", "complex64")
    refuse(lambda: rotation_torch.apply_table(x.to("meta"), rotation_torch.rotation_table(range(3), theta)), "meta", "cpu")


def test_table_is_cast_once_from_float64():
    """Every entry is the float32 nearest to the float64 value, at any position."""
    theta, positions = ropebook.frequencies(64), [4096, 131071]
    exact = np.exp(1j * ropebook.angles(positions, theta))
    table = rotation_torch.rotation_table(positions, theta).numpy()
    assert np.abs(table.real - exact.real).max() <= 2.0**-25 + 2 * EPS
    assert np.abs(table.imag - exact.imag).max() <= 2.0**-25 + 2 * EPS


def hugging_face_roformer(x, positions):
    """Interleaved reference: table from RoFormerSinusoidalPositionalEmbedding, rotation from RoFormerSelfAttention."""
    from transformers.models.roformer import modeling_roformer as hf

    embedding = hf.RoFormerSinusoidalPositionalEmbedding(512, x.shape[-1])
    embedding.weight = torch.nn.Parameter(embedding.create_weight(), requires_grad=False)
    table = embedding.weight[torch.tensor(positions)][None, None]
    turned, _ = hf.RoFormerSelfAttention.apply_rotary_position_embeddings(table, x, x)
    return turned


def hugging_face_llama(x, positions):
    """Half-split reference: LlamaRotaryEmbedding and apply_rotary_pos_emb."""
    from transformers.models.llama import modeling_llama as hf

    B, H, T, D = x.shape
    config = hf.LlamaConfig(hidden_size=H * D, num_attention_heads=H, head_dim=D, max_position_embeddings=512)
    cos, sin = hf.LlamaRotaryEmbedding(config)(x, torch.tensor(positions)[None])
    return hf.apply_rotary_pos_emb(x, x, cos, sin)[0]


@pytest.mark.parametrize("ours, reference, angle_error", [
    (rotation_torch.rotate, hugging_face_roformer, 0.0),
    # Llama's tables are made in float32: the frequency, the angle and the product are each rounded, 3 · 2^-24 relative.
    (rotation_torch.rotate_half_split, hugging_face_llama, 3 * 2.0**-24 * 511),
], ids=["RoFormer, interleaved", "Llama, half-split"])
def test_equals_hugging_face(ours, reference, angle_error):
    """Outputs and gradients, in float32; six float32 roundings a coordinate of a pair, plus the reference's angles."""
    values, weight = (torch.from_numpy(a).float() for a in normal(2, 2, 3, 4, 64))
    results = []
    for turn in (lambda x: ours(x, POSITIONS, ropebook.frequencies(64)), lambda x: reference(x, POSITIONS)):
        x = values.clone().requires_grad_()
        out = turn(x)
        (out * weight).sum().backward()
        results.append((out.detach(), x.grad))
    bound = np.sqrt(2) * float(max(values.abs().max(), weight.abs().max())) * (12 * 2.0**-24 + angle_error)
    for mine, theirs in zip(*results):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=bound)
    swapped = rotation_torch.rotate_half_split if ours is rotation_torch.rotate else rotation_torch.rotate
    assert (swapped(values, POSITIONS, ropebook.frequencies(64)) - results[1][0]).abs().max() > 1

"""The claims of rotation_claims.py about the book's own code, and its agreement with references of both layouts."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated
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
    refuse(lambda: rotation_torch.apply_table(x, rotation_torch.rotation_table(range(3), theta)), "float64", "float32")
    refuse(lambda: rotation_torch.apply_table(x.to("meta"), rotation_torch.rotation_table(range(3), theta)), "meta", "cpu")


def test_table_is_cast_once_from_float64():
    """Every entry is the float32 nearest to the float64 value, at any position."""
    theta, positions = ropebook.frequencies(64), [4096, 131071]
    exact = np.exp(1j * ropebook.angles(positions, theta))
    table = rotation_torch.rotation_table(positions, theta).numpy()
    assert np.abs(table.real - exact.real).max() <= 2.0**-25 + 2 * EPS
    assert np.abs(table.imag - exact.imag).max() <= 2.0**-25 + 2 * EPS


# Claims about `lib` with rotation_table and apply_table.

THETA = ropebook.frequencies(8)


def tensor(*shape, seed=0):
    return torch.from_numpy(normal(*shape, seed=seed))


def each_sequence_has_its_own_positions(lib):
    """A table (B, T, D/2) turns row t of sequence b, of every head, as a table of its position alone; B = H and T = H hide nothing."""
    for B, H, T in ((2, 2, 3), (2, 3, 3), (3, 1, 1), (1, 2, 2)):
        positions, x = np.random.default_rng(1).integers(0, 999, (B, T)), tensor(B, H, T, 8)
        table = lib.rotation_table(torch.from_numpy(positions), THETA, torch.float64)
        assert table.shape == (B, T, 4)
        turned = lib.apply_table(x, table)
        for b in range(B):
            torch.testing.assert_close(table[b], lib.rotation_table(positions[b], THETA, torch.float64), rtol=0, atol=0)
            np.testing.assert_allclose(turned[b], ropebook.rotate(x[b].numpy(), positions[b], THETA), rtol=0, atol=rounding(2, 0) * 6)


def cos_and_sin_side_by_side_are_a_table(lib):
    for positions in (range(3), [[1, 2, 3], [7, 8, 9]]):
        x, table = tensor(2, 4, 3, 8), lib.rotation_table(positions, THETA, torch.float64)
        torch.testing.assert_close(lib.apply_table(x, torch.view_as_real(table)), lib.apply_table(x, table), rtol=0, atol=0)


def memory_may_lie_as_it_likes(lib):
    """Rows of a transposed, sliced, expanded, odd-numbered or backward-strided memory, and gradients of such memory."""
    table = lib.rotation_table(range(3), THETA, torch.float64)
    for x in (tensor(2, 3, 4, 8).transpose(1, 2), tensor(4, 3, 11)[..., 2:10], tensor(4, 3, 11)[..., :8], tensor(25)[1:].view(3, 8),
              tensor(3, 16)[:, ::2], tensor(8, 3).T, tensor(1, 8).expand(3, 8)):
        before, own = x.clone(), x.contiguous().clone()
        bound = dict(rtol=0, atol=6 * rounding(2, 0))  # |x| < 4, and the two roads may fuse products and sums differently
        torch.testing.assert_close(lib.apply_table(x, table), lib.apply_table(own, table), **bound)
        torch.testing.assert_close(x, before, rtol=0, atol=0)
        weight = tensor(x.numel() + 1, seed=1)  # the gradient lies in memory from element 1 on
        (torch.cat([torch.zeros(1), lib.apply_table(own.requires_grad_(), table).flatten()]) * weight).sum().backward()
        torch.testing.assert_close(own.grad, lib.apply_table(weight[1:].view(x.shape), table.conj().resolve_conj()), **bound)


def out_is_written(lib):
    """Same numbers without fresh memory: elsewhere, over x, and among the slots of a cache, whose other slots stay."""
    for dtype in (torch.float32, torch.float64):
        for positions in (range(3), [[1, 2, 3], [7, 8, 9]]):
            x, table = tensor(2, 4, 3, 8).to(dtype), lib.rotation_table(positions, THETA, dtype)
            expected = lib.apply_table(x, table)
            for form in (table, torch.view_as_real(table)):
                slots = torch.full((2, 4, 5, 8), 7.0, dtype=dtype)
                for out in (torch.empty_like(x), slots[:, :, 1:4], x.clone()):
                    before = x.clone()
                    assert lib.apply_table(x, form, out=out) is out
                    torch.testing.assert_close(out, expected, rtol=0, atol=0)
                    torch.testing.assert_close(x, before, rtol=0, atol=0)
                assert (slots[:, :, [0, 4]] == 7).all()
                same = x.clone()
                assert lib.apply_table(same, form, out=same) is same
                torch.testing.assert_close(same, expected, rtol=0, atol=0)


def out_is_not_hidden_from_autograd(lib):
    """Where x was saved for a backward pass, overwriting it is an error, not a wrong gradient."""
    x, weight, table = tensor(3, 8), tensor(3, 8, seed=1).requires_grad_(), lib.rotation_table(range(3), THETA, torch.float64)
    loss = (x * weight).sum()
    lib.apply_table(x, table, out=x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    x.requires_grad_()
    with torch.no_grad():
        lib.apply_table(x, table, out=torch.empty(3, 8, dtype=torch.float64))
    refuse(lambda: lib.apply_table(x, table, out=torch.empty(3, 8, dtype=torch.float64)), "gradient", "no_grad")
    refuse(lambda: lib.apply_table(x.detach(), table, out=torch.empty(3, 8, dtype=torch.float64, requires_grad=True)), "gradient", "no_grad")


def misfits_are_refused(lib):
    table, wide = (lib.rotation_table(p, THETA, torch.float64) for p in (range(3), [[1, 2, 3], [7, 8, 9]]))
    refuse(lambda: lib.rotation_table([[[1.0]]], THETA), "(1, 1, 1)")
    refuse(lambda: lib.rotation_table(3, THETA), "()")
    refuse(lambda: lib.rotation_table([[1, 2], [3, float("inf")]], THETA), "inf")
    for shape in ((2, 4, 8), (3, 4, 3, 8), (1, 4, 3, 8), (2, 4, 1, 8), (2, 4, 3, 6), (2, 3, 8), (2, 2, 4, 3, 8)):
        refuse(lambda: lib.apply_table(tensor(*shape), wide), str(shape), "(2, 3, 4)", "(2, H, 3, 8)")
    refuse(lambda: lib.apply_table(tensor(1, 8), table), "(1, 8)", "(3, 4)", "(..., 3, 8)")
    refuse(lambda: lib.apply_table(tensor(3, 8), table.real), "(3, 4)", "complex")
    refuse(lambda: lib.apply_table(tensor(3, 8), table.real[:, :2]), "(3, 2)", "complex")
    refuse(lambda: lib.apply_table(tensor(3, 8), table.real[..., None]), "(3, 4, 1)", "2")
    x, like = tensor(3, 8), lambda *shape, **kind: torch.empty(*shape, **dict(dtype=torch.float64) | kind)
    refuse(lambda: lib.apply_table(x, table, out=like(1, 3, 8)), "(3, 8)", "(1, 3, 8)")
    refuse(lambda: lib.apply_table(x, table, out=like(3, 8, dtype=torch.float32)), "float64", "float32")
    refuse(lambda: lib.apply_table(x, table, out=like(3, 8, device="meta")), "cpu", "meta")
    refuse(lambda: lib.apply_table(x, table, out=like(8, 3).T), "(1, 3)")
    refuse(lambda: lib.apply_table(x, table, out=like(25)[1:].view(3, 8)), "element 1")
    refuse(lambda: lib.apply_table(x.bfloat16(), table, out=like(3, 8, dtype=torch.bfloat16)), "bfloat16", "float64")
    refuse(lambda: lib.apply_table(x.float(), table, out=like(3, 8, dtype=torch.float32)), "float32", "float64")


TABLE_CLAIMS = [each_sequence_has_its_own_positions, cos_and_sin_side_by_side_are_a_table, memory_may_lie_as_it_likes, out_is_written,
                out_is_not_hidden_from_autograd, misfits_are_refused]


# Claims about compiled code. Dynamo's own back end "eager" runs what it traced, and needs no C++ compiler. A function of `lib` is
# compiled itself, not within another: the module of a mutant is in no sys.modules, where Dynamo would look for what it calls.


def traced_numbers_are_the_same(lib):
    """The real form that is compiled equals the complex one, forward and backward; one graph, nothing in it complex."""
    seen = []

    def backend(graph, inputs):
        seen.extend(node.meta["example_value"] for node in graph.graph.nodes if "example_value" in node.meta)
        return graph.forward

    torch._dynamo.reset()
    traced = torch.compile(lib.apply_table, fullgraph=True, backend=backend)
    for dtype, unit in ((torch.float64, EPS), (torch.float32, 2.0**-24), (torch.bfloat16, 2.0**-8)):
        table = lib.rotation_table([[1, 2, 3], [7, 8, 9]], THETA, torch.float64 if dtype == torch.float64 else torch.float32)
        (x, weight), results = tensor(2, 2, 4, 3, 8).to(dtype), []
        for turn, form in ((lib.apply_table, table), (traced, torch.view_as_real(table))):
            x = x.detach().requires_grad_()
            turned = turn(x, form)
            (turned * weight).sum().backward()
            assert turned.dtype == dtype
            results.append((turned.detach(), x.grad))
        for eager, compiled in zip(*results):  # two roads of product, product, sum, rounding: 4 units each of a pair under 4√2
            torch.testing.assert_close(compiled, eager, rtol=0, atol=8 * unit * 4 * np.sqrt(2))
    assert seen and not any(isinstance(value, torch.Tensor) and value.is_complex() for value in seen)


def traced_out_is_written(lib):
    torch._dynamo.reset()
    traced = torch.compile(lib.apply_table, fullgraph=True, backend="eager")
    x, table = tensor(2, 3, 8), torch.view_as_real(lib.rotation_table(range(3), THETA, torch.float64))
    expected = lib.apply_table(x, table)
    for out in (torch.empty_like(x), x):
        traced(x, table, out)
        torch.testing.assert_close(out, expected, rtol=0, atol=8 * EPS * 4 * np.sqrt(2))


TRACED_CLAIMS = [traced_numbers_are_the_same, traced_out_is_written]


@pytest.mark.parametrize("claim", TABLE_CLAIMS + TRACED_CLAIMS, ids=lambda claim: claim.__name__)
def test_tables(claim):
    claim(rotation_torch)


TABLE_MUTANTS = [
    ("factors = factors.unsqueeze(1)", "pass"),  # the heads' axis forgotten
    ("factors.unsqueeze(1)", "factors.unsqueeze(2)"),
    ("positions.reshape(-1)", "positions.T.reshape(-1)"),
    ("if table.is_complex() else table", ""),
    (" and x.shape[0] == batch[0]", ""),
    ("x.ndim == 4 and", "x.ndim >= 4 and"),
    ("x.shape[-2:] == (T, 2 * half)", "x.shape[-2] in (1, T) and x.shape[-1] == 2 * half"),
    ("factors.ndim not in (3, 4) or factors.shape[-1] != 2", "factors.ndim not in (3, 4)"),
    ("factors.ndim not in (3, 4) or factors.shape[-1] != 2", "factors.shape[-1] != 2"),
    ("positions.ndim not in (1, 2)", "positions.ndim < 1"),
    ("step % 2 == 0 for step", "True for step"),
    ("(*pairs.stride()[:-1], pairs.storage_offset())", "pairs.stride()[:-1]"),
    ("pairs.stride(-1) == 1 and all", "all"),
    ("turned.requires_grad:", "False:"),
    ("torch.mul(_complex(pairs), _complex(factors), out=", "torch.mul(_complex(pairs), _complex(factors).conj(), out="),
    ("    return out\n\n\ndef rotate(", "    return x\n\n\ndef rotate("),
    ("torch.is_grad_enabled() and (x.requires_grad", "(x.requires_grad"),
    ("(x.requires_grad or out.requires_grad)", "x.requires_grad"),
    ("(x.requires_grad or out.requires_grad)", "out.requires_grad"),
    ("if x.dtype != factors.dtype:", "if False:"),
    ("if (out.shape, out.dtype, out.device) != (x.shape, x.dtype, x.device):", "if False:"),
    ("if not torch.compiler.is_compiling() and not _aligned(out.unflatten(-1, (-1, 2))):", "if False:"),
]
TRACED_MUTANTS = [
    ("if torch.compiler.is_compiling():", "if False:"),
    ("not torch.compiler.is_compiling() and not _aligned", "not _aligned"),  # the offset of memory cannot be traced
    ("first * cos - second * sin", "first * cos + second * sin"),
    ("first * sin + second * cos", "second * sin + first * cos"),
    ("_multiply_real(pairs, factors).flatten(-2).to(x.dtype)", "_multiply_real(pairs, factors).flatten(-2)"),
    ("turned if out is None else out.copy_(turned)", "turned"),
]


def torch_mutant(old, new):
    return SimpleNamespace(**mutated(Path(rotation_torch.__file__), old, new))


@pytest.mark.parametrize("old, new", TABLE_MUTANTS, ids=[f"{old} → {new}" for old, new in TABLE_MUTANTS])
def test_table_mutant_is_caught(old, new):
    assert failures(torch_mutant(old, new), TABLE_CLAIMS), f"no claim notices {new!r} for {old!r}"


@pytest.mark.parametrize("old, new", TRACED_MUTANTS, ids=[f"{old} → {new}" for old, new in TRACED_MUTANTS])
def test_traced_mutant_is_caught(old, new):
    assert failures(torch_mutant(old, new), TRACED_CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_torch_source_passes():
    assert failures(torch_mutant("step % 2 == 0", "not step % 2"), TABLE_CLAIMS + TRACED_CLAIMS) == []


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

"""Layouts: rows of projections reordered for the other layout, and the detector, on our boxes, broken boxes and real models."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated
from rotation_claims import normal, refuse

import ropebook
from ropebook import layouts

FLOAT32, FLOAT64 = 2.0**-24, 2.0**-53  # unit roundoffs
TURN = {"interleaved": ropebook.rotate, "half-split": ropebook.rotate_half_split}
CASES = [(4, 4), (8, 6), (8, 4), (7, 4), (64, 64), (80, 32), (128, 128)]  # D, R


def box(layout, theta, sign=1, dtype=np.float64, angle=lambda m: m):
    """A rotation of the first 2 len(theta) features as a black box, with tables in `dtype`."""
    R = 2 * len(theta)

    def rotate(x, m):
        out = x.astype(dtype)
        out[:R] = TURN[layout](out[None, :R], [sign * angle(m)], theta)[0]
        return out

    return rotate


def speed_error(theta, unit):
    """Relative bound on a detected speed: measured within 3 roundoffs, computed within 3 and |ln theta| (`layouts._base`)."""
    return unit * (6 + np.abs(np.log(theta)))


def base_error(theta, unit):
    """Relative bound on the base: ln b = −n · slope, and a slope errs by at most Σ|i| / Σi² times the worst ln theta."""
    n = len(theta)
    i = np.arange(n) - (n - 1) / 2
    return 1.01 * n * np.abs(i).sum() / (i @ i) * speed_error(theta, unit).max()


# Claims about `lib` with detect, head_rows_to_half_split and head_rows_to_interleaved.


def what_went_in_is_detected(lib):
    for layout in TURN:
        for D, R in CASES:
            for base, sign, dtype, unit in ((1e4, 1, np.float64, FLOAT64), (5e5, -1, np.float32, FLOAT32), (100.0, 1, np.float32, FLOAT32)):
                theta = ropebook.frequencies(R, base)
                found = lib.detect(box(layout, theta, sign, dtype), D)
                assert (found.layout, found.sign, found.rotated) == (layout, sign, R)
                np.testing.assert_allclose(found.theta, theta, rtol=speed_error(theta, unit).max())
                np.testing.assert_allclose(found.base, base, rtol=base_error(theta, unit))


def slow_and_fast_speeds_are_measured(lib):
    """From 3 radians a token down to 1e-9, whose turn at position 1 is far below float32's grain at 1."""
    theta = np.array([3.0, 1.0, 1e-4, 1e-9])
    for layout in TURN:
        found = lib.detect(box(layout, theta, dtype=np.float32), 8)
        np.testing.assert_allclose(found.theta, theta, rtol=3 * FLOAT32)
        assert found.base is None


def later_positions_refine(lib):
    """Outputs on a grid of 2^-23: position 1 alone leaves 6e-6 of the speed 0.01, least squares over all Σm/Σm² = 1/43 of it."""
    on_grid = lambda x, m: np.round(box("interleaved", np.array([0.01]))(x, m) * 2**23) / 2**23
    error = np.abs(lib.detect(on_grid, 2, unit=2.0**-16).theta[0] - 0.01)
    assert error <= np.sqrt(2) * FLOAT32 * sum(layouts.POSITIONS) / np.square(layouts.POSITIONS).sum()


def one_pair_has_no_base(lib):
    for layout in TURN:  # the two layouts are one
        found = lib.detect(box(layout, np.array([0.5])), 6)
        assert (found.layout, found.rotated, found.base) == ("interleaved", 2, None)


def scaled_positions_show_in_theta_alone(lib):
    """Interpolation by 4 leaves the ratio of the speeds, so the base stays and theta[0] is 1/4."""
    found = lib.detect(box("interleaved", ropebook.frequencies(16), angle=lambda m: m / 4), 16)
    np.testing.assert_allclose([found.base, found.theta[0]], [1e4, 0.25], rtol=1e-12)


def other_speeds_have_no_base(lib):
    theta = ropebook.frequencies(16) * np.r_[1, 1, 1, 1, 1, 0.25, 0.25, 0.25]  # slow pairs scaled, as Llama 3.1 does
    assert lib.detect(box("half-split", theta), 16).base is None
    assert lib.detect(box("half-split", ropebook.frequencies(16) * np.r_[1, 1, 1, 1.0001, 1, 1, 1, 1]), 16).base is None


def wrong_exponent_shows_in_the_base(lib):
    """b^(−i/d) is a RoPE of base √b: nothing to refuse, but the number tells."""
    np.testing.assert_allclose(lib.detect(box("interleaved", 1e4 ** (-np.arange(8) / 16)), 16).base, 100, rtol=1e-12)


def tensors_are_read(lib):
    theta = ropebook.frequencies(8)
    tensor = lambda x, m: torch.from_numpy(box("half-split", theta)(x, m)).requires_grad_()
    assert lib.detect(tensor, 8).layout == "half-split"
    weight = torch.from_numpy(normal(16, 3)).requires_grad_()
    np.testing.assert_array_equal(lib.head_rows_to_half_split(weight, 2), lib.head_rows_to_half_split(weight.detach().numpy(), 2))


def rows_by_hand(lib):
    """Two heads of six rows: all turn; the first four turn; none turns."""
    rows = np.arange(12)
    half, interleaved = lib.head_rows_to_half_split, lib.head_rows_to_interleaved
    np.testing.assert_array_equal(half(rows, 2), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11])
    np.testing.assert_array_equal(half(rows, 2, rotated=4), [0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11])
    np.testing.assert_array_equal(interleaved(rows, 2), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])
    np.testing.assert_array_equal(half(rows, 2, rotated=0), rows)


def round_trips_are_exact(lib):
    there, back = lib.head_rows_to_half_split, lib.head_rows_to_interleaved
    for heads, D, rotated in ((1, 4, None), (3, 8, None), (3, 8, 4), (2, 7, 6), (12, 64, 16)):
        for weight in (normal(heads * D, 5).astype(np.float32), normal(heads * D)):
            before = weight.copy()
            for one, other in ((there, back), (back, there)):
                after = other(one(weight, heads, rotated), heads, rotated)
                assert after.dtype == weight.dtype
                np.testing.assert_array_equal(after, before)
                assert not np.shares_memory(one(weight, heads, rotated), weight)


def converted_projections_give_the_same_scores(lib):
    """With weight and bias converted, x @ W.T + b is the reordered vector, and a rotation of the other layout the same one."""
    C, H, D, T = 10, 3, 8, 6
    x, positions = normal(T, C), np.arange(T) * 7.0
    for R in (8, 4):
        theta = ropebook.frequencies(R)
        scores = lambda pairs, convert: turned_scores(pairs, theta, x, positions, H, *(
            [convert(w, H, R) for w in (normal(H * D, C, seed=s), normal(H * D, seed=s + 1))] for s in (1, 3)))
        same = lambda w, H, R: w
        reference = scores("interleaved", same)
        np.testing.assert_allclose(scores("half-split", lib.head_rows_to_half_split), reference, rtol=0, atol=1e-12)
        np.testing.assert_allclose(scores("interleaved", lib.head_rows_to_interleaved), scores("half-split", same), rtol=0, atol=1e-12)
        assert np.abs(scores("half-split", same) - reference).max() > 1


def bad_input_is_refused(lib):
    for convert in (lib.head_rows_to_half_split, lib.head_rows_to_interleaved):
        refuse(lambda: convert(normal(10, 3), 4), "10", "4")
        refuse(lambda: convert(normal(15, 3), 3), "5")
        refuse(lambda: convert(normal(16, 3), 2, rotated=10), "8", "10")
        refuse(lambda: convert(normal(16, 3), 2, rotated=3), "8", "3")
        refuse(lambda: convert(normal(16, 3), 2.5), "2.5")
        refuse(lambda: convert(normal(16, 3), 0), "0")
        refuse(lambda: convert(np.float64(3), 1), "()")
    refuse(lambda: lib.detect(lambda x, m: x, 1), "2", "1")
    refuse(lambda: lib.detect(lambda x, m: x[:3], 4), "(3,)", "(4,)")
    refuse(lambda: lib.detect(lambda x, m: x * np.nan, 4), "nan")


def broken_boxes_are_refused(lib):
    for rotate, *named in BROKEN:
        refuse(lambda: lib.detect(rotate, 8), *named)


THETA = ropebook.frequencies(8)
GOOD = box("interleaved", THETA)


def mixed(x, m):
    """cos and sin for half-split pairs, the quarter turn for interleaved ones: the classic error."""
    angle = np.tile(m * THETA, 2)
    return x * np.cos(angle) + np.stack([-x[1::2], x[0::2]], axis=-1).reshape(8) * np.sin(angle)


def two_layouts(x, m):
    """The first four features interleaved, the last four half-split."""
    return np.concatenate([box("interleaved", THETA[:2])(x[:4], m), box("half-split", THETA[2:])(x[4:], m)])


def last_features(x, m):
    return np.concatenate([x[:4], box("interleaved", THETA[:2])(x[4:], m)])


def proportional(x, m):
    """Pairs i and i + D/2, but only the first two turn: half-split over eight features of which four move."""
    return ropebook.rotate_half_split(x[None], [m], THETA * [1, 1, 0, 0])[0]


def reflected(x, m):
    out = GOOD(x, m)
    return np.concatenate([[np.cos(m) * x[0] + np.sin(m) * x[1], np.sin(m) * x[0] - np.cos(m) * x[1]], out[2:]]) if m else x


BROKEN = [
    (mixed, "norms change", "feature"),
    (two_layouts, "(0, 1)", "(4, 6)", "neither"),
    (last_features, "(4, 5)", "(6, 7)", "neither"),
    (proportional, "(0, 4), (1, 5)", "first 4"),
    (reflected, "random x"),
    (lambda x, m: GOOD(x, m) * (1 + 1e-5 * m), "norms change", "1.00001"),
    (lambda x, m: GOOD(x, m) * (1 + 1e-5 * (m > 1)), "random x", "1e-05"),
    (lambda x, m: x, "no feature turns"),
    (lambda x, m: GOOD(x, 1), "position 0 changes feature 0"),
    (lambda x, m: GOOD(x, min(m, 1)), "not proportional", "by 1 at 1 and by 1 at 2"),
    (lambda x, m: GOOD(x, m + 1), "position 0 changes"),
    (lambda x, m: GOOD(x, m**2), "not proportional", "by 1 at 1 and by 4 at 2"),
    (lambda x, m: GOOD(x, min(m, 62)), "not proportional", "by 62 at 64"),
    (lambda x, m: GOOD(x, m if m != 61 else 60), "random x at position 61"),
    (lambda x, m: GOOD(x, m * np.linalg.norm(x)), "random x"),
    (lambda x, m: GOOD(x, m if np.linalg.norm(x) < 10 else 1.01 * m), "random x"),
    (lambda x, m: GOOD(x, m * (1 + 1e-3 * x[7])), "random x"),
    (lambda x, m: GOOD(x, m) + 0.1 * m, "norms change"),
    (lambda x, m: box("interleaved", THETA * [1, -1, 1, 1])(x, m), "1 turn backwards", "(2, 3)", "mixed"),
    (lambda x, m: box("interleaved", THETA * 4)(x, m), "(0, 1)", "above π"),
    (lambda x, m: np.linalg.qr(normal(8, 8))[0] @ GOOD(np.linalg.qr(normal(8, 8))[0].T @ x, m), "no pair"),
    (lambda x, m: np.roll(x, m), "into it moves [7]", "no pair"),
    (lambda x, m: x + 0j, "real"),
]

CLAIMS = [what_went_in_is_detected, slow_and_fast_speeds_are_measured, later_positions_refine, one_pair_has_no_base, scaled_positions_show_in_theta_alone,
          other_speeds_have_no_base, wrong_exponent_shows_in_the_base, tensors_are_read, rows_by_hand, round_trips_are_exact,
          converted_projections_give_the_same_scores, bad_input_is_refused, broken_boxes_are_refused]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_layouts(claim):
    claim(layouts)


MUTANTS = [
    ("return _reorder_heads(to_half_split,", "return _reorder_heads(to_interleaved,"),
    ("return _reorder_heads(to_interleaved,", "return _reorder_heads(to_half_split,"),
    ("reorder(order[:rotated])", "reorder(order)[:rotated]"),
    (".reshape(heads, head_dim, *weight.shape[1:])[:, order]", ".reshape(head_dim, heads, *weight.shape[1:])[order]"),
    ("or weight.shape[0] % heads", ""),
    ("rotated % 2 or rotated > head_dim", "rotated % 2"),
    ("rotated % 2 or rotated > head_dim", "rotated > head_dim"),
    ("values.detach().cpu() if", "values.cpu() if"),
    ("if out.shape != x.shape:", "if False:"),
    ("np.iscomplexobj(out) or", ""),
    ("if change.max() > 8 * unit:", "if False:"),
    ("if abs(norms[worst] - 1) > 8 * unit:", "if False:"),
    ("_norms_stay(after, 1, unit)", "pass"),
    ("if into.sum() > 1 or (into != moved[a]).any():", "if False:"),
    ("NOTHING = 2.0**-40", "NOTHING = 2.0**-24"),
    ("[(i, i + half) for i in range(half)]", "[(i, i + head_dim // 2) for i in range(half)]"),
    ("expected = 2 * rows[-1] if rows", "expected = rows[-1] if rows"),
    ("return m @ angle / (m @ m)", "return angle[0]"),
    ("if away.any():", "if False:"),
    ("if 0 < len(back) < len(pairs):", "if False:"),
    ("return -1 if back else 1", "return 1"),
    ("if len(theta) < 2:", "if len(theta) < 1:"),
    ("> 3 * unit * (6 +", "> 1 + 3 * unit * (6 +"),
    ("> 3 * unit * (6 +", "> 1e-9 * unit * (6 +"),
    ("np.exp(-slope * len(theta))", "np.exp(-slope * (len(theta) - 1))"),
    ("if error > 8 * unit", "if False and error > 8 * unit"),
    ("POSITIONS + FRESH", "POSITIONS"),
    ("[[1], [-10]]", "[[1], [1]] / np.sqrt(head_dim)"),
]


def mutant(old, new):
    return SimpleNamespace(**mutated(Path(layouts.__file__), old, new))


@pytest.mark.parametrize("old, new", MUTANTS, ids=[f"{old} → {new}" for old, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(mutant(old, new), CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    assert failures(mutant("FRESH = (3, 21, 61)", "FRESH = (61, 3, 21)"), CLAIMS) == []


# Real models of transformers, tiny and random, through their own rotary functions.


def llama(head_dim, base=10000.0, **config):
    from transformers.models.llama import modeling_llama as hf

    sizes = dict(hidden_size=4 * head_dim, num_attention_heads=4, num_key_value_heads=2, head_dim=head_dim, max_position_embeddings=128)
    config = hf.LlamaConfig(**sizes, rope_parameters={"rope_type": "default", "rope_theta": base} | config)
    config._attn_implementation = "eager"
    return hf, config, hf.LlamaRotaryEmbedding(config)


def llama_box(head_dim, **options):
    hf, _, embedding = llama(head_dim, **options)

    def rotate(x, m):
        x = torch.from_numpy(x).float()[None, None, None]  # (B=1, H=1, T=1, D)
        return hf.apply_rotary_pos_emb(x, x, *embedding(x, torch.tensor([[m]])))[0][0, 0, 0]

    return rotate


def neox_box(head_dim, factor, base):
    from transformers.models.gpt_neox import modeling_gpt_neox as hf

    parameters = {"rope_type": "default", "rope_theta": base, "partial_rotary_factor": factor}
    embedding = hf.GPTNeoXRotaryEmbedding(hf.GPTNeoXConfig(hidden_size=4 * head_dim, num_attention_heads=4, rope_parameters=parameters))

    def rotate(x, m):
        x = torch.from_numpy(x).float()[None, None, None]  # (B=1, H=1, T=1, D)
        return hf.apply_rotary_pos_emb(x, x, *embedding(x, torch.tensor([[m]])))[0][0, 0, 0]

    return rotate


def roformer_table(head_dim, length=128):
    from transformers.models.roformer import modeling_roformer as hf

    table = hf.RoFormerSinusoidalPositionalEmbedding(length, head_dim)
    return hf, table.create_weight().detach()


def roformer_box(head_dim):
    hf, table = roformer_table(head_dim)

    def rotate(x, m):
        x = torch.from_numpy(x).float()[None, None, None]  # (B=1, H=1, T=1, D)
        return hf.RoFormerSelfAttention.apply_rotary_position_embeddings(table[None, None, m : m + 1], x, x)[0][0, 0, 0]

    return rotate


def gptj_box(head_dim, rotated):
    """As GPTJAttention.forward does it: the first `rotated` features turn, the table is sin | cos."""
    from transformers.models.gptj import modeling_gptj as hf

    attention = hf.GPTJAttention(hf.GPTJConfig(n_embd=4 * head_dim, n_head=4, rotary_dim=rotated, n_positions=128), layer_idx=0)
    table = hf.create_sinusoidal_positions(attention.max_positions, attention.pos_embd_dim)

    def rotate(x, m):
        x = torch.from_numpy(x).float()[None, None, None]  # (B=1, T=1, H=1, D)
        sin, cos = table[None, m : m + 1].chunk(2, dim=-1)
        turned = hf.apply_rotary_pos_emb(x[..., : attention.rotary_dim], sin, cos)
        return torch.cat([turned, x[..., attention.rotary_dim :]], dim=-1)[0, 0, 0]

    return rotate


def rotary_embedding_torch_box(head_dim, rotated, base):
    """The package's own class; it turns the first `rotated` features and passes the others through."""
    from rotary_embedding_torch import RotaryEmbedding

    embedding = RotaryEmbedding(rotated, theta=base)
    return lambda x, m: embedding.rotate_queries_or_keys(torch.from_numpy(x).float()[None, None, None], offset=m)[0, 0, 0]


@pytest.mark.parametrize("make, layout, head_dim, rotated, base", [
    (lambda: roformer_box(64), "interleaved", 64, 64, 1e4),
    (lambda: roformer_box(8), "interleaved", 8, 8, 1e4),
    (lambda: llama_box(16), "half-split", 16, 16, 1e4),
    (lambda: llama_box(128, base=5e5), "half-split", 128, 128, 5e5),
    (lambda: neox_box(64, 0.25, 1e4), "half-split", 64, 16, 1e4),
    (lambda: neox_box(80, 0.4, 25000.0), "half-split", 80, 32, 25000.0),
    (lambda: gptj_box(64, 16), "interleaved", 64, 16, 1e4),
    (lambda: gptj_box(256, 64), "interleaved", 256, 64, 1e4),
    (lambda: rotary_embedding_torch_box(64, 64, 1e4), "interleaved", 64, 64, 1e4),
    (lambda: rotary_embedding_torch_box(64, 32, 500.0), "interleaved", 64, 32, 500.0),
], ids=["RoFormer 64", "RoFormer 8", "Llama 16", "Llama 128", "GPT-NeoX 64", "GPT-NeoX 80", "GPT-J 64", "GPT-J 256",
        "rotary-embedding-torch 64", "rotary-embedding-torch 32 of 64"])
def test_real_models_are_detected(make, layout, head_dim, rotated, base):
    found, theta = layouts.detect(make(), head_dim), ropebook.frequencies(rotated, base)
    assert (found.layout, found.sign, found.rotated) == (layout, 1, rotated)
    np.testing.assert_allclose(found.theta, theta, rtol=speed_error(theta, FLOAT32).max())
    np.testing.assert_allclose(found.base, base, rtol=base_error(theta, FLOAT32))


def test_scaled_llama_is_described():
    """Llama 3.1's bent speeds have no base, linear scaling keeps it, and YaRN's longer vectors are refused."""
    bent = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    assert layouts.detect(llama_box(64, **bent), 64).base is None
    linear = layouts.detect(llama_box(64, rope_type="linear", factor=4.0), 64)
    np.testing.assert_allclose(linear.theta[0], 0.25, rtol=float(speed_error(0.25, FLOAT32)))
    np.testing.assert_allclose(linear.base, 1e4, rtol=base_error(linear.theta, FLOAT32))
    yarn = llama_box(64, rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
    refuse(lambda: layouts.detect(yarn, 64), "norms change", "1.13863", "position 0")  # 0.1 ln 4 + 1


# The converters on real attention layers: the layer's own forward, against ours with the other layout.


def turned_scores(layout, theta, x, positions, heads, query, key):
    """q·k of every head, (H, T, T), in the layout given; query and key are (weight, bias), for as many key heads as rows say."""
    turned = []
    for weight, bias in (query, key):
        rows = (x @ weight.T + bias).reshape(len(x), heads, -1).transpose(1, 0, 2)  # (H, T, D)
        R = 2 * len(theta)
        turned.append(np.concatenate([TURN[layout](rows[..., :R], positions, theta), rows[..., R:]], axis=-1))
    return turned[0] @ turned[1].transpose(0, 2, 1)


def random_projections(attention, names):
    """Weights that make scores of order 1 (the tiny models' own are 0.02), as float64 arrays with the values of the float32 ones."""
    pairs = []
    for seed, name in enumerate(names):
        linear = getattr(attention, name)
        weight = torch.from_numpy(normal(*linear.weight.shape, seed=seed) / np.sqrt(linear.in_features)).float()
        bias = torch.from_numpy(normal(len(weight), seed=seed + 10)).float() if linear.bias is not None else torch.zeros(len(weight))
        linear.weight.data.copy_(weight)
        if linear.bias is not None:
            linear.bias.data.copy_(bias)
        pairs.append((weight.double().numpy(), bias.double().numpy()))
    return pairs


def llama_layer(x):
    """(own attention weights (H, T, T), query, key) of a half-split layer; its two key heads repeated for four query heads."""
    hf, config, embedding = llama(x.shape[1] // 4)
    attention = hf.LlamaAttention(config, layer_idx=0).eval()
    query, (weight, bias) = random_projections(attention, ["q_proj", "k_proj"])
    hidden = torch.from_numpy(x).float()[None]
    with torch.no_grad():
        own = attention(hidden, position_embeddings=embedding(hidden, torch.arange(len(x))[None]), attention_mask=None)[1][0]
    return own.numpy(), (query, 4), ((weight, bias), 2)


def roformer_layer(x):
    hf, table = roformer_table(x.shape[1] // 4)
    attention = hf.RoFormerSelfAttention(hf.RoFormerConfig(hidden_size=x.shape[1], num_attention_heads=4, embedding_size=8)).eval()
    query, key = random_projections(attention, ["query", "key"])
    with torch.no_grad():
        own = attention(torch.from_numpy(x).float()[None], sinusoidal_pos=table[None, None, : len(x)])[1][0]
    return own.numpy(), (query, 4), (key, 4)


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def repeated(pair, times, heads):
    """Key rows of each head repeated for its group of query heads."""
    return [np.repeat(w.reshape(heads, len(w) // heads, *w.shape[1:]), times, axis=0).reshape(-1, *w.shape[1:]) for w in pair]


@pytest.mark.parametrize("layer, ours, convert", [
    (llama_layer, "interleaved", layouts.head_rows_to_interleaved),
    (roformer_layer, "half-split", layouts.head_rows_to_half_split),
], ids=["Llama with the book's rotate", "RoFormer with rotate_half_split"])
def test_converted_layers_attend_alike(layer, ours, convert):
    """A layer's own attention, from converted rows in the other layout; unconverted rows keep norms and lose the attention.

    In float32 a projected coordinate takes C + 1 roundings of sums of absolute values, a turn 6 and its angle 3 a token, a score
    D + 1; a score off by e moves an attention weight by a factor e^(2e), and softmax rounds T + 4 times.
    """
    C, T = 32, 24
    D, theta, positions = C // 4, ropebook.frequencies(C // 4), np.arange(T)
    x = normal(T, C, seed=7).astype(np.float32).astype(np.float64)
    own, (query, heads), (key, key_heads) = layer(x)
    scores = lambda layout, q, k: turned_scores(layout, theta, x, positions, heads, q, repeated(k, heads // key_heads, key_heads)) / np.sqrt(D)
    converted = [convert(w, heads) for w in query], [convert(w, key_heads) for w in key]

    sizes = [np.linalg.norm((np.abs(x) @ np.abs(w.T) + np.abs(b)).reshape(T, -1, D), axis=-1).max() for w, b in (query, key)]
    error = FLOAT32 * (2 * (C + 1 + 6 + 3 * T) + D + 1) * sizes[0] * sizes[1] / np.sqrt(D)
    assert error < 0.01
    atol = np.expm1(2 * error) + FLOAT32 * (T + 4)
    np.testing.assert_allclose(softmax(scores(ours, *converted)), own, rtol=0, atol=atol)

    forgotten = scores(ours, query, key)
    assert np.abs(forgotten - scores(ours, *converted)).max() > 1
    assert np.abs(softmax(forgotten) - own).max() > 0.1
    for before, after in zip((query, key), converted):
        norms = [np.linalg.norm((x @ w.T + b).reshape(T, -1, D), axis=-1) for w, b in (before, after)]
        np.testing.assert_allclose(*norms, rtol=4 * C * FLOAT64 * max(sizes))

"""The ten position encodings: their claims, the models they are named after, and mutants that the claims must catch.

The models are Hugging Face's own attention modules with the book's weights in them: two heads of 8 in a model of width 16
unless a test says otherwise. Compared are the attention weights that the module returns, so that a scale is part of the claim.
"""

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from encoding_claims import CLAIMS, rounding
from mutation import failures, mutated
from rotation_claims import EPS, normal

import ropebook
from ropebook import encodings

SOURCE = Path(encodings.__file__)
HEADS, HEAD, WIDTH, REACH, T = 2, 8, 16, 4, 24
SINGLE = 2.0**-24  # unit roundoff of float32
CLEAR = 0.01  # attention weights that differ by more than this differ


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim(claim):
    claim(encodings)


# ---- the book's weights in other people's modules ----------------------------------------------------


def heads(width=WIDTH, count=HEADS):
    """`count` heads with projections and numbers of their own, which share the vectors of the offsets as the models do."""
    made = [encodings.random_weights(np.random.default_rng(h), width, HEAD, longest=64, reach=REACH) for h in range(count)]
    slopes = [2.0 ** (-8 * (h + 1) / count) for h in range(count)]
    return [dataclasses.replace(w, relative=made[0].relative, slope=s) for w, s in zip(made, slopes)]


def stacked(weights, name):
    return np.concatenate([getattr(w, name) for w in weights])


def filled(module, **values):
    """The module in float64 and without dropout, its biases zero and the named parameters as given."""
    module = module.double().eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias") and name not in values:
                parameter.zero_()
        for name, value in values.items():
            parameter = module.get_parameter(name.replace("__", "."))
            assert parameter.shape == value.shape, (name, parameter.shape, value.shape)
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module


def numbers(tensor):
    return tensor.detach().double().numpy()


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def assert_attends_alike(theirs, scores, error, eps=EPS):
    """Attention weights (H, M, N) equal the softmax of (H, M, N) scores that err by at most `error`.

    Scores that move by at most e multiply each weight by something between exp(−2e) and exp(2e); the softmax itself rounds
    its exponents, exponentials, sum and quotient with the unit roundoff `eps`.
    """
    spread = np.ptp(scores[np.isfinite(scores)])
    bound = np.expm1(2 * error) + (spread + theirs.shape[-1] + 10) * eps
    assert np.abs(theirs - softmax(scores)).max() <= bound, (np.abs(theirs - softmax(scores)).max(), bound)


def differs(theirs, scores):
    return np.abs(theirs - softmax(scores)).max() > CLEAR


def scores_of(encode, weights, words, keys=None, m=None, n=None):
    """Our scores of each head (H, M, N), and the bound on their rounding; positions 0, 1, 2, … unless given."""
    keys = words if keys is None else keys
    m, n = np.arange(len(words)) if m is None else m, np.arange(len(keys)) if n is None else n
    scores = np.stack([encode(words, keys, m, n, w) for w in weights])
    return scores, max(rounding(words, keys, w, max(*m, *n)).max() for w in weights)


# ---- T5 ------------------------------------------------------------------------------------------------


def test_t5_buckets():
    """Their argument is key − query, ours m − n; the numbers are equal for every offset and for other tables."""
    from transformers.models.t5.modeling_t5 import T5Attention

    offsets = np.arange(-3000, 3001)
    for buckets, longest in ((32, 128), (32, 256), (16, 64), (64, 1024), (8, 20), (320, 800)):
        theirs = T5Attention._relative_position_bucket(torch.from_numpy(-offsets), True, buckets, longest)
        np.testing.assert_array_equal(encodings.bucket(offsets, buckets, longest), theirs.numpy())
    assert (encodings.bucket(offsets) != T5Attention._relative_position_bucket(torch.from_numpy(offsets)).numpy()).any()


def test_t5_does_not_divide():
    """T5's encoder is equation 8 with no division by √D: its softmax takes q·k + b itself."""
    from transformers.models.t5.modeling_t5 import T5Attention, T5Config

    words, weights = normal(200, WIDTH), heads()  # long enough for the last buckets
    config = T5Config(d_model=WIDTH, d_kv=HEAD, num_heads=HEADS, attn_implementation="eager")
    bias = np.stack([w.bias for w in weights], axis=1)  # (buckets, heads)
    module = filled(T5Attention(config, has_relative_attention_bias=True), q__weight=stacked(weights, "w_q"),
                    k__weight=stacked(weights, "w_k"), relative_attention_bias__weight=bias)  # fmt: skip
    theirs = numbers(module(torch.from_numpy(words)[None])[2][0])
    scores, error = scores_of(encodings.t5, weights, words)
    assert_attends_alike(theirs, scores, error)
    assert differs(theirs, scores / math.sqrt(HEAD))


# ---- ALiBi ---------------------------------------------------------------------------------------------


def test_alibi_is_mpt_where_keys_are_not_ahead():
    """MPT adds slope · n after the division by √D: ours plus slope · m, which no softmax sees; ahead of the query it rises."""
    from transformers.models.mpt import modeling_mpt as mpt

    words, weights = normal(T, WIDTH), heads()
    module = filled(mpt.MptAttention(mpt.MptConfig(d_model=WIDTH, n_heads=HEADS, max_seq_len=T)),
                    Wqkv__weight=np.concatenate([stacked(weights, "w_q"), stacked(weights, "w_k"), normal(WIDTH, WIDTH)]))  # fmt: skip
    bias, ahead = mpt.build_mpt_alibi_tensor(HEADS, T), np.triu(np.ones((T, T), bool), 1)
    attend = lambda mask: numbers(module(torch.from_numpy(words)[None], bias, attention_mask=mask)[1][0])
    scores, error = scores_of(encodings.alibi, weights, words)
    scores, error = scores / math.sqrt(HEAD), error / math.sqrt(HEAD)
    assert_attends_alike(attend(torch.from_numpy(ahead)), np.where(ahead, -np.inf, scores), error, eps=SINGLE)
    assert differs(attend(None), scores)


@pytest.mark.parametrize("count", [1, 2, 8, 16])
def test_alibi_slopes(count):
    """Head h of H, a power of two, has the slope 2^(−8h/H) in Bloom, Falcon and MPT; the bias of key n is slope · n plus a constant."""
    slopes = 2.0 ** (-8 * np.arange(1, count + 1) / count)
    for bias, rounded in zip(alibi_tensors(count, 9), (4 * SINGLE, 2.0**-8, 4 * SINGLE)):  # Falcon's are bfloat16
        places = np.arange(9) - (bias[0, 0] != 0) * 8  # MPT counts from 1 − T
        np.testing.assert_allclose(bias, np.outer(slopes, places), rtol=2 * rounded)


def alibi_tensors(count, length):
    """The biases (H, T) of three models."""
    from transformers.models.bloom import modeling_bloom as bloom
    from transformers.models.falcon import modeling_falcon as falcon
    from transformers.models.mpt import modeling_mpt as mpt

    mask = torch.ones(1, length, dtype=torch.long)
    built = [build(mask, count, torch.float32) for build in (bloom.build_alibi_tensor, falcon.build_alibi_tensor)]
    return [numbers(b).reshape(count, length) for b in (*built, mpt.build_mpt_alibi_tensor(count, length))]


def test_alibi_slopes_of_twelve_heads():
    """Not a power of two: the slopes of 8 heads, then every other one of 16. And Falcon's numbers are bfloat16: 256 and 257 meet."""
    slopes = [2.0**-h for h in range(1, 9)] + [2.0 ** (-h / 2) for h in (1, 3, 5, 7)]
    for bias in alibi_tensors(12, 2):
        np.testing.assert_allclose(bias[:, 1] - bias[:, 0], slopes, rtol=2.0**-8)
    bloom, falcon, mpt = (bias[0, 257] - bias[0, 256] for bias in alibi_tensors(8, 258))
    assert bloom == mpt == 0.5 and falcon == 0


# ---- sinusoids -----------------------------------------------------------------------------------------


def test_sinusoids_of_other_layouts():
    """XLM interleaves sines and cosines as equation 4 does, Marian puts all sines first; both make their tables in float64."""
    from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding
    from transformers.models.xlm.modeling_xlm import create_sinusoidal_embeddings

    ours = encodings.sinusoid(np.arange(512), WIDTH)
    xlm = numbers(create_sinusoidal_embeddings(512, WIDTH, torch.empty(512, WIDTH)))
    marian = numbers(MarianSinusoidalPositionalEmbedding(512, WIDTH).create_weight())
    bound = SINGLE / 2 + 24 * EPS * 512  # rounded to float32; two angles that err by 12 EPS each
    np.testing.assert_allclose(ours, xlm, rtol=0, atol=bound)
    np.testing.assert_allclose(ropebook.to_half_split(ours), marian, rtol=0, atol=bound)
    assert np.abs(ours - marian).max() > 1


def test_sinusoids_of_tensor2tensor_are_others():
    """M2M100 keeps the frequencies of the first code: 10000^(−t/(C/2 − 1)) from 1 to exactly 1/10000, not equation 4's."""
    from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding

    sines = numbers(M2M100SinusoidalPositionalEmbedding.get_embedding(2, WIDTH))[1, : WIDTH // 2]
    np.testing.assert_allclose(np.arcsin(sines), 10000.0 ** (-np.arange(8) / 7), rtol=1e-6)
    np.testing.assert_allclose(np.arcsin(encodings.sinusoid([1], WIDTH)[0, ::2]), 10000.0 ** (-np.arange(8) / 8), rtol=1e-12)


# ---- DeBERTa -------------------------------------------------------------------------------------------


def deberta_table(relative):
    """Their 2k rows are the offsets −k … k − 1, ours the offsets −r … r; with k = r + 1 their first row repeats our first."""
    return torch.from_numpy(np.concatenate([relative[:1], relative]))


def deberta_v1(words, weights, **projections):
    """DeBERTa's attention (He et al., 2021): one matrix makes q, k and v head by head, positions have projections of their own."""
    from transformers.models.deberta import modeling_deberta as hf

    config = hf.DebertaConfig(hidden_size=WIDTH, num_attention_heads=HEADS, relative_attention=True, pos_att_type=["c2p", "p2c"],
                              max_relative_positions=REACH + 1)  # fmt: skip
    together = np.concatenate([block for w in weights for block in (w.w_q, w.w_k, normal(HEAD, WIDTH))])
    module, x = filled(hf.DisentangledSelfAttention(config), in_proj__weight=together, **projections), torch.from_numpy(words)[None]
    return numbers(module(x, torch.ones(1, 1, T, T), True, relative_pos=hf.build_relative_position(x, x),
                          rel_embeddings=deberta_table(weights[0].relative))[1][0])  # fmt: skip


def deberta_v2(words, weights):
    """DeBERTa-v2 and v3 with `share_att_key`: the projections of words serve positions too."""
    from transformers.models.deberta_v2 import modeling_deberta_v2 as hf

    config = hf.DebertaV2Config(hidden_size=WIDTH, num_attention_heads=HEADS, relative_attention=True, pos_att_type=["c2p", "p2c"],
                                max_relative_positions=REACH + 1, share_att_key=True)  # fmt: skip
    module = filled(hf.DisentangledSelfAttention(config), query_proj__weight=stacked(weights, "w_q"),
                    key_proj__weight=stacked(weights, "w_k"))  # fmt: skip
    table = deberta_table(weights[0].relative)
    return numbers(module(torch.from_numpy(words)[None], torch.ones(1, 1, T, T), True, rel_embeddings=table)[1][0])


def deberta_scores(words, w, ask, asked, third):
    """Three terms with projections of positions `ask` and `asked`; `third` is the sign of the offset in the last one."""
    q, k, offsets = words @ w.w_q.T, words @ w.w_k.T, np.subtract.outer(np.arange(T), np.arange(T))
    vectors = lambda sign: encodings.clipped(w.relative, sign * offsets)
    return q @ k.T + np.einsum("md,mnd->mn", q, vectors(1) @ asked.T) + np.einsum("mnd,nd->mn", vectors(third) @ ask.T, k)


def scaled_by_the_root_of_3d(scores, error):
    """They divide by √(3D), rounded to float32."""
    scores = scores / math.sqrt(3 * HEAD)
    return scores, error + 2 * SINGLE * np.abs(scores).max()


def test_deberta_with_shared_projections_is_equation_10():
    """The offset is m − n in *both* terms, as RoFormer prints it, in v2 and in v1 once its two extra projections are W_q and W_k."""
    words, weights = normal(T, WIDTH), heads()
    equation_10, error = scaled_by_the_root_of_3d(*scores_of(encodings.deberta, weights, words))
    v1 = deberta_v1(words, weights, pos_proj__weight=stacked(weights, "w_k"), pos_q_proj__weight=stacked(weights, "w_q"))
    mirrored = np.stack([deberta_scores(words, w, w.w_q, w.w_k, third=-1) for w in weights]) / math.sqrt(3 * HEAD)
    for theirs in (v1, deberta_v2(words, weights)):
        assert_attends_alike(theirs, equation_10, error)
        assert differs(theirs, mirrored), "δ(j, i), which DeBERTa's paper prints in the last term, is not what its code takes"
        assert differs(theirs, equation_10 * math.sqrt(3)), "divided by √(3D), not √D"


def test_deberta_has_projections_of_its_own():
    words, weights = normal(T, WIDTH), heads()
    theirs = deberta_v1(words, weights, pos_proj__weight=stacked(weights, "u_k"), pos_q_proj__weight=stacked(weights, "u_q"))
    own = np.stack([deberta_scores(words, w, w.u_q, w.u_k, third=1) for w in weights])
    equation_10, error = scaled_by_the_root_of_3d(*scores_of(encodings.deberta, weights, words))
    assert_attends_alike(theirs, scaled_by_the_root_of_3d(own, 0)[0], error)
    assert differs(theirs, equation_10)


# ---- Transformer-XL, in XLNet's words ------------------------------------------------------------------


def xlnet(words, memory, weights):
    """XLNet's relative attention (H, M, N): queries are the last M keys; waves in half-split layout; u and v of each head's width."""
    from transformers.models.xlnet.modeling_xlnet import XLNetConfig, XLNetModel, XLNetRelativeAttention

    by_head = lambda name: np.stack([getattr(w, name).T for w in weights], axis=1)  # (C, H, D)
    config = XLNetConfig(d_model=WIDTH, n_head=HEADS, d_inner=WIDTH)
    r = np.stack([ropebook.to_half_split(w.w_r).T for w in weights], axis=1)
    module = filled(XLNetRelativeAttention(config), q=by_head("w_q"), k=by_head("w_k"), v=by_head("w_k"), r=r,
                    r_w_bias=np.stack([w.w_q @ w.u for w in weights]), r_r_bias=np.stack([w.w_q @ w.v for w in weights]))  # fmt: skip
    model = SimpleNamespace(d_model=WIDTH, attn_type="bi", bi_data=False, clamp_len=-1,
                            positional_embedding=XLNetModel.positional_embedding)  # fmt: skip
    waves = XLNetModel.relative_positional_encoding(model, len(words), len(memory) + len(words)).double()
    batch = lambda rows: torch.from_numpy(rows)[:, None]
    attention = module(batch(words), None, None, None, waves, None, mems=batch(memory), output_attentions=True)[2]
    return numbers(attention)[:, :, 0].transpose(2, 0, 1)


def test_transformer_xl_is_xlnet():
    """Equation 7 with u and v in head space: RoFormer's W_q u is one vector of width D there, a free parameter of its own."""
    memory, words = np.split(normal(T, WIDTH), [9])
    weights, keys = heads(), np.concatenate([memory, words])
    scores, error = scores_of(encodings.transformer_xl, weights, words, keys, np.arange(9, T), np.arange(T))
    through = max((np.abs((words + w.v) @ w.w_q.T) @ np.abs(w.w_r)).sum(1).max() for w in weights)
    error += through * SINGLE * (4 * T + 2)  # their waves: float32 power, reciprocal, angle, sine
    theirs = xlnet(words, memory, weights)
    assert_attends_alike(theirs, scores / math.sqrt(HEAD), error / math.sqrt(HEAD))
    turned, _ = scores_of(encodings.transformer_xl, weights, words, keys, -np.arange(9, T), -np.arange(T))
    assert differs(theirs, turned / math.sqrt(HEAD))  # the sign of the offset is seen


# ---- Shaw ----------------------------------------------------------------------------------------------


def shaw_by_wav2vec2_bert(words, w, vectors):
    """`relative_key` attention of one head as wide as the model; `vectors` (2r + 1, D) stand beside the finished keys."""
    from transformers.models.wav2vec2_bert import modeling_wav2vec2_bert as hf

    config = hf.Wav2Vec2BertConfig(hidden_size=HEAD, num_attention_heads=1, position_embeddings_type="relative_key",
                                   left_max_position_embeddings=REACH, right_max_position_embeddings=REACH,
                                   attn_implementation="eager")  # fmt: skip
    module = filled(hf.Wav2Vec2BertSelfAttention(config), linear_q__weight=w.w_q, linear_k__weight=w.w_k,
                    distance_embedding__weight=vectors)  # fmt: skip
    return numbers(module(torch.from_numpy(words)[None])[1][0])


def test_shaw_is_relative_key_attention():
    """Their vector is added after the projection and counted by n − m: ours agrees where it is W_k p̃, in reverse order."""
    words, weights = normal(T, HEAD), heads(width=HEAD, count=1)
    scores, error = scores_of(encodings.shaw, weights, words)
    keys = weights[0].relative @ weights[0].w_k.T
    assert_attends_alike(shaw_by_wav2vec2_bert(words, weights[0], keys[::-1]), scores / math.sqrt(HEAD), error)
    for wrong in (keys, weights[0].relative[::-1]):  # the order of m − n; before the projection
        assert differs(shaw_by_wav2vec2_bert(words, weights[0], wrong), scores / math.sqrt(HEAD))


# ---- RoPE ----------------------------------------------------------------------------------------------

PLACES = np.array([5, 0, 1, 40, 41, 7, 500, 499, 2, 2, 300, 6])


def roformer(words, weights):
    from transformers.models.roformer import modeling_roformer as hf

    config = hf.RoFormerConfig(hidden_size=WIDTH, num_attention_heads=HEADS)
    module = filled(hf.RoFormerSelfAttention(config), query__weight=stacked(weights, "w_q"), key__weight=stacked(weights, "w_k"))
    table = hf.RoFormerSinusoidalPositionalEmbedding(512, HEAD).create_weight().double()[torch.from_numpy(PLACES)][None, None]
    return numbers(module(torch.from_numpy(words)[None], sinusoidal_pos=table, output_attentions=True)[1][0])


def llama(words, weights):
    from transformers.models.llama import modeling_llama as hf

    config = hf.LlamaConfig(hidden_size=WIDTH, num_attention_heads=HEADS, num_key_value_heads=HEADS, attn_implementation="eager")
    halves = lambda name: np.concatenate([ropebook.to_half_split(getattr(w, name).T).T for w in weights])
    module = filled(hf.LlamaAttention(config, 0), q_proj__weight=halves("w_q"), k_proj__weight=halves("w_k"))
    x = torch.from_numpy(words)[None]
    return numbers(module(x, hf.LlamaRotaryEmbedding(config)(x, torch.from_numpy(PLACES)[None]), None)[1][0])


@pytest.mark.parametrize("model, angle_error", [(roformer, 0), (llama, 3 * SINGLE * 500)], ids=["interleaved", "half-split"])
def test_rope_is_roformer_and_llama(model, angle_error):
    """Positions in any order; their cosines and sines are float32 and Llama's angles, too, three roundings each."""
    words, weights = normal(len(PLACES), WIDTH), heads()
    scores, error = scores_of(encodings.rope, weights, words, m=PLACES, n=PLACES)
    longest = max(np.linalg.norm(words @ w.w_q.T, axis=1).max() * np.linalg.norm(words @ w.w_k.T, axis=1).max() for w in weights)
    error += 2 * (angle_error + math.sqrt(2) * SINGLE) * longest  # q and k are turned
    assert_attends_alike(model(words, weights), scores / math.sqrt(HEAD), error / math.sqrt(HEAD))
    assert differs(model(words, weights), scores)


# ---- mutants -------------------------------------------------------------------------------------------

MUTANTS = [  # (text that occurs once in encodings.py, edit)
    ("x @ w.w_q.T) @ (y @ w.w_k.T).T  # (M, N)", "x @ w.w_k.T) @ (y @ w.w_q.T).T  # (M, N)"),  # W_k asks
    ("x + sinusoid(m, width), y", "x, y"),  # waves on the keys only
    ("y + sinusoid(n, width), m", "y + sinusoid(m[: len(y)], width), m"),  # the queries' positions for the keys
    ("x + sinusoid(m, width)", "x - sinusoid(m, width)"),
    ("x + sinusoid(m, width)", "np.add(x, sinusoid(m, width), out=x)"),  # the caller's words overwritten
    ("x + _rows(w.table, m)", "x + _rows(w.table, m) * 0"),
    ("y + _rows(w.table, n)", "y + _rows(w.table, n[::-1])"),
    ("keys = (y + clipped(w.relative, _offsets(m, n)))", "keys = (y + clipped(w.relative, -_offsets(m, n)))"),  # n − m
    ("keys = (y + clipped(w.relative, _offsets(m, n)))", "keys = (y - clipped(w.relative, _offsets(m, n)))"),
    ('"md,mnd->mn", x @ w.w_q.T, keys', '"md,mnd->mn", x @ w.w_k.T, keys'),
    ("w.w_q @ w.u, w.w_q @ w.v", "w.w_q @ w.v, w.w_q @ w.u"),  # u and v swapped
    ("w.w_q @ w.u, w.w_q @ w.v", "w.w_k @ w.u, w.w_q @ w.v"),
    ("sinusoid(_offsets(m, n), w.w_q.shape[1])", "sinusoid(-_offsets(m, n), w.w_q.shape[1])"),  # n − m
    ("w.w_q.shape[1]) @ w.w_r.T", "w.w_q.shape[1]) @ w.w_k.T"),  # one projection for words and offsets
    ("(q + u) @ (y", "(q) @ (y"),  # the third term dropped
    ("q + v, waves", "q, waves"),  # the fourth term dropped
    ("nope(x, y, m, n, w) + w.bias[bucket", "nope(x, y, m, n, w) - w.bias[bucket"),
    ("bucket(_offsets(m, n), len(w.bias))", "bucket(-_offsets(m, n), len(w.bias))"),
    ("bucket(_offsets(m, n), len(w.bias))", "bucket(_offsets(m, n))"),  # 32 buckets whatever the table holds
    ("(_rows(w.table, m) @ w.u_q.T)", "(_rows(w.table, m) @ w.w_q.T)"),  # tied, not untied
    ("(_rows(w.table, n) @ w.u_k.T).T", "(_rows(w.table, n) @ w.u_q.T).T"),
    ("return t5(x, y, m, n, w) + positions", "return nope(x, y, m, n, w) + positions"),  # bias dropped
    ('"md,mnd->mn", q, vectors @ w.w_k.T', '"md,mnd->mn", q, vectors @ w.w_q.T'),
    ('"mnd,nd->mn", vectors @ w.w_q.T, k', '"mnd,nd->mn", vectors @ w.w_k.T, k'),
    ('"mnd,nd->mn", vectors @ w.w_q.T, k', '"mnd,nd->mn", clipped(w.relative, -_offsets(m, n)) @ w.w_q.T, k'),  # the mirrored offset
    ("+ asked + asking", "+ asked"),
    ("+ asked + asking", "+ asking"),
    ("- w.slope * np.sqrt", "+ w.slope * np.sqrt"),  # far keys preferred
    ("w.slope * np.sqrt(len(w.w_q)) *", "w.slope *"),  # before the division by √D
    ("np.sqrt(len(w.w_q))", "np.sqrt(w.w_q.shape[1])"),  # √C for √D
    ("np.abs(_offsets(m, n))", "_offsets(m, n)"),  # one side only
    ("frequencies(len(w.w_q))", "frequencies(len(w.w_q), 500000.0)"),
    ("rotate(x @ w.w_q.T, m, theta)", "rotate(x @ w.w_q.T, -np.asarray(m), theta)"),  # R_{m+n}
    ("rotate(y @ w.w_k.T, n, theta).T", "(y @ w.w_k.T).T"),  # keys not turned
    ("rotate(x @ w.w_q.T, m", "rotate(x, m, frequencies(w.w_q.shape[1])) @ w.w_q.T + rotate(0 * x @ w.w_q.T, m"),  # turned before W_q
    ('"sinusoidal": sinusoidal, "learned": learned', '"sinusoidal": learned, "learned": sinusoidal'),
    ("[np.sin(turn), np.cos(turn)]", "[np.cos(turn), np.sin(turn)]"),
    ("[np.sin(turn), np.cos(turn)]", "[np.sin(-turn), np.cos(turn)]"),
    ("np.cos(turn)], axis=-1)", "np.cos(turn)], axis=1)"),  # sines first, then cosines
    ("[np.sin(turn), np.cos(turn)]", "[np.sin(np.float32(turn)), np.cos(turn)]"),
    ("frequencies(width, base))", "frequencies(2 * width, base)[: width // 2])"),  # t/C for 2t/C
    ("frequencies(width, base))", "frequencies(width))"),  # base ignored
    ("frequencies(width, base))", "base ** (-np.arange(width // 2) / (width / 2 - 1)))"),  # tensor2tensor's
    ("np.clip(_whole(offsets), -reach, reach)", "_whole(offsets)"),  # not clipped
    ("np.clip(_whole(offsets), -reach, reach)", "np.clip(_whole(offsets), 1 - reach, reach)"),  # the last row unused
    ("-reach, reach) + reach]", "-reach, reach)]"),  # row 0 for offset 0
    ("half, alone = buckets // 2, buckets // 4", "half, alone = buckets, buckets // 2"),  # a decoder's buckets
    ("np.where(offsets < 0, half, 0)", "np.where(offsets > 0, half, 0)"),
    ("np.where(offsets < 0, half, 0)", "np.where(offsets <= 0, half, 0)"),
    ("/ np.log(longest / alone)", "/ np.log(longest)"),
    ("half - 1)", "half)"),  # off by one beyond the last
    ("longest=128", "longest=127"),
    (".astype(int), half", ".round().astype(int), half"),
    ("/ np.sqrt(width)", "/ np.sqrt(head_dim)"),
    ("2 * reach + 1", "2 * reach"),
    ('raise ValueError(f"a table knows', 'str(f"a table knows'),  # fractions rounded
    ("(positions < 0) | (positions >=", "(positions < -len(table)) | (positions >="),  # −1 is the last row
    ("positions >= len(table)", "positions > len(table)"),
    ("if buckets % 4 or not", "if buckets % 2 or not"),
    ("if np.shape(places) != (len(words),):", "if len(places) != len(words):"),
    ("if np.ndim(words) != 2 or np.shape(words)[1] != width:", "if np.shape(words)[-1] != width:"),
]


def mutant(old, new):
    return SimpleNamespace(**mutated(SOURCE, old, new))


@pytest.mark.parametrize("old, new", MUTANTS, ids=[f"{old} → {new}" for old, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(mutant(old, new), CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    """The harness itself breaks nothing: an edit that changes no meaning fails no claim."""
    assert failures(mutant("+ asked + asking", "+ asking + asked"), CLAIMS) == []

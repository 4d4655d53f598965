"""What a RoFormer is made of: blocks, kinds of tokens, T5's bias, dropout, forgetting, refusals; on our code and on broken copies."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from roformer_models import (
    POSITIONS, PRESENT, ROUNDED, SEEN, WAYS, B, C, D, H, T, V, claim_tests, gelu, model, near, normal, normalised, silent, words,
)  # fmt: skip
from rotation_claims import EPS, refuse
from torch import nn

from ropebook import encodings, linear, roformer
from ropebook.rotation_torch import apply_table, rotation_table

# ---- blocks --------------------------------------------------------------------------------------


def fed_forward(x, first, second):
    """W₂ gelu(W₁ x + b₁) + b₂."""
    return gelu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias


def blocks_are_the_chains_of_their_docstring(lib):
    for norm in ("pre-LN", "post-LN"):
        made = model(lib, norm=norm, epsilon=0.1)
        block, x = made.blocks[0], normal(B, T, C)
        places, (second, *layers) = made.places(POSITIONS, x), [block.feed_forward[i] for i in (0, 1, 3)]
        after = lambda x, norm, f: normalised(x + f(x), norm, 0.1) if made.config.norm == "post-LN" else x + f(normalised(x, norm, 0.1))
        middle = after(x, block.attention_norm, lambda x: block.attention(x, places))
        near(block(x, places), after(middle, second, lambda x: fed_forward(x, *layers)))


def only_pre_ln_normalises_at_the_end(lib):
    for norm in ("pre-LN", "post-LN"):
        made = model(lib, norm=norm, layers=1)
        x = normalised(made.embedding(words()), made.embedding_norm, 1e-5)
        x = made.blocks[0](x, made.places(POSITIONS, x))
        near(made.encode(words(), POSITIONS), normalised(x, made.norm, 1e-5) if norm == "pre-LN" else x)
        assert ("norm.weight" in made.state_dict()) == (norm == "pre-LN")


def gradients_reach_every_weight(lib):
    for norm in ("pre-LN", "post-LN"):
        for encoding in lib.ENCODINGS:
            made = model(lib, norm=norm, encoding=encoding, inner=24, embedding=10, transform=True, segments=2)
            made(words(), POSITIONS, PRESENT, PRESENT, words() % 2).square().mean().backward()
            assert silent(made) == [], (norm, encoding)


def sizes_are_those_of_the_config(lib):
    for inner, wide in ((0, 4 * C), (7, 7)):
        assert {block.feed_forward[1].out_features for block in model(lib, inner=inner).blocks} == {wide}
    made = model(lib, embedding=10, transform=True, segments=3, encoding="learned", longest=T)
    shapes = {name: tuple(weight.shape) for name, weight in made.named_parameters()}
    expected = {"embedding": (V, 10), "segment_embedding": (3, 10), "position_embedding": (T, 10), "widen": (C, 10)}
    assert {name: shapes[f"{name}.weight"] for name in expected} == expected
    assert not any(name.startswith("widen") for name in model(lib).state_dict())
    waves = model(lib, encoding="sinusoidal", embedding=10, transform=True).add_positions(torch.zeros(1, T, 10), POSITIONS)
    assert waves.shape == (1, T, 10)


def transform_is_a_layer_before_the_scores(lib):
    made = model(lib, transform=True, embedding=10, epsilon=0.1)
    layer, _, norm = made.transform
    h = gelu(made.encode(words(), POSITIONS) @ layer.weight.T + layer.bias)
    near(made(words(), POSITIONS), normalised(h, norm, 0.1) @ made.embedding.weight.T + made.bias)


def epsilon_reaches_every_normalisation(lib):
    for changes, epsilon in (({}, 1e-5), ({"epsilon": 0.1}, 0.1)):
        norms = [m for m in model(lib, transform=True, **changes).modules() if isinstance(m, nn.LayerNorm)]
        assert len(norms) == 1 + 2 * 2 + 1 + 1 and {norm.eps for norm in norms} == {epsilon}


def rotated_values_see_absolute_positions(lib):
    """Without them a shift of 1000 leaves features of order 1 to angles' rounding, 1000 EPS a token: 1e-10 after two blocks."""
    for turned in (False, True):
        made = model(lib, rotate_values=turned)
        change = (made.encode(words(), POSITIONS + 1000) - made.encode(words(), POSITIONS)).abs().max()
        assert change > SEEN if turned else change < 1e-10
        q, k, v = normal(3, B, H, T, D)
        table = rotation_table(POSITIONS, made.theta, torch.float64)
        weights = (apply_table(q, table) @ apply_table(k, table).mT / D**0.5).softmax(-1)
        got = made.blocks[0].attention.mix(q, k, v, made.places(POSITIONS, q))
        near(got, weights @ (apply_table(v, table) if turned else v))


def rivals_start_from_the_same_weights(lib):
    """What RoPE's model has fits into every rival; only the rival's own table is left. With the same seed all of it is repeated."""
    shared = model(lib).state_dict()
    own = {"learned": ["position_embedding.weight"], "T5": ["offset_embedding.weight"]}
    for encoding in lib.ENCODINGS:
        rival = model(lib, encoding=encoding)
        keys = rival.load_state_dict(shared, strict=False)
        assert (keys.missing_keys, keys.unexpected_keys) == (own.get(encoding, []), []), encoding
        assert all(torch.equal(rival.state_dict()[name], weight) for name, weight in shared.items())
        again, once = (model(lib, encoding=encoding).state_dict() for _ in range(2))
        assert all(torch.equal(again[name], once[name]) for name in again)


# ---- positions, segments, T5's bias ----------------------------------------------------------------


def positions_come_as_list_array_or_tensor(lib):
    for way in WAYS:
        made = model(lib, causal=True, **way)
        right = made.encode(words(), POSITIONS)
        for positions in (list(range(T)), np.arange(T), POSITIONS.float(), POSITIONS.bfloat16(), POSITIONS.int()):
            assert torch.equal(made.encode(words(), positions), right), (way, type(positions))


def what_places_gives_has_the_precision_of_x(lib):
    """But for the table, which half precision would spoil."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        x = torch.zeros(1, T, C, dtype=dtype)
        assert model(lib).places(POSITIONS, x).table.dtype == (torch.complex128 if dtype == torch.float64 else torch.complex64)
        assert model(lib, encoding="ALiBi").places(POSITIONS, x).bias.dtype == dtype
        assert model(lib).to(dtype).theta.dtype == np.float64


def segments_tell_tokens_apart(lib):
    made, kinds = model(lib, segments=2), (POSITIONS >= 5).long().expand(B, T)
    plain = made.encode(words(), POSITIONS)
    assert torch.equal(made.encode(words(), POSITIONS, segments=torch.zeros_like(kinds)), plain)
    assert (made.encode(words(), POSITIONS, segments=kinds) - plain).abs().amax(-1).min() > SEEN
    x = made.embedding(words()) + made.segment_embedding.weight[kinds]
    x = normalised(x, made.embedding_norm, 1e-5)
    for block in made.blocks:
        x = block(x, made.places(POSITIONS, x))
    near(made.encode(words(), POSITIONS, segments=kinds), normalised(x, made.norm, 1e-5))
    with pytest.raises(IndexError):
        made.encode(words(), POSITIONS, segments=kinds + 1)
    refuse(lambda: model(lib).encode(words(), POSITIONS, segments=kinds), "segments", "0")


def t5_adds_what_the_encoding_of_chapter_2_does(lib):
    """There before the division by √D, here after it: numbers √D times as large give the same, to a product, a root and a quotient."""
    made, places = model(lib, encoding="T5"), np.array([0.0, 1, 3, 7, 8, 40, 41, 130, 1000])
    got = made.places(places, torch.zeros(1, dtype=torch.float64)).bias.detach().numpy()
    weights = encodings.random_weights(np.random.default_rng(0), width=6, head_dim=D, longest=1, reach=1)
    no_words = np.zeros((len(places), 6))
    for head, numbers in enumerate(made.offset_embedding.weight.detach().numpy().T):
        ours = encodings.Weights(**{**vars(weights), "bias": numbers * np.sqrt(D)})
        expected = encodings.t5(no_words, no_words, places, places, ours) / np.sqrt(D)
        np.testing.assert_allclose(got[head], expected, rtol=4 * EPS, atol=0)
    q, k, v = normal(3, B, H, len(places), D)
    mixed = made.blocks[0].attention.mix(q, k, v, made.places(places, q))
    near(mixed, (q @ k.mT / D**0.5 + torch.from_numpy(got)).softmax(-1) @ v)


def t5_has_a_number_for_each_bucket_and_head(lib):
    assert model(lib, encoding="T5").offset_embedding.weight.shape == (32, H)
    behind = lib.buckets([0, *range(1, 8), 90, 128, 129, 10_000])[:, 0].tolist()
    ahead = lib.buckets([0, *range(1, 8), 90, 128, 129, 10_000])[0].tolist()
    assert behind[:8] == list(range(8)) and ahead[1:8] == list(range(17, 24))
    assert behind[8:] == [14, 15, 15, 15] and ahead[8:] == [30, 31, 31, 31]
    made = model(lib, encoding="T5")
    refuse(lambda: made.encode(words(), POSITIONS + 0.5 * (POSITIONS == 3)), "whole offsets", ".5")


# ---- dropout, forgetting, half precision ----------------------------------------------------------


def share(x):
    """Of zeros, and how far chance may take it: five standard deviations of so many draws."""
    return (x == 0).double().mean().item(), 5 * (0.25 * 0.75 / x.numel()) ** 0.5


def dropout_is_off_when_not_training(lib):
    right = model(lib).eval().encode(words(), POSITIONS)
    made = model(lib, dropout=0.5)
    assert torch.equal(made.eval().encode(words(), POSITIONS), right)
    made.train()
    assert (made.encode(words(), POSITIONS) - made.encode(words(), POSITIONS)).abs().max() > SEEN


def dropout_drops_its_share_everywhere(lib):
    """Of embeddings, of what both sublayers of a block add, and of attention's weights; what stays is enlarged by 1/(1 − p)."""
    made, dropped, tokens = model(lib, dropout=0.25, width=64, layers=2), [], words(batch=100)
    for module in made.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda _, given, got: dropped.append((given[0], got)))
    made.train().encode(tokens, POSITIONS)
    assert len(dropped) == 1 + 2 * 2
    q, k, _ = normal(3, 100, H, 32, 32)
    eye = torch.eye(32, dtype=torch.float64).expand(100, H, 32, 32)
    for places in (made.places(range(32), q), made.places(range(32), q, torch.ones(100, 32, dtype=torch.bool))):
        dropped.append([made.train(on).blocks[0].attention.mix(q, k, eye, places) for on in (False, True)])
    for given, got in dropped:
        zeros, chance = share(got)
        assert abs(zeros - 0.25) < chance
        near(got[got != 0], given[got != 0] / 0.75)


def kept_bytes(made, step):
    """How much the step keeps for its gradients, each piece of memory once, and what it returns."""
    kept = {}

    def pack(x):
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes(), x  # x stays, so that no other takes its place
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        out = step()
    return sum(size for size, _ in kept.values()), out


def forgetting_blocks_saves_memory_and_changes_nothing(lib):
    """The same kernels on the same numbers: the same bits, with dropout too. Unseen by the hooks each block's input is kept: L B T C."""
    for changes in ({}, {"encoding": "T5"}, {"dropout": 0.25}, {"attention": "equation 19"}):
        results = []
        for on in (False, True):
            made = model(lib, layers=4, **changes)
            assert made.checkpointing is False
            made.checkpointing = on
            torch.manual_seed(1)
            size, loss = kept_bytes(made, lambda: made(words(), POSITIONS, present=PRESENT).square().mean())
            loss.backward()
            results.append((size, loss, [w.grad for w in made.parameters()]))
        (size, loss, grads), (less, same_loss, same_grads) = results
        assert less + 4 * B * T * C * 8 < size / 3, (size, less)
        assert torch.equal(loss, same_loss) and all(map(torch.equal, grads, same_grads))


def half_precision_stays_near(lib):
    """bfloat16 keeps 8 bits: a rounding is off by 2⁻⁹ of a number. In each of two blocks four products round both factors and the
    result, turning rounds twice, weights, gelu and sums once each: some 18, and 4 outside; 40 errors that know nothing of each other
    add up to √40 · 2⁻⁹ of the logits' norm, and twice as much is allowed. Positions are not rounded: far from 0, where bfloat16 knows
    only every 32nd, the same holds."""
    for changes in ({}, {"embedding": 10, "transform": True}, {"attention": "equation 19"}, {"encoding": "ALiBi"}, {"encoding": "T5"}):
        made, exact = model(lib, **changes).float(), model(roformer, **changes)
        for shift in (0, 5000):
            right = exact(words(), POSITIONS + shift)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                got = made(words(), POSITIONS + shift, present=torch.ones(B, T, dtype=torch.bool))
                loss = F.cross_entropy(got.float().flatten(0, 1), words(seed=3).flatten())
            off = (got.double() - right).norm() / right.norm()
            assert got.dtype == torch.bfloat16 and 2**-12 < off < 2 * 40**0.5 * 2**-9, (changes, shift, off)
            loss.backward()
            assert loss.isfinite() and silent(made) == []


# ---- refusals -------------------------------------------------------------------------------------

REFUSED = [
    *[({name: value}, name, repr(value), "whole number of at least 1")
      for name in ("vocabulary", "width", "heads", "layers", "longest") for value in (0, -4, 2.5, "8", None)],
    *[({name: value}, name, repr(value), "whole number of at least 0")
      for name in ("inner", "embedding", "segments") for value in (-1, 0.5, "8", None)],
    *[({name: value}, name, repr(value), "at least 0 and below 1")
      for name in ("dropout", "epsilon") for value in (-0.1, 1, 1.5, float("nan"))],
    ({"encoding": "rope"}, "encoding", "'rope'", *roformer.ENCODINGS),
    ({"attention": "linear"}, "attention", "'linear'", "softmax", *linear.FORMS),
    ({"norm": "post"}, "norm", "'post'", "pre-LN", "post-LN"),
    *[({"width": width, "heads": heads}, "even multiple", str(width), str(heads)) for width, heads in ((30, 4), (36, 4), (20, 4), (7, 7))],
    *[({"attention": form, "encoding": encoding}, form, encoding, "must be RoPE")
      for form in linear.FORMS if form != "plain" for encoding in roformer.ENCODINGS[1:]],
    *[({"attention": "plain", "encoding": encoding}, "plain", encoding, "no place") for encoding in ("RoPE", "ALiBi", "T5")],
    *[({"rotate_values": True, **other}, "rotate_values", "RoPE", "softmax", *other.values())
      for other in ({"encoding": "T5"}, {"attention": "equation 19"}, {"encoding": "NoPE", "attention": "plain"})],
]  # fmt: skip


def impossible_configs_are_refused(lib):
    for changes, *shown in REFUSED:
        refuse(lambda: lib.RoFormerConfig(**{"vocabulary": V, **changes}), *shown)
    for fine in ({"dropout": 0.0, "epsilon": 0.999}, {"inner": 1, "embedding": 1, "segments": 0}, {"width": 8, "heads": 4}):
        lib.RoFormerConfig(V, **fine)


def scores_need_a_way_back_to_the_embedding(lib):
    refuse(lambda: lib.RoFormer(lib.RoFormerConfig(V, width=C, heads=H, embedding=10)), "transform", "16", "10")
    lib.RoFormer(lib.RoFormerConfig(V, width=C, heads=H, embedding=C))


CLAIMS = [
    blocks_are_the_chains_of_their_docstring, only_pre_ln_normalises_at_the_end, gradients_reach_every_weight,
    sizes_are_those_of_the_config, transform_is_a_layer_before_the_scores, epsilon_reaches_every_normalisation,
    rotated_values_see_absolute_positions, rivals_start_from_the_same_weights, positions_come_as_list_array_or_tensor,
    what_places_gives_has_the_precision_of_x, segments_tell_tokens_apart, t5_adds_what_the_encoding_of_chapter_2_does,
    t5_has_a_number_for_each_bucket_and_head, dropout_is_off_when_not_training, dropout_drops_its_share_everywhere,
    forgetting_blocks_saves_memory_and_changes_nothing, half_precision_stays_near, impossible_configs_are_refused,
    scores_need_a_way_back_to_the_embedding,
]  # fmt: skip

MUTANTS = [
    (blocks_are_the_chains_of_their_docstring,
     "return norm(x + self.dropout(sublayer(x)))", "return norm(x) + self.dropout(sublayer(x))"),
    (blocks_are_the_chains_of_their_docstring,
     "return x + self.dropout(sublayer(norm(x)))", "return norm(x) + self.dropout(sublayer(norm(x)))"),
    (blocks_are_the_chains_of_their_docstring, "self.feed_forward[0], self.feed_forward[1:]", "self.attention_norm, self.feed_forward[1:]"),
    (blocks_are_the_chains_of_their_docstring, 'nn.GELU(), nn.Linear(inner,', 'nn.ReLU(), nn.Linear(inner,'),
    (only_pre_ln_normalises_at_the_end, 'nn.Identity() if config.norm == "post-LN" else', 'nn.Identity() if config.norm == "pre-LN" else'),
    (gradients_reach_every_weight, "        return self.norm(x)", "        return x"),
    (sizes_are_those_of_the_config, "config.inner or 4 * config.width", "4 * config.width"),
    (sizes_are_those_of_the_config, "config.embedding or config.width", "config.width"),
    (transform_is_a_layer_before_the_scores, "            x = self.transform(x)", "            x = self.transform[0](x)"),
    (epsilon_reaches_every_normalisation, "nn.LayerNorm(features, config.epsilon))", "nn.LayerNorm(features))"),
    (rotated_values_see_absolute_positions, "if self.rotate_values else v", "if not self.rotate_values else v"),
    (rotated_values_see_absolute_positions, "if self.rotate_values else v", "if False else v"),
    (rivals_start_from_the_same_weights, 'if config.encoding == "T5":\n            self', 'if True:\n            self'),
    (positions_come_as_list_array_or_tensor, "positions.cpu().double() if torch.is_tensor(positions) else positions", "positions"),
    (what_places_gives_has_the_precision_of_x, "config.heads).to(x)", "config.heads).to(x.device)"),
    (what_places_gives_has_the_precision_of_x, "torch.float64 if x.dtype == torch.float64 else torch.float32", "torch.float32"),
    (segments_tell_tokens_apart, "torch.zeros_like(tokens) if segments is None else segments", "torch.zeros_like(tokens)"),
    (segments_tell_tokens_apart,
     "torch.zeros_like(tokens) if segments is None else segments", "torch.ones_like(tokens) if segments is None else segments"),
    (segments_tell_tokens_apart, "if segments is not None and not self.config.segments", "if False"),
    (t5_adds_what_the_encoding_of_chapter_2_does, "bucket(places[:, None] - places, BUCKETS)", "bucket(places - places[:, None], BUCKETS)"),
    (t5_has_a_number_for_each_bucket_and_head,
     "bucket(places[:, None] - places, BUCKETS)", "bucket(places[:, None] - places, BUCKETS, 64)"),
    (t5_has_a_number_for_each_bucket_and_head,
     "bucket(places[:, None] - places, BUCKETS)", "bucket((places[:, None] - places).astype(int), BUCKETS)"),
    (t5_adds_what_the_encoding_of_chapter_2_does, ".movedim(-1, 0)", ".movedim(-1, 0) / config.head_dim**0.5"),
    (t5_adds_what_the_encoding_of_chapter_2_does, ".movedim(-1, 0)", ".mean(-1)"),
    (dropout_drops_its_share_everywhere, "self.dropout(sublayer(norm(x)))", "sublayer(norm(x))"),
    (dropout_drops_its_share_everywhere,
     "self.widen(self.embedding_dropout(self.embedding_norm(x)))", "self.widen(self.embedding_norm(x))"),
    (dropout_drops_its_share_everywhere, "v, attn_mask=places.bias.to(q.dtype), dropout_p=rate", "v, attn_mask=places.bias.to(q.dtype)"),
    (dropout_drops_its_share_everywhere, "v, is_causal=self.causal, dropout_p=rate", "v, is_causal=self.causal"),
    (dropout_is_off_when_not_training, "v, is_causal=self.causal, dropout_p=rate", "v, is_causal=self.causal, dropout_p=self.dropout"),
    (forgetting_blocks_saves_memory_and_changes_nothing, "if self.checkpointing and self.training else", "if False else"),
    (forgetting_blocks_saves_memory_and_changes_nothing, "use_reentrant=False", "use_reentrant=False, preserve_rng_state=False"),
    (half_precision_stays_near,
     "rotation_table(positions, self.theta, working, x.device)", "rotation_table(positions.bfloat16(), self.theta, working, x.device)"),
    (impossible_configs_are_refused, "self.width % (2 * self.heads)", "self.width % self.heads"),
    (impossible_configs_are_refused, "if not 0 <= getattr(self, name) < 1", "if getattr(self, name) < 0 or getattr(self, name) >= 1"),
    (impossible_configs_are_refused, 'self.encoding in ("RoPE", "ALiBi", "T5")', 'self.encoding in ("RoPE", "ALiBi")'),
    (impossible_configs_are_refused, '!= ("RoPE", "softmax")', '== ("T5", "softmax")'),
    (scores_need_a_way_back_to_the_embedding, "elif features != config.width", "elif False"),
]  # fmt: skip


test_claim_holds, test_mutant_is_caught = claim_tests({roformer: CLAIMS}, MUTANTS)

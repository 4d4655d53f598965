"""What sorts, matches and translates texts: a RoFormer with other heads; on our code and on broken copies."""

import torch
import torch.nn.functional as F
from roformer_models import (
    POSITIONS, PRESENT, SEEN, WAYS, B, C, T, V, claim_tests, config, gelu, near, normal, random_weights, silent, words,
)  # fmt: skip
from rotation_claims import EPS, refuse

from ropebook import roformer

S = 9
SOURCE = words(seed=4)[:, :S]
SOURCE_PRESENT = PRESENT[:, :S]  # three texts with padding before, after and inside
NOBODY = torch.zeros(1, T, dtype=torch.bool)


def classifier(lib, pooling="mean", **changes):
    torch.manual_seed(0)
    return random_weights(lib.Classifier(config(lib, **changes), 5, pooling))


def matcher(lib, **changes):
    torch.manual_seed(0)
    return random_weights(lib.Matcher(config(lib, **changes)))


def translator(lib, **changes):
    torch.manual_seed(0)
    return random_weights(lib.Translator(config(lib, **changes)))


def with_an_empty_text(tokens, present):
    return torch.cat([tokens, tokens[:1]]), torch.cat([present, torch.zeros_like(present[:1])])


# ---- the classifier -------------------------------------------------------------------------------


def classes_are_scored_from_the_mean_or_the_first(lib):
    for pooling in ("mean", "first"):
        made = classifier(lib, pooling, segments=2)
        for present in (None, PRESENT):
            x = made.encode(words(), POSITIONS, present, words() % 2)
            here = torch.ones(B, T, dtype=torch.bool) if present is None else present
            mean = torch.stack([row[seen].mean(0) for row, seen in zip(x, here)])
            h = gelu((mean if pooling == "mean" else x[:, 0]) @ made.hidden.weight.T + made.hidden.bias)
            right = h @ made.output.weight.T + made.output.bias
            assert right.shape == (B, 5)
            near(made(words(), POSITIONS, present, words() % 2), right)


def padding_does_not_change_a_class(lib):
    other = torch.where(PRESENT, words(), (words() + 1) % V)
    for way in WAYS:
        made = classifier(lib, **way)
        got = made(words(), POSITIONS, PRESENT)
        near(made(other, POSITIONS, PRESENT), got)
        assert (made(other, POSITIONS) - made(words(), POSITIONS)).abs().max() > SEEN
        for scores, text, here in zip(got, words(), PRESENT):
            near(scores, made(text[None, here], POSITIONS[here])[0])


def an_empty_text_has_a_class_too(lib):
    """Whatever it is, it is a number, and gradients stay what they are without it."""
    for pooling in ("mean", "first"):
        gradients = []
        for tokens, present in ((words(), PRESENT), with_an_empty_text(words(), PRESENT)):
            made = classifier(lib, pooling)
            scores = made(tokens, POSITIONS, present)
            assert scores.isfinite().all()
            scores[:B].square().sum().backward()
            gradients.append([w.grad for w in made.parameters()])
        for right, got in zip(*gradients):
            near(got, right)


def gradients_reach_every_weight_of_a_classifier(lib):
    for pooling in ("mean", "first"):
        made = classifier(lib, pooling)
        made(words(), POSITIONS).square().sum().backward()
        assert silent(made) == []


def a_classifier_drops_before_and_after_its_layer(lib):
    """Of ones, gelu(100) = 100, as many stay as two draws leave, to five standard deviations; they are enlarged twice."""
    made = classifier(lib, dropout=0.25)
    made.hidden = made.output = torch.nn.Identity()
    made.encode = lambda *given: torch.full((500, T, C), 100.0)
    got, kept = made.train()(words(), POSITIONS), 0.75**2
    assert abs((got != 0).double().mean() - kept) < 5 * (kept * (1 - kept) / got.numel()) ** 0.5
    torch.testing.assert_close(got[got != 0], torch.full_like(got[got != 0], 100 / kept))
    assert torch.equal(made.eval()(words(), POSITIONS), torch.full((500, C), 100.0))


def impossible_classifiers_are_refused(lib):
    for classes in (0, -1, 2.5, "2"):
        refuse(lambda: lib.Classifier(config(lib), classes), "classes", "at least 1", repr(classes))
    refuse(lambda: lib.Classifier(config(lib), 2, "max"), "pooling", "mean", "first", "'max'")


# ---- the matcher ----------------------------------------------------------------------------------


def texts_are_vectors_of_length_1(lib):
    """Squares, a sum of C, a root and a quotient."""
    made = matcher(lib)
    for present in (None, PRESENT):
        got = made(words(), POSITIONS, present)
        assert got.shape == (B, C)
        near(got.norm(dim=-1), torch.ones(B, dtype=torch.float64), (C + 8) * EPS)
        x = made.encode(words(), POSITIONS, present)
        here = torch.ones(B, T, dtype=torch.bool) if present is None else present
        mean = torch.stack([row[seen].mean(0) for row, seen in zip(x, here)])
        near(got, mean / mean.square().sum(-1, keepdim=True).sqrt())


def padding_does_not_change_a_vector(lib):
    other = torch.where(PRESENT, words(), (words() + 1) % V)
    for way in WAYS:
        made = matcher(lib, **way)
        got = made(words(), POSITIONS, PRESENT)
        near(made(other, POSITIONS, PRESENT), got)
        for vector, text, here in zip(got, words(), PRESENT):
            near(vector, made(text[None, here], POSITIONS[here])[0])


def an_empty_text_is_like_nothing(lib):
    made = matcher(lib)
    got = made(words()[:1], POSITIONS, NOBODY)
    assert torch.equal(got, torch.zeros(1, C, dtype=torch.float64))
    got.sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in made.parameters())


def gradients_reach_every_weight_of_a_matcher(lib):
    made = matcher(lib)
    (made(words(), POSITIONS) @ made(words(seed=3), POSITIONS).mT).square().sum().backward()
    assert silent(made) == []


# ---- the translator -------------------------------------------------------------------------------


def all_of_a_translator_shares_one_matrix(lib):
    """Listed once, so that an optimiser moves it once; read back from a file it is still one."""
    made = translator(lib)
    assert made.decoder.embedding is made.encoder.embedding
    assert [name for name, w in made.named_parameters() if w.shape == (V, C)] == ["encoder.embedding.weight"]
    optimiser = torch.optim.SGD(made.parameters(), lr=0.1)
    assert sum(w is made.encoder.embedding.weight for group in optimiser.param_groups for w in group["params"]) == 1
    before = made.encoder.embedding.weight.detach().clone()
    made(SOURCE, words()).square().sum().backward()
    optimiser.step()
    near(made.decoder.embedding.weight, before - 0.1 * made.encoder.embedding.weight.grad)
    x = made.decoder.encode(words(), POSITIONS, source=made.read(SOURCE))
    near(made(SOURCE, words()), x @ made.encoder.embedding.weight.T + made.bias)
    torch.manual_seed(7)
    other = lib.Translator(config(lib)).double()
    assert (other(SOURCE, words()) - made(SOURCE, words())).abs().max() > SEEN
    other.load_state_dict(made.state_dict())
    assert other.decoder.embedding is other.encoder.embedding
    assert torch.equal(other(SOURCE, words()), made(SOURCE, words()))


def a_translator_sees_its_own_past_and_all_of_the_source(lib):
    """Whatever config.causal says."""
    later = torch.where(POSITIONS < 7, words(), (words() + 1) % V)
    for way in WAYS:
        for causal in (False, True):
            made = translator(lib, causal=causal, **way)
            right = made(SOURCE, words())
            change = (made(SOURCE, later) - right).abs().amax(-1)  # (B, T)
            near(change[:, :7], torch.zeros_like(change[:, :7]))
            assert change[:, 7:].min() > 1e-5  # of a score, a product with a small embedding
            for place in (0, S - 1):
                changed = SOURCE.clone()
                changed[:, place] = (SOURCE[:, place] + 1) % V
                assert (made.read(changed) - made.read(SOURCE)).abs().amax(-1).min() > 1e-5  # every token of the source sees it
                assert (made(changed, words()) - right).abs().amax(-1).min() > 1e-6


def padding_of_the_source_is_not_read(lib):
    other = torch.where(SOURCE_PRESENT, SOURCE, (SOURCE + 1) % V)
    for way in WAYS:
        made = translator(lib, **way)
        got = made(SOURCE, words(), SOURCE_PRESENT)
        near(made(other, words(), SOURCE_PRESENT), got)
        for b, here in enumerate(SOURCE_PRESENT):
            memory = made.encoder.encode(SOURCE[b : b + 1, here], torch.arange(S)[here])
            near(got[b], made.write(words()[b : b + 1], memory)[0])


def an_empty_source_harms_no_other(lib):
    gradients = []
    for source, present in ((SOURCE, SOURCE_PRESENT), with_an_empty_text(SOURCE, SOURCE_PRESENT)):
        made = translator(lib)
        scores = made(source, words(batch=len(source)), present)
        assert scores.isfinite().all()
        scores[:B].square().sum().backward()
        gradients.append([w.grad for w in made.parameters()])
    for right, got in zip(*gradients):
        near(got, right)


def a_translation_looks_at_its_source_without_positions(lib):
    """Moving the translation leaves it, and so does shuffling what was read; the offsets among its own words matter."""
    order = torch.randperm(S, generator=torch.Generator().manual_seed(2))
    for way in ({"encoding": "RoPE"}, {"encoding": "T5"}, {"encoding": "ALiBi"}, {"attention": "equation 19"}):
        made = translator(lib, **way)
        memory = made.read(SOURCE)
        write = lambda positions, memory: made.decoder.encode(words(), positions, source=memory)
        near(write(POSITIONS + 100, memory), write(POSITIONS, memory), 1e-10)  # angles' rounding, 100 EPS a token
        near(write(POSITIONS, memory[:, order]), write(POSITIONS, memory))
        near(made.encoder.encode(SOURCE, torch.arange(S) + 100), memory, 1e-10)
        assert (write(2 * POSITIONS, memory) - write(POSITIONS, memory)).abs().max() > SEEN


def looking_at_the_source_is_attention(lib):
    """By hand, head by head: softmax(q k/√D) v of present words."""
    made = translator(lib)
    cross, x, source = made.decoder.blocks[0].cross, normal(B, T, C), normal(B, S, C, seed=3)
    q = cross.query(x)
    k, v = cross.key_value(source).chunk(2, dim=-1)
    mixed = torch.empty(B, T, C, dtype=torch.float64)
    for b, here in enumerate(SOURCE_PRESENT):
        for head in (slice(0, C // 2), slice(C // 2, C)):
            scores = q[b, :, head] @ k[b, here, head].T / (C // 2) ** 0.5
            mixed[b, :, head] = scores.softmax(-1) @ v[b, here, head]
    near(cross(x, source, SOURCE_PRESENT), cross.output(mixed))


def the_last_scores_are_the_last_of_all(lib):
    made = translator(lib)
    memory = made.read(SOURCE, SOURCE_PRESENT)
    full = made.write(words(), memory, SOURCE_PRESENT)
    last = made.write(words(), memory, SOURCE_PRESENT, last=True)
    assert full.shape == (B, T, V) and last.shape == (B, 1, V)
    near(last, full[:, -1:])
    assert torch.equal(made(SOURCE, words(), SOURCE_PRESENT), full)


def gradients_reach_every_weight_of_a_translator(lib):
    """With blocks that forget, the same ones: what was read gets its gradient, too."""
    for way in WAYS:
        gradients = []
        for on in (False, True):
            made = translator(lib, dropout=0.1 if way == {"norm": "post-LN"} else 0.0, **way)
            made.encoder.checkpointing = made.decoder.checkpointing = on
            torch.manual_seed(1)
            F.cross_entropy(made(SOURCE, words(), SOURCE_PRESENT).flatten(0, 1), words(seed=5).flatten()).backward()
            assert silent(made) == []
            gradients.append([w.grad for w in made.parameters()])
        assert all(map(torch.equal, *gradients))


def looking_at_the_source_drops_weights(lib):
    """With values that are the unit vectors, what is mixed is the weights: a quarter is dropped, to five standard deviations."""
    made = lib.CrossAttention(config(lib, dropout=0.25)).double()
    made.key_value = made.output = torch.nn.Identity()
    eye = torch.eye(8, dtype=torch.float64).expand(500, 8, 8)
    x, source = normal(500, T, C), torch.cat([normal(500, 8, C), eye, eye], dim=-1)  # keys, and values of both heads
    right, got = (made.train(on)(x, source, None) for on in (False, True))
    assert abs((got == 0).double().mean() - 0.25) < 5 * (0.25 * 0.75 / got.numel()) ** 0.5
    near(got[got != 0], right[got != 0] / 0.75)


def a_translator_needs_embeddings_as_wide_as_itself(lib):
    refuse(lambda: translator(lib, embedding=10), "embedding", "16", "10")
    translator(lib, embedding=C)


CLAIMS = [
    classes_are_scored_from_the_mean_or_the_first, padding_does_not_change_a_class, an_empty_text_has_a_class_too,
    gradients_reach_every_weight_of_a_classifier, a_classifier_drops_before_and_after_its_layer, impossible_classifiers_are_refused,
    texts_are_vectors_of_length_1, padding_does_not_change_a_vector, an_empty_text_is_like_nothing,
    gradients_reach_every_weight_of_a_matcher, all_of_a_translator_shares_one_matrix,
    a_translator_sees_its_own_past_and_all_of_the_source, padding_of_the_source_is_not_read,
    an_empty_source_harms_no_other, a_translation_looks_at_its_source_without_positions, looking_at_the_source_is_attention,
    the_last_scores_are_the_last_of_all, gradients_reach_every_weight_of_a_translator, looking_at_the_source_drops_weights,
    a_translator_needs_embeddings_as_wide_as_itself,
]  # fmt: skip

MUTANTS = [
    (classes_are_scored_from_the_mean_or_the_first, "return x[:, 0]", "return x[:, -1]"),
    (classes_are_scored_from_the_mean_or_the_first, "return x.mean(1)", "return x.amax(1)"),
    (classes_are_scored_from_the_mean_or_the_first, 'pooling="mean"):', 'pooling="first"):\n        pooling = "first"'),
    (classes_are_scored_from_the_mean_or_the_first, "F.gelu(self.hidden(self.dropout(x)))", "F.relu(self.hidden(self.dropout(x)))"),
    (classes_are_scored_from_the_mean_or_the_first,
     "_pooled(self.encode(tokens, positions, present, segments)", "_pooled(self.encode(tokens, positions, present)"),
    (padding_does_not_change_a_class, "    if present is None:\n        return x.mean(1)", "    if True:\n        return x.mean(1)"),
    (padding_does_not_change_a_class, "/ weights.sum(1).clamp(min=1)", "/ x.shape[1]"),
    (an_empty_text_has_a_class_too, ".clamp(min=1)", ""),
    (a_classifier_drops_before_and_after_its_layer, "self.hidden(self.dropout(x))", "self.hidden(x)"),
    (a_classifier_drops_before_and_after_its_layer, "self.output(self.dropout(F.gelu", "self.output((F.gelu"),
    (impossible_classifiers_are_refused, "isinstance(classes, int) or classes < 1", "isinstance(classes, int) or classes < 0"),
    (impossible_classifiers_are_refused, 'not in ("mean", "first")', 'not in ("mean", "first", "max")'),
    (texts_are_vectors_of_length_1, 'present, "mean"), dim=-1)', 'present, "mean"), dim=0)'),
    (texts_are_vectors_of_length_1, 'present, "mean"), dim=-1)', 'present, "first"), dim=-1)'),
    (padding_does_not_change_a_vector, '_pooled(self.encode(tokens, positions, present), present, "mean")',
     '_pooled(self.encode(tokens, positions, present), None, "mean")'),
    (padding_does_not_change_a_vector, '_pooled(self.encode(tokens, positions, present), present, "mean")',
     '_pooled(self.encode(tokens, positions), present, "mean")'),
    (all_of_a_translator_shares_one_matrix, "        self.decoder.embedding = self.encoder.embedding\n", ""),
    (all_of_a_translator_shares_one_matrix,
     "self.decoder.embedding = self.encoder.embedding", "self.decoder.embedding.weight.data = self.encoder.embedding.weight.data"),
    (a_translator_sees_its_own_past_and_all_of_the_source, "Stack(replace(config, causal=False))", "Stack(config)"),
    (a_translator_sees_its_own_past_and_all_of_the_source, "replace(config, causal=True)", "config"),
    (a_translator_sees_its_own_past_and_all_of_the_source, "        if source is not None:", "        if False:"),
    (padding_of_the_source_is_not_read, "torch.arange(source.shape[1]), present)", "torch.arange(source.shape[1]))"),
    (padding_of_the_source_is_not_read, "mask = None if present is None else present[:, None, None]", "mask = None"),
    (padding_of_the_source_is_not_read, "else present[:, None, None]  # (B, 1, 1, S)", "else ~present[:, None, None]"),
    (looking_at_the_source_is_attention, "(2, self.heads, -1)).permute(2, 0, 3, 1, 4)", "(self.heads, 2, -1)).permute(3, 0, 2, 1, 4)"),
    (a_translation_looks_at_its_source_without_positions, "self.cross(normed, source, source_present)",
     "self.cross(normed, apply_table(source, rotation_table(range(source.shape[1]), frequencies(source.shape[2]), x.dtype)), source_present)"),
    (looking_at_the_source_is_attention, "        q = self.query(x)",
     "        x = x + torch.arange(x.shape[1])[:, None]\n        q = self.query(x)"),
    (the_last_scores_are_the_last_of_all, "x[:, -1:] if last", "x[:, :1] if last"),
    (the_last_scores_are_the_last_of_all, "self.read(source, source_present), source_present)", "self.read(source, source_present))"),
    (gradients_reach_every_weight_of_a_translator, "(x, places, source, source_present)",
     "(x, places, source if source is None else source.detach(), source_present)"),
    (gradients_reach_every_weight_of_a_translator, "self.add(x, self.cross_norm,", "self.add(x, self.attention_norm,"),
    (looking_at_the_source_drops_weights, "attn_mask=mask, dropout_p=rate", "attn_mask=mask"),
    (a_translator_needs_embeddings_as_wide_as_itself, "if config.embedding not in (0, config.width)", "if False"),
]  # fmt: skip


test_claim_holds, test_mutant_is_caught = claim_tests({roformer: CLAIMS}, MUTANTS)

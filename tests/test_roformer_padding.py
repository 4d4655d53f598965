"""Padding and order: who sees whom in a RoFormer and in linear attention; on our code and on broken copies."""

import numpy as np
import pytest
import torch
from roformer_models import POSITIONS, PRESENT, ROUNDED, SEEN, WAYS, B, H, T, V, caught, claim_tests, model, near, present_in, seeded, words
from rotation_claims import refuse

from ropebook import linear_torch, roformer

ABSOLUTE = [{"encoding": "sinusoidal"}, {"encoding": "learned"}, {"attention": "rotate first", "encoding": "RoPE"}, {"rotate_values": True}]


def padding_is_not_seen(lib):
    """Other words there change nothing elsewhere; without `present` they do."""
    other = torch.where(PRESENT, words(), (words() + 1) % V)
    for way in WAYS:
        for causal in (False, True):
            made = model(lib, causal=causal, **way)
            encode = lambda tokens, present=None: made.encode(tokens, POSITIONS, present)[PRESENT]
            near(encode(other, PRESENT), encode(words(), PRESENT))
            assert (encode(other) - encode(words())).abs().max() > SEEN, (way, causal)


def padded_texts_are_read_as_if_alone(lib):
    """With their words at the same positions; where a shift changes nothing, padding before a text does not either."""
    for way in WAYS:
        for causal in (False, True):
            made = model(lib, causal=causal, **way)
            got = made.encode(words(), POSITIONS, PRESENT)
            for x, text, here in zip(got, words(), PRESENT):
                near(x[here], made.encode(text[None, here], POSITIONS[here])[0])
            if way not in ABSOLUTE:
                near(got[:1, 4:], made.encode(words()[:1, 4:], torch.arange(T - 4)))


def no_padding_is_all_present(lib):
    """Causal means before in the text: with positions that fall or repeat, too."""
    everyone = torch.ones(B, T, dtype=torch.bool)
    for way in WAYS:
        for causal in (False, True):
            made = model(lib, causal=causal, **way)
            for positions in (POSITIONS, POSITIONS.flip(0), POSITIONS // 3):
                near(made.encode(words(), positions, everyone), made.encode(words(), positions))


def later_words_are_not_seen_whatever_their_positions(lib):
    other = torch.where(POSITIONS < 7, words(), (words() + 1) % V)
    for way in WAYS:
        made = model(lib, causal=True, **way)
        for present in (None, present_in(slice(0, 2), slice(3, 5), slice(7, 7))):
            one, two = (made.encode(tokens, POSITIONS.flip(0), present) for tokens in (words(), other))
            seen = slice(2, 7)
            near(one[:, seen], two[:, seen])
            assert (one[:, 7:] - two[:, 7:]).abs().amax(-1).min() > SEEN


def an_empty_text_harms_no_other(lib):
    """No number of it is other than finite, and weights get the gradients that the other texts give without it."""
    present = torch.cat([PRESENT, torch.zeros(1, T, dtype=torch.bool)])
    tokens = words(batch=B + 1)
    for way in WAYS:
        for causal in (False, True):
            gradients = []
            for count in (B, B + 1):
                made = model(lib, causal=causal, **way)
                x = made.encode(tokens[:count], POSITIONS, present[:count])
                assert x.isfinite().all(), (way, causal)
                x[present[:count]].pow(3).sum().backward()
                gradients.append({name: w.grad for name, w in made.named_parameters() if w.grad is not None})
            for name, right in gradients[0].items():
                near(gradients[1][name], right, ROUNDED * right.abs().max().item() + ROUNDED)


def the_bias_says_who_is_not_seen(lib):
    """−inf for later words and for padding, but never for the word itself; elsewhere what there is without padding."""
    for encoding in ("T5", "ALiBi"):
        for causal in (False, True):
            made = model(lib, encoding=encoding, causal=causal)
            x = torch.zeros(1, dtype=torch.float64)
            free, got = model(lib, encoding=encoding).places(POSITIONS, x).bias, made.places(POSITIONS, x, PRESENT).bias
            assert got.shape == (B, H, T, T) and torch.isfinite(free).all()
            for b, h, m, n in np.ndindex(*got.shape):
                seen = m == n or (PRESENT[b, n] and not (causal and n > m))
                assert got[b, h, m, n] == (free[h, m, n] if seen else -torch.inf), (encoding, causal, b, h, m, n)


def shapes_must_fit(lib):
    made = model(lib, segments=2)
    refuse(lambda: made(words(), POSITIONS, present=PRESENT[:, 1:]), "present", "(3, 12)", "(3, 11)")
    refuse(lambda: made(words(), POSITIONS, segments=words()[:2]), "segments", "(3, 12)", "(2, 12)")
    refuse(lambda: made(words(), POSITIONS[1:]), "T = 12", "T = 11")


CLAIMS = [
    padding_is_not_seen, padded_texts_are_read_as_if_alone, no_padding_is_all_present, later_words_are_not_seen_whatever_their_positions,
    an_empty_text_harms_no_other, the_bias_says_who_is_not_seen, shapes_must_fit,
]  # fmt: skip

MUTANTS = [
    (padding_is_not_seen, "bias.masked_fill(~seen(present), -torch.inf)", "bias"),
    (padding_is_not_seen, "bias.masked_fill(~seen(present), -torch.inf)", "bias.masked_fill(~seen(present).mT, -torch.inf)"),
    (the_bias_says_who_is_not_seen,
     "bias.masked_fill(~seen(present), -torch.inf)", "bias.masked_fill(~present[:, None, None], -torch.inf)"),
    (padding_is_not_seen, "bias.masked_fill(~seen(present), -torch.inf)", "bias.masked_fill(~seen(present), -1.0)"),
    (padding_is_not_seen, "self.causal, places.present)", "self.causal)"),
    (padded_texts_are_read_as_if_alone, "return Places(table, None, present)", "return Places(table, None)"),
    (no_padding_is_all_present,
     "        if config.causal:\n            bias", "        if config.causal and present is None:\n            bias"),
    (padded_texts_are_read_as_if_alone,
     "places = self.places(positions, x, present)", "places = self.places(torch.arange(len(positions)), x, present)"),
    (no_padding_is_all_present, ".triu(1)", ".triu()"),
    (later_words_are_not_seen_whatever_their_positions, ".triu(1)", ".tril(-1)"),
    (shapes_must_fit, 'for name, other in (("present", present), ("segments", segments))', "for name, other in ()"),
]  # fmt: skip


test_claim_holds, test_mutant_is_caught = claim_tests({roformer: CLAIMS}, MUTANTS)


# ---- linear attention -----------------------------------------------------------------------------


def absent_words_have_no_weight(lib):
    """Small whole numbers are summed without rounding, and a quotient is rounded once: the very numbers of two sums over words."""
    a, b, v = (torch.randint(-9, 10, (B, H, T, 4), generator=seeded(seed)).double() for seed in (5, 6, 7))
    c, d = (torch.randint(1, 10, (B, H, T, 4), generator=seeded(seed)).double() for seed in (8, 9))
    nobody = torch.zeros(B, T, dtype=torch.bool)
    for present in (None, PRESENT, nobody):
        for causal in (False, True):
            got = lib.quadratic(a, b, c, d, v, causal, present)
            for i, h, m in np.ndindex(B, H, T):
                words = [n for n in range(m + 1 if causal else T) if present is None or present[i, n] or n == m]
                above = sum((a[i, h, m] @ b[i, h, n]) * v[i, h, n] for n in words)
                assert torch.equal(got[i, h, m], above / sum(c[i, h, m] @ d[i, h, n] for n in words)), (causal, i, h, m)


LINEAR_MUTANTS = [
    ("present[:, None, None] | itself", "present[:, None, None] & itself"),
    ("present[:, None, None] | itself", "present[:, None, None] | ~itself"),
    ("present[:, None, None] | itself", "present[:, None, None].expand(-1, -1, len(itself), -1)"),
    ("present[:, None, None] | itself", "present[:, None, :, None] | itself"),
    ("for table in (weights, parts))\n", "for table in (weights, weights))\n"),
    ("table.masked_fill(~seen(present), 0)", "table.masked_fill(~seen(present), 1)"),
    ("weights, parts = (table.masked_fill(~seen(present), 0) for table in (weights, parts))",
     "weights = weights.masked_fill(~seen(present), 0)"),
]


def test_absent_words_have_no_weight():
    absent_words_have_no_weight(linear_torch)


@pytest.mark.parametrize("old, new", LINEAR_MUTANTS, ids=[f"{old} → {new}" for old, new in LINEAR_MUTANTS])
def test_mutant_of_linear_attention_is_caught(old, new):
    assert caught(absent_words_have_no_weight, linear_torch, old, new), f"no claim notices {new!r} for {old!r}"

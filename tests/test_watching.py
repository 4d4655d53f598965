"""The claims about looking at attention: the weights that are noted are those that attention mixes with, and watching changes nothing."""

import numpy as np
import torch
from roformer_models import POSITIONS, PRESENT, B, D, H, T, claim_tests, config, model, near, normal, random_weights, words
from rotation_claims import EPS

from ropebook import roformer, watching
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate


def weights_are_the_softmax_of_turned_scores(lib):
    """Of the first block by hand, with NumPy's rotation; every row adds up to 1."""
    made = model(roformer)
    with torch.no_grad(), lib.watched(made) as weights:
        made(words(), POSITIONS)
    assert [tuple(some.shape) for some in weights] == [(B, H, T, T)] * 2
    with torch.no_grad():
        block = made.blocks[0]
        x = block.attention_norm(made.embedding_norm(made.embedding(words())))
        q, k, _ = block.attention.query_key_value(x).view(B, T, 3, H, D).permute(2, 0, 3, 1, 4).numpy()
    q, k = (rotate(some, np.arange(T), frequencies(D)) for some in (q, k))
    scores = torch.from_numpy(q @ k.swapaxes(-1, -2)) / D**0.5
    near(weights[0], scores.softmax(-1))
    assert all((some.sum(-1) - 1).abs().max() < T * EPS for some in weights)


def what_must_not_be_seen_has_no_weight(lib):
    made = model(roformer, causal=True)
    with torch.no_grad(), lib.watched(made) as weights:
        made(words(), POSITIONS)
    assert all((some.triu(1) == 0).all() and (some.diagonal(dim1=-2, dim2=-1) > 0).all() for some in weights)
    made = model(roformer)
    with torch.no_grad(), lib.watched(made) as weights:
        made(words(), POSITIONS, present=PRESENT)
    hidden = ~PRESENT[:, None, None].expand(B, H, T, T) & ~torch.eye(T, dtype=torch.bool)
    assert all((some[hidden] == 0).all() for some in weights)


def a_translators_cross_attention_is_watched_alone(lib):
    torch.manual_seed(0)
    made, source = random_weights(roformer.Translator(config(roformer))), words()[:, :5]
    with torch.no_grad(), lib.watched(made, roformer.CrossAttention) as weights:
        made(source, words(2))
    assert [tuple(some.shape) for some in weights] == [(B, H, T, 5)] * 2


def watching_changes_nothing(lib):
    """Not while it lasts, not afterwards, not after an error."""
    made = model(roformer)
    before = made(words(), POSITIONS)
    with lib.watched(made) as weights:
        near(made(words(), POSITIONS), before, atol=0)
    try:
        with lib.watched(made):
            raise KeyError
    except KeyError:
        pass
    made(words(), POSITIONS)
    assert len(weights) == 2 and not any("mix" in vars(part) for part in made.modules())


def offsets_are_key_minus_query(lib):
    """As a loop over all pairs; a head that looks one to the right has its weight at +1."""
    some = normal(2, T, T)
    found = lib.by_offset(some, 3)
    assert found.shape == (2, 7)
    for place, offset in enumerate(range(-3, 4)):
        pairs = [some[:, m, m + offset] for m in range(T) if 0 <= m + offset < T]
        near(found[:, place], torch.stack(pairs).mean(0))
    right = torch.eye(T, dtype=torch.float64).roll(1, dims=1)
    assert lib.by_offset(right, 2).tolist() == [0, 0, 0, 1, 0]


CLAIMS = {watching: [
    weights_are_the_softmax_of_turned_scores, what_must_not_be_seen_has_no_weight, a_translators_cross_attention_is_watched_alone,
    watching_changes_nothing, offsets_are_key_minus_query,
]}  # fmt: skip
MUTANTS = [
    (weights_are_the_softmax_of_turned_scores, "mix(q, k, torch.eye(", "mix(k, q, torch.eye("),
    (weights_are_the_softmax_of_turned_scores, "mix(q, k, torch.eye(", "mix(q, q, torch.eye("),
    (what_must_not_be_seen_has_no_weight, "device=v.device).expand(*k.shape[:-1], -1), how))", "device=v.device).expand(*k.shape[:-1], -1), how._replace(bias=None)))"),
    (a_translators_cross_attention_is_watched_alone, "torch.eye(k.shape[-2]", "torch.eye(q.shape[-2]"),
    (a_translators_cross_attention_is_watched_alone, "isinstance(module, kind)", "isinstance(module, SelfAttention)"),
    (watching_changes_nothing, "return mix(q, k, v, how)", "return mix(k, q, v, how)"),
    (watching_changes_nothing, "            del module.mix", "            pass"),
    (watching_changes_nothing, "    try:\n        yield weights\n    finally:\n        for", "    if True:\n        yield weights\n        for"),
    (offsets_are_key_minus_query, "weights.diagonal(offset, -2, -1)", "weights.diagonal(offset, -1, -2)"),
    (offsets_are_key_minus_query, "weights.diagonal(offset, -2, -1)", "weights.diagonal(-offset, -2, -1)"),
    (offsets_are_key_minus_query, ".mean(-1)", ".sum(-1) / weights.shape[-1]"),
    (offsets_are_key_minus_query, "range(-reach, reach + 1)", "range(-reach, reach)"),
]  # fmt: skip
test_claim_holds, test_mutant_is_caught = claim_tests(CLAIMS, MUTANTS)

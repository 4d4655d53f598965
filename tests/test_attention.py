"""The attention of chapter 01: torch's, a mean with weights that add up to 1, and blind to order."""

import numpy as np
import pytest
import torch
from rotation_claims import EPS, normal

from ropebook.attention import attention, weights

T, D = 7, 4


def inputs():
    return (normal(2, T, D, seed=s) for s in range(3))


def bound(q, k, v):
    """Rounding of one evaluation: D products a score, an exponential and two sums of T terms, weights of the largest value."""
    score = np.abs(q) @ np.abs(k).swapaxes(-1, -2) / np.sqrt(D)
    return EPS * ((D + 3) * 2 * score.max() + 2 * T + 8) * np.abs(v).max()


@pytest.mark.parametrize("causal", [False, True])
def test_equals_torch(causal):
    q, k, v = inputs()
    theirs = torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, (q, k, v)), is_causal=causal).numpy()
    np.testing.assert_allclose(attention(q, k, v, causal), theirs, rtol=0, atol=2 * bound(q, k, v))
    assert np.abs(attention(q, k, v, not causal) - theirs).max() > 0.1


def test_shuffled_words_give_the_shuffled_outputs():
    q, k, v = inputs()
    order = np.random.default_rng(3).permutation(T)
    shuffled = [a[:, order] for a in (q, k, v)]
    np.testing.assert_allclose(attention(*shuffled), attention(q, k, v)[:, order], rtol=0, atol=2 * bound(q, k, v))
    assert np.abs(attention(*shuffled, causal=True) - attention(q, k, v, causal=True)[:, order]).max() > 0.1


def test_weights_are_a_mean_and_do_not_overflow():
    scores = 1e4 * normal(T, T)
    for causal in (False, True):
        w = weights(scores, causal)
        assert (w >= 0).all()
        np.testing.assert_allclose(w.sum(-1), 1, rtol=0, atol=T * EPS)
    assert (weights(scores, causal=True)[np.triu_indices(T, 1)] == 0).all()
    assert (weights(np.zeros((T, T)))[np.triu_indices(T, 1)] > 0).all()


def test_shapes_that_do_not_fit_are_refused():
    q, k, v = inputs()
    for bad in ((q[:, 1:], k, v), (q[..., :2], k, v), (q, k, v[:, 1:])):
        with pytest.raises(ValueError, match=r"\(2, 7, 4\)"):
            attention(*bad)

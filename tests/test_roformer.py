"""The claims that chapters 11, 12 and 14 make about the model and its rivals, and about predicting the next token.

What the model is made of: `test_roformer_parts.py`; padding: `test_roformer_padding.py`; other heads: `test_roformer_heads.py`.
"""

import numpy as np
import pytest
import torch
from rotation_claims import EPS
from torch import nn

from ropebook import encodings
from ropebook.causal import CausalTrainer, held_out_ends, loss_at_length
from ropebook.linear import FORMS
from ropebook.rotation_torch import apply_table, rotation_table
from ropebook.roformer import ENCODINGS, RoFormer, RoFormerConfig, alibi_bias
from ropebook.training import TrainingConfig, sample_windows

torch.set_num_threads(1)  # small models: threads would only wait for each other
T = 12
POSITIONS = torch.arange(T)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return RoFormer(RoFormerConfig(vocabulary=50, width=32, heads=4, layers=2)).double()


@pytest.fixture
def tokens():
    return torch.randint(50, (3, T), generator=torch.Generator().manual_seed(1))


def test_scores_do_not_change_when_all_positions_shift(model, tokens):
    for shift in (1, 1000, 1_000_000, -7, 0.5):
        change = (model(tokens, POSITIONS + shift) - model(tokens, POSITIONS)).abs().max().item()
        assert change < 1e-9, f"positions shifted by {shift}: logits move by {change:.1e}"


def test_scores_change_when_positions_stretch(model, tokens):
    assert (model(tokens, 2 * POSITIONS) - model(tokens, POSITIONS)).abs().max() > 1e-3


def test_order_matters_and_only_through_the_rotation(model, tokens):
    order = torch.randperm(T, generator=torch.Generator().manual_seed(2))
    shuffled = model(tokens[:, order], POSITIONS)
    assert (shuffled - model(tokens, POSITIONS)[:, order]).abs().max() > 1e-3
    still = torch.zeros(T)  # every token at the same place: no rotation differs from another
    torch.testing.assert_close(model(tokens[:, order], still), model(tokens, still)[:, order], rtol=0, atol=1e-12)


def test_carrying_the_positions_along_undoes_a_shuffle(model, tokens):
    order = torch.randperm(T, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(model(tokens[:, order], POSITIONS[order]), model(tokens, POSITIONS)[:, order], rtol=0, atol=1e-12)


def test_head_at_the_blanks_is_the_full_head_there(model, tokens):
    blanks = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(3)) < 0.3
    torch.testing.assert_close(model(tokens, POSITIONS, blanks), model(tokens, POSITIONS)[blanks], rtol=0, atol=1e-14)


def test_every_weight_gets_a_gradient(model, tokens):
    model(tokens, POSITIONS).square().mean().backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert silent == []


def test_a_longer_sequence_needs_no_new_weights(model):
    assert model(torch.zeros(1, 500, dtype=torch.long), torch.arange(500)).shape == (1, 500, 50)


def test_input_and_output_share_one_matrix(model):
    assert [name for name, weight in model.named_parameters() if weight.shape == (50, 32)] == ["embedding.weight"]


def test_attention_turns_queries_and_keys_as_hugging_face_does():
    modeling = pytest.importorskip("transformers.models.roformer.modeling_roformer")
    torch.manual_seed(0)
    q, k = torch.randn(2, 3, 4, T, 16).unbind()  # (B, H, T, D)
    embedding = modeling.RoFormerSinusoidalPositionalEmbedding(T, 16)
    embedding._init_weight() if hasattr(embedding, "_init_weight") else embedding.weight.data.copy_(embedding.create_weight())
    theirs = modeling.RoFormerSelfAttention.apply_rotary_position_embeddings(embedding.weight[None, None], q, k)
    table = rotation_table(POSITIONS, RoFormer(RoFormerConfig(50, width=64, heads=4)).theta)
    for x, expected in zip((q, k), theirs):
        torch.testing.assert_close(apply_table(x, table), expected, rtol=0, atol=1e-6)


# ---- rivals --------------------------------------------------------------------------------------

LINEAR = [{"attention": form, "encoding": "learned" if form == "plain" else "RoPE"} for form in FORMS]
WAYS = [{"encoding": encoding} for encoding in ENCODINGS] + LINEAR + [{"attention": "plain", "encoding": "NoPE"}]
name = lambda way: " ".join(way.values())


def small(causal=False, **changes):
    torch.manual_seed(0)
    return RoFormer(RoFormerConfig(vocabulary=50, width=32, heads=4, layers=2, causal=causal, **changes)).double()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("way", WAYS, ids=name)
def test_a_shift_of_all_positions_changes_what_is_absolute_and_nothing_else(way, causal, tokens):
    """Rotated before the features, or added to the words, a position is seen; elsewhere logits of order 1 stay to 1e-10."""
    model = small(causal, **way)
    change = (model(tokens, POSITIONS + 100) - model(tokens, POSITIONS)).abs().max()
    absolute = way["encoding"] in ("sinusoidal", "learned") or way.get("attention") == "rotate first"
    assert change > 1e-3 if absolute else change < 1e-10


@pytest.mark.parametrize("way", WAYS, ids=name)
def test_only_a_model_without_positions_cannot_tell_an_order(way, tokens):
    order = torch.randperm(T, generator=torch.Generator().manual_seed(2))
    model = small(**way)
    change = (model(tokens[:, order], POSITIONS) - model(tokens, POSITIONS)[:, order]).abs().max()
    assert change < 1e-12 if way["encoding"] == "NoPE" else change > 1e-3


@pytest.mark.parametrize("way", WAYS, ids=name)
def test_a_causal_model_sees_no_later_token(way, tokens):
    """To rounding, 1e-12: a matrix product may add its zeros in another order. Without the mask a token is seen from before it."""
    changed = tokens.clone()
    changed[:, 7:] = (tokens[:, 7:] + 1) % 50
    for causal in (True, False):
        model = small(causal, **way)
        change = (model(changed, POSITIONS) - model(tokens, POSITIONS)).abs().amax(dim=(0, 2))  # (T,)
        assert change[:7].max() < 1e-12 if causal else change[:7].max() > 1e-3
        assert change[7:].min() > 1e-3


def test_alibi_subtracts_what_the_encoding_of_chapter_2_does():
    """Before the division by √D, hence the factor; slopes 1/4, 1/16, 1/64, 1/256 for four heads. Fractions of tokens, too."""
    places, D = np.array([0.0, 1, 2.5, 7, 40]), 8
    bias = alibi_bias(places, heads=4).numpy()
    weights = encodings.random_weights(np.random.default_rng(0), width=6, head_dim=D, longest=1, reach=1)
    for head, slope in enumerate((1 / 4, 1 / 16, 1 / 64, 1 / 256)):
        sloped = encodings.Weights(**{**vars(weights), "slope": slope})
        no_words = np.zeros((5, 6))
        expected = encodings.alibi(no_words, no_words, places, places, sloped) / np.sqrt(D)
        np.testing.assert_allclose(bias[head], expected, rtol=4 * EPS, atol=0)
    model = small(causal=True, encoding="ALiBi")
    causal = model.places(places, torch.zeros(1, dtype=torch.float64)).bias.numpy()
    ahead = places > places[:, None]
    assert (causal[:, ahead] == -np.inf).all() and np.array_equal(causal[:, ~ahead], bias[:, ~ahead])


def test_alibi_is_added_to_the_scores():
    model = small(encoding="ALiBi")
    q, k, v = torch.randn(3, 2, 4, T, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    got = model.blocks[0].attention.mix(q, k, v, model.places(POSITIONS, q))
    right = (q @ k.mT / 8**0.5 + alibi_bias(POSITIONS, 4)).softmax(-1) @ v
    torch.testing.assert_close(got, right, rtol=0, atol=1e-13)


def test_the_scale_of_the_rotation_multiplies_scores_by_its_square():
    """Scores of rotated queries and keys, times 4 for a scale of 2."""
    model = small()
    q, k, v = torch.randn(3, 2, 4, T, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    table = rotation_table(POSITIONS, model.theta, torch.float64)
    scores = apply_table(q, table) @ apply_table(k, table).mT / 8**0.5
    for scale in (1.0, 2.0):
        model.scale = scale
        got = model.blocks[0].attention.mix(q, k, v, model.places(POSITIONS, q))
        torch.testing.assert_close(got, (scale**2 * scores).softmax(-1) @ v, rtol=0, atol=1e-13)


def test_added_positions_start_as_large_as_words():
    """Entries of standard deviation 0.02: waves exactly, since sin² + cos² = 1; 32,000 random ones to five times 0.02/√64,000."""
    model = small(encoding="sinusoidal")
    waves = model.add_positions(torch.zeros(1, T, 32, dtype=torch.float64), POSITIONS)
    torch.testing.assert_close(waves.square().mean(-1), torch.full((1, T), 0.02**2, dtype=torch.float64), rtol=1e-12, atol=0)
    np.testing.assert_allclose(waves[0] / waves[0, 0, 1], encodings.sinusoid(POSITIONS, 32), rtol=0, atol=1e-13)
    model = small(encoding="learned", longest=1000)
    assert abs(model.position_embedding.weight.std().item() - 0.02) < 5 * 0.02 / 64_000**0.5


def test_learned_positions_are_those_of_the_table(tokens):
    model = small(encoding="learned", longest=20)
    assert model(tokens, POSITIONS + 8).shape == (3, T, 50)
    x = torch.zeros(1, T, 32, dtype=torch.float64)
    assert torch.equal(model.add_positions(x, POSITIONS + 8)[0], model.position_embedding.weight[8:20])
    for bad, shown in ((POSITIONS + 9, "20"), (POSITIONS - 1, "-1"), (POSITIONS + 0.5, "0.5"), (POSITIONS * float("nan"), "nan")):
        with pytest.raises(ValueError, match=f"0 to 19, got {shown}"):
            model(tokens, bad)


@pytest.mark.parametrize("way", WAYS, ids=name)
def test_every_weight_of_a_rival_gets_a_gradient(way, tokens):
    model = small(causal=True, **way)
    model(tokens, POSITIONS).square().mean().backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert silent == []


# ---- the next token ------------------------------------------------------------------------------

STREAM = torch.randint(50, (400,), generator=torch.Generator().manual_seed(5))


class Bigrams(nn.Module):
    """Logits that depend on the current token only, wherever it stands."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 50)
        torch.manual_seed(0)
        nn.init.normal_(self.table.weight)

    def forward(self, tokens, positions, blanks=None):
        assert tokens.shape[1] == len(positions)
        logits = self.table(tokens)
        return logits if blanks is None else logits[blanks]


def test_the_training_loss_is_that_of_the_next_token():
    """The mean over a batch of −log p(token t + 1 | tokens up to t), from a batch drawn with the same seed; float32 over 32 terms."""
    torch.manual_seed(0)
    model = RoFormer(RoFormerConfig(vocabulary=50, width=32, heads=4, layers=1, causal=True))
    trainer = CausalTrainer(model, STREAM, TrainingConfig(steps=1, batch=4, length=8, seed=3))
    drawn = torch.Generator()
    drawn.set_state(trainer.generator.get_state())
    windows = sample_windows(STREAM, 4, 9, drawn)
    chances = model(windows[:, :8], torch.arange(8)).log_softmax(-1)
    by_hand = -sum(chances[b, t, windows[b, t + 1]].item() for b in range(4) for t in range(8)) / 32
    assert trainer.loss().item() == pytest.approx(by_hand, rel=32 * 2.0**-23)


def test_training_learns_a_text_that_repeats():
    """Token n + 1 follows token n: a loss of ln 10 at first, and less than a tenth of that soon."""
    torch.manual_seed(0)
    model = RoFormer(RoFormerConfig(vocabulary=10, width=16, heads=2, layers=1, causal=True))
    trainer = CausalTrainer(model, torch.arange(300) % 10, TrainingConfig(steps=60, batch=8, length=8, warmup=5, rate=1e-2))
    losses = [trainer.step().item() for _ in range(60)]
    assert losses[0] > 2 and losses[-1] < 0.2


def test_the_same_tokens_are_scored_at_every_length():
    """A model that ignores what stands before has the same loss at all lengths and starts; by hand, in float32."""
    model, ends = Bigrams(), held_out_ends(STREAM, 128, 9)
    chances = model.table.weight.detach().double().log_softmax(-1)
    before, wanted = (STREAM[ends[:, None] + torch.arange(-15 - back, 1 - back)] for back in (1, 0))  # (W, 16)
    by_hand = -chances[before, wanted].mean(1)
    for length, start in ((16, 0), (17, 5), (64, 0), (128, 1000)):
        got = loss_at_length(model, STREAM, ends, length, scored=16, start=start)
        assert got.dtype == torch.float64
        torch.testing.assert_close(got, by_hand, rtol=0, atol=1e-6)


def test_more_text_and_other_positions_reach_the_model():
    model, ends = small(causal=True, encoding="learned"), held_out_ends(STREAM, 64, 5)
    loss = lambda length, start=0: loss_at_length(model, STREAM, ends, length, scored=16, start=start)
    assert (loss(16) - loss(64)).abs().min() > 1e-4 and (loss(16) - loss(16, 30)).abs().min() > 1e-4


def test_batches_change_nothing():
    """But the order in which float32 rounds a product: here the model is in float64, and the loss in float32."""
    model, ends = small(causal=True), held_out_ends(STREAM, 32, 7)
    one, some, all_at_once = (loss_at_length(model, STREAM, ends, 32, scored=8, tokens_at_once=tokens) for tokens in (1, 70, 10_000))
    torch.testing.assert_close(one, all_at_once, rtol=0, atol=1e-6)
    torch.testing.assert_close(some, all_at_once, rtol=0, atol=1e-6)


def test_windows_end_evenly_from_the_first_place_to_the_last():
    ends = held_out_ends(STREAM, 100, 4)
    assert ends.tolist() == [100, 199, 299, 399] and ends.dtype == torch.int64
    assert held_out_ends(torch.arange(9), 8, 1).tolist() == [8]


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="400 tokens and one more.*only 400"):
        held_out_ends(STREAM, 400, 3)
    ends = held_out_ends(STREAM, 32, 3)
    with pytest.raises(ValueError, match="33 tokens.*ends at 32"):
        loss_at_length(Bigrams(), STREAM, ends, 33, scored=8)
    for scored in (0, 33):
        with pytest.raises(ValueError, match=f"length = 32.*got {scored}"):
            loss_at_length(Bigrams(), STREAM, ends, 32, scored=scored)

"""The claims that chapter 14 makes about the model."""

import pytest
import torch

from ropebook.rotation_torch import apply_table, rotation_table
from ropebook.roformer import RoFormer, RoFormerConfig

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


@pytest.mark.parametrize(
    "sizes, numbers",
    [
        ({"width": 30, "heads": 4}, ("30", "4")),
        ({"width": 36, "heads": 4}, ("36", "4")),
        ({"width": 20, "heads": 4}, ("20", "4")),
        ({"layers": 0}, ("layers", "0")),
        ({"vocabulary": -3}, ("vocabulary", "-3")),
        ({"heads": 2.5}, ("heads", "2.5")),
    ],
)
def test_impossible_sizes_are_refused_with_both_numbers(sizes, numbers):
    with pytest.raises(ValueError) as error:
        RoFormerConfig(**{"vocabulary": 50, **sizes})
    assert all(number in str(error.value) for number in numbers)


def test_positions_must_match_tokens(model, tokens):
    with pytest.raises(ValueError, match="T = 12.*T = 11"):
        model(tokens, POSITIONS[:-1])

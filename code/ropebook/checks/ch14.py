"""Checkers of chapter 14, pre-training a small RoFormer."""

import numpy as np
import torch

from ropebook.exercises import NotAnswered, Wrong, call, exercise
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.training import Trainer, TrainingConfig

MASK = 0


@exercise("14.1")
def hide(answer):
    """A function (tokens, blanks, fate, random) -> inputs that hides the blanks 80/10/10."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 50, (40, 50), generator=generator)
    blanks = torch.rand(tokens.shape, generator=generator) < 0.15
    fate = torch.rand(tokens.shape, generator=generator)
    random = torch.randint(50, 100, tokens.shape, generator=generator)
    before = tokens.clone()
    got = torch.as_tensor(call(answer, tokens, blanks, fate, random))
    if not torch.equal(tokens, before):
        raise Wrong("Your function changed `tokens` itself; the answers are gone. Make a new tensor, with torch.where for example.")
    if got.shape != tokens.shape:
        raise Wrong(f"Return one token for each place, shape {tuple(tokens.shape)}; yours has shape {tuple(got.shape)}.")
    if changed := (got != tokens)[~blanks].sum().item():
        raise Wrong(f"{changed} places changed that are not blanks. Everything outside `blanks` must stay as it is.")
    low, high = blanks & (fate < 0.8), blanks & (fate >= 0.9)
    kept = blanks & ~low & ~high
    if not (got == MASK)[blanks].any():
        raise Wrong("No blank holds [MASK], which is token 0.")
    if (got == MASK)[blanks].all():
        raise Wrong("Every blank became [MASK]. One in ten keeps its token and one in ten gets a random one.")
    if not torch.equal(got[low], torch.full_like(got[low], MASK)):
        raise Wrong("A blank whose fate is below 0.8 must hold [MASK]; some of yours do not.")
    if torch.equal(got[kept], random[kept]) and torch.equal(got[high], tokens[high]):
        raise Wrong("You have the two tenths the other way round: from 0.8 to 0.9 the token is kept, from 0.9 it is random.")
    if not torch.equal(got[kept], tokens[kept]):
        raise Wrong("A blank whose fate lies from 0.8 to 0.9 must keep its token; some of yours do not.")
    if not torch.equal(got[high], random[high]):
        raise Wrong("A blank whose fate is 0.9 or more must hold the token from `random` at the same place.")
    return f"Of {blanks.sum()} blanks {low.sum()} are hidden, {kept.sum()} kept and {high.sum()} random."


@exercise("14.2")
def masked_loss(answer):
    """A function (logits, tokens, blanks) -> the loss in nats per blank, a number."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((3, 8, 20), generator=generator, dtype=torch.float64)
    tokens = torch.randint(20, (3, 8), generator=generator)
    blanks = torch.rand((3, 8), generator=generator) < 0.4
    got = torch.as_tensor(call(answer, logits, tokens, blanks), dtype=torch.float64)
    if got.numel() != 1:
        raise Wrong(f"The loss is one number; yours has shape {tuple(got.shape)}.")
    losses = -logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]  # (3, 8)
    right, got = losses[blanks].mean().item(), got.item()
    mistakes = {
        losses.mean().item(): "That is the mean over all places. At the places that were not hidden the model sees the answer: leave them out.",
        (losses * blanks).mean().item(): "You divide by the number of places, not by the number of blanks.",
        losses[blanks].sum().item(): "That is the sum over the blanks. A batch with more blanks would look worse: take the mean.",
        -right: "The sign is opposite. The logarithm of a probability is negative, and a loss falls when the model improves.",
        right / np.log(2): "That is in bits. The book counts in nats: use the natural logarithm.",
        losses[~blanks].mean().item(): "That is the mean over the places that are not blanks.",
        -logits.softmax(-1).gather(-1, tokens[..., None])[..., 0][blanks].mean().item(): "That is the mean probability. Take its logarithm first.",
        -logits.gather(-1, tokens[..., None])[..., 0][blanks].mean().item(): "Logits are not yet logarithms of probabilities: normalise them over the vocabulary.",
    }
    for wrong, lesson in mistakes.items():
        if np.isclose(got, wrong) and not np.isclose(got, right):
            raise Wrong(lesson)
    if not np.isclose(got, right):
        raise Wrong(f"For logits drawn from a normal distribution I get {right:.4f} nats per blank, you get {got:.4f}.")
    if not np.isfinite(got_large := float(call(answer, logits * 1000, tokens, blanks))):
        raise Wrong(f"With logits of a few thousand your loss is {got_large}. Use log_softmax, which does not overflow, instead of log and exp.")
    return "And it stays finite for large logits."


@exercise("14.3")
def weights(answer):
    """A function (vocabulary, width, layers) -> number of trainable numbers in the RoFormer."""
    for vocabulary, width, layers in ((1000, 64, 3), (100, 16, 1), (333, 48, 6)):
        got = call(answer, vocabulary, width, layers)
        model = RoFormer(RoFormerConfig(vocabulary, width=width, heads=2, layers=layers))
        right = sum(weight.numel() for weight in model.parameters())
        if got != right:
            raise Wrong(_why_not_counted(vocabulary, width, layers, right - got))
    return "Neither the heads nor the length of the text occur in it: the rotation has nothing to learn and no table to fill."


def _why_not_counted(vocabulary, width, layers, missing):
    sizes = f"vocabulary {vocabulary}, width {width} and layers {layers}"
    lessons = {
        -vocabulary * width: "you count the embedding twice, but the output uses the same matrix.",
        vocabulary: "each token of the vocabulary has a bias in the output.",
        layers * 4 * width: "in each block, either the two layer normalisations are missing, 2C each, or attention's biases, 3C + C.",
        layers * 2 * width: "each block has two layer normalisations, and each has a scale and a shift.",
        layers * 3 * width: "the map to queries, keys and values has 3C biases.",
        layers * 5 * width: "the feed-forward net has biases, too: 4C + C.",
        layers * 4 * width * width: "the feed-forward net has two C × 4C matrices, there and back.",
        2 * width: "there are two layer normalisations outside the blocks, after the embedding and before the output.",
        4 * width: "there is a layer normalisation after the embedding and one before the output, with a scale and a shift each.",
        layers * 9 * width: "a linear layer has a bias for each output: 3C + C in attention, 4C + C in the feed-forward net.",
        layers * 8 * width * width: "the feed-forward net goes from C to 4C and back.",
        layers * 3 * width * width: "attention has four C × C matrices: query, key, value and output.",
    }
    if missing in lessons:
        return f"For {sizes} you are off by {abs(missing):,}: {lessons[missing]}"
    return f"For {sizes} the model has {abs(missing):,} {'more' if missing > 0 else 'fewer'} than you say. Print `name, weight.shape` for `model.named_parameters()`."


@exercise("14.4")
def neighbour_guess(answer):
    """A function (stream, left) -> for each token in left, the token that follows it most often in stream."""
    cases = (
        ("a b a b a c", [0, 1, 0, 1, 0, 2], [0, 1], [1, 0]),
        ("a a a b b c", [0, 0, 0, 1, 1, 2], [1, 0], [1, 0]),
        ("d a b c a c a c b", [3, 0, 1, 2, 0, 2, 0, 2, 1], [0, 3, 0], [2, 0, 2]),
        ("c a b c a b c a", [2, 0, 1, 2, 0, 1, 2, 0], [0, 1, 2], [1, 2, 0]),
        ("a c b c", [0, 2, 1, 2], [2], [1]),
        ("a d a d a d", [0, 3, 0, 3, 0, 3], [3, 0], [0, 3]),
        ("300 times “a b”, then 200 times “a c”", [0, 1] * 300 + [0, 2] * 200, [0], [1]),
    )
    for text, stream, left, right in cases:
        got = torch.as_tensor(call(answer, torch.tensor(stream), torch.tensor(left)))
        if got.shape != (len(left),):
            raise Wrong(f"Return one guess for each of the {len(left)} tokens in `left`; yours has shape {tuple(got.shape)}.")
        if got.tolist() != right:
            name = lambda ids: " ".join("abcd"[i] if 0 <= i < 4 else str(i) for i in ids)
            before = torch.tensor([_commonest([a for a, b in zip(stream, stream[1:]) if b == token]) for token in left])
            alone = torch.full((len(left),), _commonest(stream))
            hint = ""
            if torch.equal(got, before):
                hint = " Yours is the token that comes before, not after."
            elif torch.equal(got, alone):
                hint = " Yours is the commonest token, whatever stands to the left."
            raise Wrong(f"In the text “{text}”, after {name(left)} comes most often {name(right)}; you say {name(got.tolist())}.{hint}")
    return "Two tokens at a time: the simplest guess that knows about order."


def _commonest(tokens):
    return torch.bincount(torch.tensor(tokens), minlength=1).argmax().item() if tokens else 0


@exercise("14.5")
def carry_on(answer):
    """A function (old, new) that makes the fresh Trainer `new` continue where `old` stands."""
    unbroken = _train(_fresh(), 8)
    old = _train(_fresh(), 4)
    before = _numbers(old)
    new = _fresh(seed=1)
    if not callable(answer):
        raise Wrong(f"Expected a function, got {type(answer).__name__}.")
    returned = answer(old, new)  # nothing, as a stub does: an answer shows in what it changed
    if not torch.equal(_numbers(old), before) or old.done != 4:
        raise Wrong("Your function changed `old`. A checkpoint is taken without disturbing the run.")
    untouched = _fresh(seed=1)
    same_generator = torch.equal(new.generator.get_state(), untouched.generator.get_state())
    if new.done == 0 and torch.equal(_numbers(new), _numbers(untouched)) and not new.optimiser.state and same_generator:
        if returned is None or returned is ...:
            raise NotAnswered
        raise Wrong("`new` is as fresh as before. Change it in place; what your function returns does not matter.")
    if new.model is old.model or new.optimiser is old.optimiser or new.generator is old.generator:
        raise Wrong("`new` now holds an object of `old` itself. A checkpoint has to survive the old process: copy the state, not the reference.")
    if not torch.equal(_numbers(new), before):
        raise Wrong("The weights of `new` are not those of `old`.")
    if new.done != 4:
        raise Wrong(f"`new` believes it has made {new.done} steps, `old` has made 4: its learning rate will be that of another step.")
    if not torch.equal(new.generator.get_state(), old.generator.get_state()):
        raise Wrong("The weights agree, but the two generators do not: `new` will see other windows and other blanks than `old` would have.")
    if not new.optimiser.state:
        raise Wrong("AdamW keeps two running averages for every weight, and those of `new` are still empty.")
    if [id(weight) for group in new.optimiser.param_groups for weight in group["params"]] != [id(weight) for weight in new.model.parameters()]:
        raise Wrong("The optimiser of `new` moves other weights than those of its model: load a state into the objects that are there.")
    if _addresses(new) & _addresses(old):
        raise Wrong("`new` and `old` share memory, and training one would change the other. PyTorch's optimiser keeps the very tensors that "
                    "it is given: copy.deepcopy the state first, as a file would.")
    if not torch.equal(_numbers(_train(new, 4)), _numbers(unbroken)):
        raise Wrong("All four parts look right, but four steps later the weights differ from those of an unbroken run.")
    return "Four steps later both runs hold the same weights, bit for bit."


def _fresh(seed=0):
    torch.manual_seed(seed)
    model = RoFormer(RoFormerConfig(30, width=8, heads=2, layers=1))
    stream = torch.randint(30, (500,), generator=torch.Generator().manual_seed(0))
    return Trainer(model, stream, MASK, TrainingConfig(steps=8, batch=2, length=12, warmup=2, seed=seed))


def _train(trainer, steps):
    for _ in range(steps):
        trainer.step()
    return trainer


def _numbers(trainer):
    return torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])


def _addresses(trainer):
    """Where in memory the trainer's weights and running averages lie."""
    averages = [tensor for state in trainer.optimiser.state.values() for tensor in state.values()]
    return {tensor.data_ptr() for tensor in [*trainer.model.parameters(), *averages]}

"""Wrong answers to the exercises of chapter 14, each with part of the lesson that its checker must give."""

from copy import deepcopy

import torch

MASK = 0


def hide(tokens, blanks, fate, random, hidden=0.8, kept=0.9, swapped=False):
    """The right answer to 14.1 with its mistakes as options."""
    inputs = torch.where(blanks & (fate < hidden), MASK, tokens)
    chosen = (fate >= hidden) & (fate < kept) if swapped else fate >= kept
    return torch.where(blanks & chosen, random, inputs)


def hide_in_place(tokens, blanks, fate, random):
    tokens[blanks & (fate < 0.8)] = MASK
    tokens[blanks & (fate >= 0.9)] = random[blanks & (fate >= 0.9)]
    return tokens


def nats(logits, tokens, blanks):
    """(B, T) the loss at every place."""
    return -logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


def overflowing(logits, tokens, blanks):
    chances = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return -chances.gather(-1, tokens[..., None])[..., 0].log()[blanks].mean()


def count(vocabulary, width, layers, embeddings=1, norms=2, attention=4, feed_forward=8, biases=9, outer=2, output_bias=1):
    """The right answer to 14.3 with its parts as options."""
    block = (attention + feed_forward) * width**2 + biases * width + norms * 2 * width
    return embeddings * vocabulary * width + output_bias * vocabulary + outer * 2 * width + layers * block


def follower(stream, left, shift=1):
    table = torch.zeros(stream.max() + 1, stream.max() + 1, dtype=torch.long)
    a, b = (stream[:-1], stream[1:]) if shift > 0 else (stream[1:], stream[:-1])
    table.index_put_((a, b), torch.ones_like(a), accumulate=True)
    return table[left].argmax(-1)


def copy(*parts):
    """The right answer to 14.5, copying only some parts."""

    def carry_on(old, new):
        if "model" in parts:
            new.model.load_state_dict(old.model.state_dict())
        if "optimiser" in parts:
            new.optimiser.load_state_dict(deepcopy(old.optimiser.state_dict()))
        if "generator" in parts:
            new.generator.set_state(old.generator.get_state())
        if "done" in parts:
            new.done = old.done

    return carry_on


def take_over(old, new):
    new.model, new.optimiser, new.generator, new.done = old.model, old.optimiser, old.generator, old.done


def zero_the_averages(old, new):
    copy("model", "optimiser", "generator", "done")(old, new)
    for averages in new.optimiser.state.values():
        averages["exp_avg"] = torch.zeros_like(averages["exp_avg"])


def share_the_averages(old, new):
    copy("model", "generator", "done")(old, new)
    new.optimiser.load_state_dict(old.optimiser.state_dict())


def share_the_weights(old, new):
    copy("optimiser", "generator", "done")(old, new)
    for mine, theirs in zip(new.model.parameters(), old.model.parameters()):
        mine.data = theirs.data


def swap_the_model(old, new):
    copy("optimiser", "generator", "done")(old, new)
    new.model = deepcopy(old.model)


def table(stream, left, dtype=torch.int64, both=False, ring=False, size=None):
    """The right answer to 14.4 with its mistakes as options."""
    size = size or int(max(stream.max(), left.max())) + 1
    after = stream.roll(-1) if ring else stream[1:]
    before = stream if ring else stream[:-1]
    counts = torch.zeros(size, size, dtype=dtype).index_put_((before, after), torch.ones(len(before), dtype=dtype), accumulate=True)
    return (counts + counts.T if both else counts)[left].argmax(1)


def train_on(old, new):
    old.step()
    copy("model", "optimiser", "generator", "done")(old, new)


MUTANTS = [
    ("14.1", lambda t, b, f, r: hide(t, b, f, r, hidden=1.1, kept=1.1), "Every blank became [MASK]"),
    ("14.1", lambda t, b, f, r: hide(t, b, f, r, swapped=True), "other way round"),
    ("14.1", lambda t, b, f, r: hide(t, b | True, f, r), "not blanks"),
    ("14.1", lambda t, b, f, r: hide(t, b, f, r, hidden=0.15), "below 0.8 must hold [MASK]"),
    ("14.1", lambda t, b, f, r: hide(t, b, f, r, hidden=0.9), "from 0.8 to 0.9 must keep"),
    ("14.1", lambda t, b, f, r: hide(t, b, f, r, kept=1.1), "0.9 or more must hold the token from `random`"),
    ("14.1", lambda t, b, f, r: t, "No blank holds [MASK]"),
    ("14.1", lambda t, b, f, r: hide(t, b, f, r)[b], "shape"),
    ("14.1", hide_in_place, "changed `tokens` itself"),
    ("14.2", lambda lo, t, b: nats(lo, t, b).mean(), "all places"),
    ("14.2", lambda lo, t, b: nats(lo, t, b)[~b].mean(), "not blanks"),
    ("14.2", lambda lo, t, b: (nats(lo, t, b) * b).mean(), "divide by the number of places"),
    ("14.2", lambda lo, t, b: nats(lo, t, b)[b].sum(), "take the mean"),
    ("14.2", lambda lo, t, b: -nats(lo, t, b)[b].mean(), "sign is opposite"),
    ("14.2", lambda lo, t, b: nats(lo, t, b)[b].mean() / torch.tensor(2.0).log(), "in bits"),
    ("14.2", lambda lo, t, b: nats(lo, t, b)[b], "one number"),
    ("14.2", lambda lo, t, b: -lo.softmax(-1).gather(-1, t[..., None])[..., 0][b].mean(), "logarithm first"),
    ("14.2", lambda lo, t, b: -lo.gather(-1, t[..., None])[..., 0][b].mean(), "normalise them over the vocabulary"),
    ("14.2", lambda lo, t, b: -lo.log_softmax(1).gather(-1, t[..., None])[..., 0][b].mean(), "nats per blank, you get"),
    ("14.2", overflowing, "Use log_softmax"),
    ("14.3", lambda v, c, n: count(v, c, n, embeddings=2), "embedding twice"),
    ("14.3", lambda v, c, n: count(v, c, n, output_bias=0), "bias in the output"),
    ("14.3", lambda v, c, n: count(v, c, n, norms=0), "two layer normalisations"),
    ("14.3", lambda v, c, n: count(v, c, n, outer=0), "after the embedding"),
    ("14.3", lambda v, c, n: count(v, c, n, biases=0), "bias for each output"),
    ("14.3", lambda v, c, n: count(v, c, n, feed_forward=0), "from C to 4C and back"),
    ("14.3", lambda v, c, n: count(v, c, n, attention=1), "four C × C matrices"),
    ("14.3", lambda v, c, n: count(v, c, n, norms=1), "each has a scale and a shift"),
    ("14.3", lambda v, c, n: count(v, c, n, outer=1), "two layer normalisations outside the blocks"),
    ("14.3", lambda v, c, n: count(v, c, n, biases=4), "the feed-forward net has biases"),
    ("14.3", lambda v, c, n: count(v, c, n) + 128 * c, "fewer than you say"),
    ("14.4", lambda s, left: follower(s, left, shift=-1), "comes before, not after"),
    ("14.4", lambda s, left: torch.full_like(left, torch.bincount(s).argmax()), "whatever stands to the left"),
    ("14.4", lambda s, left: left, "you say"),
    ("14.4", lambda s, left: table(s, left, both=True), "you say"),
    ("14.4", lambda s, left: table(s, left, ring=True), "you say"),
    ("14.4", lambda s, left: table(s, left, dtype=torch.uint8), "you say"),
    ("14.4", lambda s, left: table(s, left, size=len(s.unique())), "Your answer stopped with IndexError"),
    ("14.4", lambda s, left: follower(s, left)[:1], "one guess for each"),
    ("14.5", copy("model"), "believes it has made 0 steps"),
    ("14.5", copy("optimiser", "generator", "done"), "weights of `new` are not"),
    ("14.5", copy("model", "generator", "done"), "running averages"),
    ("14.5", copy("model", "optimiser", "done"), "other windows and other blanks"),
    ("14.5", copy("model", "optimiser", "generator"), "that of another step"),
    ("14.5", lambda old, new: old.state(), "as fresh as before"),
    ("14.5", take_over, "object of `old` itself"),
    ("14.5", zero_the_averages, "differ from those of an unbroken run"),
    ("14.5", train_on, "changed `old`"),
    ("14.5", copy("generator"), "weights of `new` are not"),
    ("14.5", share_the_averages, "share memory"),
    ("14.5", share_the_weights, "share memory"),
    ("14.5", swap_the_model, "moves other weights"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("14.4", table),
    ("14.5", lambda old, new: new.restore(deepcopy(old.state()))),
]

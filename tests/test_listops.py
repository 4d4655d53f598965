"""ListOps: lists by the published rules, their values by another way, and classifiers that read them."""

import math
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated

from ropebook import experiment_listops, listops
from ropebook.finetuning import classify
from ropebook.listops import CLASSES, OPERATORS, TOKENS, expression
from ropebook.roformer import Classifier, RoFormerConfig

torch.set_num_threads(1)
SOURCE = Path(listops.__file__)
ASPYTHON = {"[MIN": "min(", "[MAX": "max(", "[MED": "med(", "[SM": "add(", "]": ")"}
NAMES = {  # the same operators, written with NumPy
    "min": lambda *x: int(np.min(x)), "max": lambda *x: int(np.max(x)), "med": lambda *x: int(np.median(x)),
    "add": lambda *x: int(np.sum(x) % 10), "__builtins__": {},
}  # fmt: skip


def drawn(lib, count, **rules):
    source = random.Random(0)
    return [lib.expression(source, **rules) for _ in range(count)]


def values_are_those_of_python(lib):
    """Each list, written as a Python expression of NumPy's functions."""
    for tokens, value in drawn(lib, 500, shortest=4, longest=300):
        code = ", ".join(ASPYTHON.get(token, token) for token in tokens).replace("(, ", "(").replace(", )", ")")
        assert eval(code, dict(NAMES)) == value
        assert set(tokens) <= set(lib.TOKENS[1:]) and isinstance(value, int)


def an_even_median_is_rounded_down(lib):
    assert lib.OPERATORS["[MED"]((1, 8, 9, 2)) == 5 and lib.OPERATORS["[MED"]((1, 2)) == 1 and lib.OPERATORS["[MED"]((3, 1, 2)) == 2


def lists_keep_the_rules(lib):
    """Lengths, depth and items a list; each bound is met, and none exceeded."""
    lengths, depths, items = set(), set(), set()
    for tokens, _ in drawn(lib, 3000, shortest=4, longest=16, depth=3, most=4):
        lengths.add(len(tokens))
        open_lists = [0]
        for token in tokens:
            if token == "]":
                items.add(open_lists.pop())
            else:
                open_lists[-1] += 1
                if token.startswith("["):
                    open_lists.append(0)
                    depths.add(len(open_lists) - 1)
        assert open_lists == [1], "one whole list"
    assert (min(lengths), max(lengths), depths, items) == (4, 16, {1, 2, 3}, {2, 3, 4})


def defaults_are_the_arenas(lib):
    tokens = [tokens for tokens, _ in drawn(lib, 20)]
    assert all(500 < len(some) < 2000 for some in tokens) and max(map(len, tokens)) > 1000
    assert lib.expression.__defaults__ == (501, 1999, 9, 10)


def chances_are_the_definitions(lib):
    """Depth 2, 2 or 3 items: the probability of each length, by counting, against 20,000 draws, to five standard deviations.

    So the end of a draw at its first token too many changes nothing.
    """

    def lengths(depth):  # {length: probability} of an item, without end
        flat = {1: 1.0}
        if depth == 0:
            return flat
        inner, lists = lengths(depth - 1), Counter()
        for many in (2, 3):
            sums = {0: 1.0}
            for _ in range(many):
                sums = sum_of(sums, inner)
            for length, p in sums.items():
                lists[length + 2] += p / 2
        return {1: 3 / 4, **{length: p / 4 for length, p in lists.items()}}

    def sum_of(one, other):
        total = Counter()
        for a, p in one.items():
            for b, q in other.items():
                total[a + b] += p * q
        return total

    kept = {length: p for length, p in lengths(2).items() if 4 <= length <= 12}
    n, whole = 20_000, sum(kept.values())
    found = drawn(lib, n, shortest=4, longest=12, depth=2, most=3)
    counts = Counter(len(tokens) for tokens, _ in found)
    assert set(counts) == set(kept)
    for length, p in kept.items():
        share = p / whole
        assert abs(counts[length] - n * share) < 5 * (n * share * (1 - share)) ** 0.5, length
    for tokens, kinds in ((lib.OPERATORS, 4), ([str(digit) for digit in range(10)], 10)):  # all kinds are equally frequent
        seen = Counter(token for some, _ in found if len(some) == 4 for token in some if token in tokens)  # here draws are independent
        total = sum(seen.values())
        assert len(seen) == kinds and all(abs(c - total / kinds) < 5 * (total / kinds) ** 0.5 for c in seen.values())


def a_source_decides_all(lib):
    assert drawn(lib, 5, shortest=4, longest=50) == drawn(lib, 5, shortest=4, longest=50)
    state = random.getstate()
    drawn(lib, 5, shortest=4, longest=50)
    assert random.getstate() == state


CLAIMS = [
    values_are_those_of_python, an_even_median_is_rounded_down, lists_keep_the_rules, defaults_are_the_arenas, chances_are_the_definitions,
    a_source_decides_all,
]  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim(claim):
    claim(listops)


MUTANTS = [
    (values_are_those_of_python, '"[MIN": min, "[MAX": max', '"[MIN": max, "[MAX": min'),
    (values_are_those_of_python, "sum(digits) % 10", "sum(digits) % 9"),
    (values_are_those_of_python, "values.append(drawn[1])", "values.insert(0, drawn[1]); values[0] = max(values)"),
    (an_even_median_is_rounded_down, "int(median(digits))", "-int(-median(digits) // 1)"),
    (lists_keep_the_rules, "random.randint(2, most)", "random.randint(1, most)"),
    (lists_keep_the_rules, "random.randint(2, most)", "random.randint(2, most - 1)"),
    (lists_keep_the_rules, "depth < 1 or", "depth < 2 or"),
    (lists_keep_the_rules, "depth - 1, most, room", "depth, most, room"),
    (lists_keep_the_rules, "return [*tokens, CLOSE]", "return [*tokens, CLOSE, CLOSE]"),
    (lists_keep_the_rules, ">= shortest:", "> shortest:"),
    (lists_keep_the_rules, "if room >= 1 else None", "if room >= 0 else None"),
    (lists_keep_the_rules, "room - len(tokens) - 1)", "room - len(tokens) - 2)"),
    (lists_keep_the_rules, "drawn = item(random, depth, most, longest)", "drawn = item(random, depth, most, longest - 1)"),
    (defaults_are_the_arenas, "shortest=501", "shortest=500"),
    (chances_are_the_definitions, ">= LIST_SHARE", ">= 2 * LIST_SHARE"),
    (chances_are_the_definitions, "random.randint(2, most)", "random.choice([2, 2, 3])"),
    (chances_are_the_definitions, "random.randrange(CLASSES)", "random.choice([*range(9), 9, 9])"),
    (a_source_decides_all, "operator = random.choice([*OPERATORS])", "operator = __import__('random').choice([*OPERATORS])"),
]


@pytest.mark.parametrize("claim, old, new", MUTANTS, ids=[f"{i}-{claim.__name__}" for i, (claim, *_) in enumerate(MUTANTS)])
def test_claim_notices(claim, old, new):
    assert failures(SimpleNamespace(**mutated(SOURCE, old, new)), [claim]) == [claim.__name__]


@pytest.mark.parametrize("rules, message", [
    ({"depth": 0}, "depth of at least 1 and most of at least 2, got 0 and 10"),
    ({"most": 1}, "depth of at least 1 and most of at least 2, got 9 and 1"),
    ({"shortest": 3}, "expected 4 ≤ shortest ≤ longest"),
    ({"shortest": 50, "longest": 49}, "got 50 and 49"),
    ({"shortest": 13, "longest": 20, "depth": 1}, "shortest ≤ 12, got 13 and 20"),
    ({"shortest": 123, "longest": 200, "depth": 2}, "shortest ≤ 122"),
])  # fmt: skip
def test_lists_that_cannot_be_are_refused(rules, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        expression(random.Random(0), **rules)


def test_the_longest_list_possible_is_not_refused():
    tokens, _ = expression(random.Random(0), shortest=12, longest=20, depth=1)
    assert len(tokens) == 12


# ---- the experiment ----------------------------------------------------------------


def model(encoding, seed=0):
    torch.manual_seed(seed)
    config = RoFormerConfig(len(TOKENS), width=64, layers=2, longest=experiment_listops.LONGEST, encoding=encoding)
    return Classifier(config, CLASSES).eval()


def test_texts_are_the_lists_and_padding():
    texts, values = experiment_listops.expressions(50, random.Random(3))
    source = random.Random(3)
    for row, value in zip(texts, values):
        tokens, right = expression(source, 25, 100)
        assert [TOKENS[int(i)] for i in row[: len(tokens)]] == tokens and not row[len(tokens) :].any() and value == right
    assert texts.shape == (50, 100)


def test_padding_changes_no_guess():
    """Scores of a text with its padding and without it; float32 sums of the same numbers in another order."""
    texts, _ = experiment_listops.expressions(4, random.Random(0))
    reader = model("RoPE")
    for text in texts:
        length = int((text > 0).sum())
        with torch.no_grad():
            padded = reader(text[None], torch.arange(100), text[None] > 0)
            bare = reader(text[None, :length], torch.arange(length))
        torch.testing.assert_close(padded, bare, rtol=1e-4, atol=1e-5)


def test_lists_are_trained_on_and_classified_without_their_padding():
    """As each would be alone; told of no padding, the same model has another loss and other guesses."""
    run = experiment_listops.listops_run({"encoding": "RoPE"}, 0)
    run.model.eval()
    (texts, values, present), count = run.batch()
    bare = [text[:100] if text.all() else text[: int(text.argmin())] for text in texts]
    with torch.no_grad():
        scores = torch.cat([run.model(text[None], torch.arange(len(text))) for text in bare])
        run.model.output.bias -= scores.mean(0)  # else all lists have the same likeliest digit
        alone = scores - scores.mean(0)
        loss, untold = run.total_loss(texts, values, present), run.total_loss(texts, values)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(alone, values, reduction="sum"), rtol=1e-4, atol=1e-4)
    assert count == 32 and abs(untold - loss) > 1e-2
    guesses = classify(run.model, texts, batch=5, present=present)
    assert torch.equal(guesses, alone.argmax(-1)) and not torch.equal(guesses, classify(run.model, texts))


@pytest.mark.parametrize("encoding, mirrored, shuffled", [
    ("RoPE", False, False), ("learned", False, False), ("ALiBi", True, False), ("NoPE", True, True),
])  # fmt: skip
def test_what_an_encoding_can_tell_from_a_list(encoding, mirrored, shuffled):
    """Without positions its tokens in any order have the same scores; without a causal mask ALiBi sees no left and right."""
    text = experiment_listops.expressions(1, random.Random(0))[0]
    text = text[:, text[0] > 0]
    reader, order = model(encoding), torch.randperm(text.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        own, *others = (reader(some, torch.arange(text.shape[1])) for some in (text, text.flip(1), text[:, order]))
    assert [torch.allclose(own, other, atol=1e-5) for other in others] == [mirrored, shuffled]


def test_a_short_run_reports_what_it_found(monkeypatch):
    """100 steps: better than a guess, worse than certain; lists are fresh at every step; a seed's lists do not depend on the encoding."""
    monkeypatch.setattr(experiment_listops, "TRAINING", replace(experiment_listops.TRAINING, steps=100, batch=8))
    monkeypatch.setattr(experiment_listops, "TESTED", 64)
    found = experiment_listops.listops({"encoding": "RoPE"}, 0)
    assert [step for step, _ in found["curve"]] == [100] and 1.5 < found["curve"][0][1] < 1.2 * math.log(10)
    texts, _ = experiment_listops.expressions(64, random.Random(1000))
    firsts = Counter(TOKENS[int(token)] for token in texts[:, 0])
    assert [operator for operator, _ in found["by_operator"]] == [*OPERATORS]
    assert abs(sum(share * firsts[operator] for operator, share in found["by_operator"]) / 64 - found["accuracy"]) < 1e-9
    runs = [experiment_listops.listops_run({"encoding": encoding}, 0) for encoding in ("RoPE", "NoPE")]
    batches = [[run.batch()[0][0] for _ in range(2)] for run in runs]
    assert torch.equal(batches[0][0], batches[1][0]) and torch.equal(batches[0][1], batches[1][1])
    assert not torch.equal(batches[0][0], batches[0][1])

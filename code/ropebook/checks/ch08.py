"""Checkers of chapter 08, the rotation as fast as memory allows."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from ropebook.checks.asking import asked, one_number
from ropebook.checks.ch08_program import check_programs, table_shape
from ropebook.checks.turning import checked, same, turned, where
from ropebook.exercises import Wrong, exercise
from ropebook.frequencies import frequencies
from ropebook.rotation_torch import rotation_table

NEAR = 1e-6  # relative: an answer in float32 is off by some units of 6e-8, the smallest of the mistakes below by a thousandth


class Batch(NamedTuple):
    """The arguments of exercise 8.1."""

    B: int
    T: int
    heads: int
    key_heads: int
    D: int
    size: int
    bandwidth: float


BATCHES = (  # in the first every mistake gives a time of its own
    Batch(3, 7, 10, 4, 48, 4, 10**12),
    Batch(4, 512, 12, 12, 64, 2, 2.04e12),
    Batch(32, 1, 32, 1, 128, 2, 3.35e12),
    Batch(1, 4096, 64, 8, 128, 1, 4.8e12),
)


@exercise("8.1")
def least_time(answer):
    """A function (B, T, heads, key_heads, D, size, bandwidth) -> seconds."""
    for case in BATCHES:
        name = ", ".join(f"{field} = {value:.4g}" for field, value in case._asdict().items())
        got, right = one_number(asked(answer, name, case == BATCHES[0], *case), name), _seconds(case)
        if not math.isclose(got, right, rel_tol=NEAR):
            lesson = next((lesson for lesson, wrong in TIMES if math.isclose(got, wrong(case), rel_tol=NEAR)),
                          f"it should be {right:.4g}. Count the numbers of q, and of k; two trips each; bytes; divided by the bandwidth.")
            raise Wrong(f"For {name} you return {got:.4g}: {lesson}")
    return "Only bytes and bandwidth count. With fewer heads of keys less is moved, and a word at a time costs B times that of one text."


def _seconds(case, trips=2, **other):
    """The right answer to exercise 8.1, with other arguments or trips as options."""
    case = case._replace(**other)
    return trips * case.B * case.T * (case.heads + case.key_heads) * case.D * case.size / case.bandwidth


TIMES = (  # lesson, what it returns for a Batch
    ("with whole numbers `//` throws the fraction away, and that is all there is. Divide with `/`.", lambda case: 0.0),
    ("that is half of it. Each number is read and written, two trips, and D counts numbers, not pairs.", lambda case: _seconds(case, 1)),
    ("three trips for each number. One reading and one writing are two: memory that is written need not be read.",
     lambda case: _seconds(case, 3)),
    ("those are the ten trips of `half_split`, an operation at a time. The least is one reading and one writing.",
     lambda case: _seconds(case, 10)),
    ("the keys have heads of their own, and often fewer: key_heads.", lambda case: _seconds(case, key_heads=case.heads)),
    ("the queries have `heads` heads, only the keys have key_heads.", lambda case: _seconds(case, heads=case.key_heads)),
    ("that is the time of the queries. The keys are turned, too.", lambda case: _seconds(case, key_heads=0)),
    ("that is the time of the keys. The queries are turned, too.", lambda case: _seconds(case, heads=0)),
    ("you multiply the two numbers of heads. Queries and keys lie side by side: add them.",
     lambda case: _seconds(case, heads=case.heads * case.key_heads, key_heads=0)),
    ("the size is left out. The bandwidth counts bytes, and a number has `size` of them.", lambda case: _seconds(case, size=1)),
    ("an eighth of it: `size` is in bytes already, not in bits.", lambda case: _seconds(case) / 8),
    ("eight times too long: size and bandwidth are both in bytes, so no bits are needed.", lambda case: _seconds(case) * 8),
    ("B is missing: each sequence has its own queries and keys.", lambda case: _seconds(case, B=1)),
    ("T is missing: every token has a query and a key in each head.", lambda case: _seconds(case, T=1)),
    ("D is missing: a head has D numbers for each token.", lambda case: _seconds(case, D=1)),
    ("those are milliseconds. Seconds are asked for.", lambda case: _seconds(case) * 1e3),
    ("those are microseconds. Seconds are asked for.", lambda case: _seconds(case) * 1e6),
    ("a billion times too long: the bandwidth is in bytes, not in gigabytes, and the time in seconds.", lambda case: _seconds(case) * 1e9),
    ("a billion times too short: the bandwidth is in bytes a second already, not in gigabytes.", lambda case: _seconds(case) / 1e9),
    ("those are bytes. Divided by the bytes of a second they become seconds.", lambda case: _seconds(case, bandwidth=1)),
    ("upside down: seconds are bytes over bytes a second.", lambda case: 1 / _seconds(case)),
    ("you count operations, three for each number. They cost nothing here; what takes the time is the bytes: (8b), its second part.",
     lambda case: _seconds(case, 3, size=1)),
    *(("your table is counted, too. It is small enough to be left out.",
       lambda case, n=n: _seconds(case) + n * case.T * case.D * case.size / case.bandwidth) for n in (0.5, 1, 2, 4)),
)

ROUNDS = (7, 8, 1, 30)


@exercise("8.2")
def times_copy(answer):
    """A function (seconds, copy) -> the median of the ratios of each round."""
    for rounds in ROUNDS:
        seconds, copy = _race(rounds)
        name, given = f"{rounds} round{'s' * (rounds > 1)}", (seconds.tolist(), copy.tolist())
        got, right = one_number(asked(answer, name, rounds == ROUNDS[0], *given), name), float(np.median(seconds / copy))
        if given != (seconds.tolist(), copy.tolist()):
            raise Wrong("Your function changes the lists that it was given. Sorted alone, they no longer tell which times "
                        "were of one round.")
        if not math.isclose(got, right, rel_tol=NEAR):
            lesson = next((lesson for lesson, wrong in RATIOS if math.isclose(got, wrong(seconds, copy), rel_tol=NEAR)),
                          f"it should be {right:.4f}. Divide in each round, then take the median of what comes out.")
            raise Wrong(f"For {name} you return {got:.4f}: {lesson}")
    return "A busy round slows both and leaves their ratio; what hits only one of them is far out, where a median does not look."


def _race(rounds):
    """Times (R,) of a call and of a copy in rounds: in every third both are slowed, and a later one slows the call alone."""
    random = np.random.default_rng(726 + rounds)  # in 7 and in 8 rounds no two of the mistakes below agree
    busy = np.where(np.arange(rounds) % 3 == 1, 6.0, 1.0)
    copy = 1e-4 * random.uniform(1, 1.3, rounds) * busy
    seconds = copy * random.uniform(1.7, 2.4, rounds)
    seconds[rounds // 2 + 1 :: 4] *= 5
    return seconds, copy


def _middle(upper):
    """The lower or the upper of the two ratios in the middle."""
    return lambda s, c: np.sort(s / c)[(len(s) - 1 + upper) // 2]


RATIOS = (  # lesson, what it returns for arrays seconds and copy
    ("that is the mean of the ratios. One round with a hiccup moves it; the median stays.", lambda s, c: np.mean(s / c)),
    ("you divide the medians. They may come from two different rounds, one busy and one not: divide in each round first.",
     lambda s, c: np.median(s) / np.median(c)),
    ("you divide sums or means, so the slowest rounds count most. Divide in each round first, then take the median.",
     lambda s, c: s.sum() / c.sum()),
    ("you divide the best by the best: never the best of many, and they may come from two rounds.", lambda s, c: s.min() / c.min()),
    ("that is the best of many. The rules ask for the median.", lambda s, c: np.min(s / c)),
    ("that is the worst of many. The rules ask for the median.", lambda s, c: np.max(s / c)),
    ("upside down: that is how many times as long the copy took.", lambda s, c: np.median(c / s)),
    ("upside down: that is how many times as long the copy took.", lambda s, c: 1 / np.median(s / c)),
    ("that is the last round alone.", lambda s, c: s[-1] / c[-1]),
    ("that is the first round alone, which is often the slowest.", lambda s, c: s[0] / c[0]),
    ("that is the round in the middle of the list. The median is the middle of the sorted ratios.", lambda s, c: (s / c)[len(s) // 2]),
    ("you sort the times by themselves, so a time no longer meets the copy of its round.", lambda s, c: np.median(np.sort(s) / np.sort(c))),
    ("those are percent. *How many times* is the ratio itself.", lambda s, c: 100 * np.median(s / c)),
    ("that is how much *longer*. Twice as long is 2, not 1.", lambda s, c: np.median(s / c) - 1),
    ("that is a difference, in seconds. Divide.", lambda s, c: np.median(s - c)),
    ("that is a time, in seconds. Divide by the copy's.", lambda s, c: np.median(s)),
    ("of an even number of rounds two are in the middle, and the median lies half way between; torch.median takes the lower.", _middle(0)),
    ("of an even number of rounds two are in the middle, and the median lies half way between. You take the upper.", _middle(1)),
)

SIZES = ((2, 4, 5, 8), (3, 7, 7, 6), (4, 5, 1, 2))  # (B, H, T, D): in the second heads and tokens agree
FIRST = 3  # position of token 0, so that its pairs turn


@exercise("8.3")
def both_ways(answer):
    """A torch.autograd.Function whose apply(x, table) turns x (B, H, T, D), float32, by a complex table (T, D/2)."""
    if not (isinstance(answer, type) and issubclass(answer, torch.autograd.Function)):
        raise Wrong(f"Expected a class of torch.autograd.Function, got {answer!r}.")
    refused = ""
    for seed, sizes in enumerate(SIZES):
        generator, name = torch.Generator().manual_seed(seed), f"x of shape {sizes}"
        x, g = (torch.randn(sizes, generator=generator) for _ in range(2))
        table = rotation_table(range(FIRST, FIRST + sizes[2]), frequencies(sizes[3]))
        leaf = x.clone().requires_grad_()
        with torch.enable_grad():  # whatever an earlier cell has switched off
            got = asked(answer.apply, name, seed == 0, leaf, table.clone())
        y = checked(got, sizes, torch.float32, name)
        if not torch.equal(leaf, x):
            raise Wrong("Your forward changes the x that it was given. Others may still need it: write into a new tensor.")
        _check_turned("forward", name, x, table, y)
        _check_kept(got.grad_fn, x)
        _check_turned("backward", name, g, table.conj(), _gradient(answer, got.grad_fn, g, name))
        refused = refused or _refusal(answer, got.grad_fn, g)
    return f"Both ways are right, and what waits in between is the table, a {sizes[0] * sizes[1]}th of x.{refused}"


def _check_turned(way, name, x, table, got):
    """Whether got is x (B, H, T, D), turned by table (T, D/2).

    Of a pair of length r the product is off by 3 units of r at most. Divided by a factor instead of multiplied by its conjugate,
    it is off by 7, and by 2 more for the factor's length, which is only nearly 1.
    """
    factors = table.to(torch.complex128)
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)))
    right = torch.view_as_real(pairs * factors).flatten(-2)
    if ((got - right).abs() <= 10 * 2.0**-24 * pairs.abs().repeat_interleave(2, dim=-1)).all():
        return
    lesson = next((lesson for lesson, wrong in TURNS[way] if same(got, wrong(x, factors.angle()))), None)
    raise Wrong(f"For {name}, {way}: {lesson or where(x, torch.arange(x.shape[2]), right, got)}")


def _wrong_axis(x, angle):
    return turned(x.transpose(1, 2), angle).transpose(1, 2) if x.shape[1] == x.shape[2] else None


TURNS = {
    "forward": (
        ("you turn the other way. The conjugate belongs into backward.", lambda x, angle: turned(x, -angle)),
        ("x comes back as it was.", lambda x, angle: x.double()),
        ("your pairs are (i, i + D/2). Here neighbours pair up: (0, 1), (2, 3), …", lambda x, angle: turned(x, angle, half_split=True)),
        ("you turn head h by row h of the table. Its rows belong to the tokens, the axis before the last.", _wrong_axis),
    ),
    "backward": (
        ("the gradient is turned forwards once more. It goes back by −mθ: conjugate the factors.", lambda g, angle: turned(g, -angle)),
        ("the gradient leaves as it arrived. A turn of x turns its gradient, too, by −mθ.", lambda g, angle: g.double()),
        ("your pairs are (i, i + D/2) on the way back. Here neighbours pair up.", lambda g, angle: turned(g, angle, half_split=True)),
        ("you turn head h by row h of the table. Its rows belong to the tokens, the axis before the last.", _wrong_axis),
    ),
}


def _check_kept(node, x):
    """Whether what node, which is `ctx` afterwards, keeps is less than half as large as x; one memory counts once."""
    kept = [leaf for leaf in tree_leaves((vars(node), node.saved_tensors)) if isinstance(leaf, torch.Tensor)]
    memory = {leaf.untyped_storage().data_ptr(): leaf.untyped_storage().nbytes() for leaf in kept}
    if sum(memory.values()) > x.nbytes / 2:
        raise Wrong(f"Forward is right, but keeps {sum(memory.values())} bytes for the way back, and x itself has {x.nbytes}. "
                    "The way back needs the table and g: neither x nor y.")


def _gradient(answer, node, g, name):
    """What the reader's backward returns for x (B, H, T, D), in float64."""
    sent = g.clone()
    result = asked(answer.backward, f"backward, {name}", False, node, sent)
    if not torch.equal(sent, g):
        raise Wrong("Your backward changes the g that it was given. Others may still need it: write into a new tensor.")
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong("backward returns one gradient for each argument of forward, two here: that of x, and None for the table.")
    if result[0] is None:
        raise Wrong("The gradient of x is None. The order is that of forward's arguments: x first, then the table.")
    return checked(result[0], g.shape, torch.float32, f"the gradient of {name}")


def _refusal(answer, node, g):
    """A remark if backward stops at a gradient whose numbers all lie at one address, as that of a sum."""
    try:
        answer.backward(node, torch.ones(()).expand(g.shape))
    except Exception:
        return " One thing more: y.sum().backward() sends a g with strides of 0, at which yours stops; g.contiguous() helps."
    return ""


GRIDS = (  # (B, H, T, D), block: blocks across rows and with a rest, without a rest, one pair a row, and wider than all of x
    ((2, 2, 5, 8), 7),
    ((2, 3, 4, 6), 8),
    ((1, 3, 7, 2), 16),
    ((3, 2, 2, 12), 64),
    ((1, 1, 1, 4), 16),
)


@exercise("8.4")
def program(answer):
    """A function (number, block, x, cos, sin, out, T, D) that turns its pairs of flat x into flat out."""
    if not callable(answer):
        raise Wrong(f"Expected a function, got {type(answer).__name__}.")
    shape = table_shape(answer)
    for sizes, block in GRIDS:
        rows = shape if shape == (-1,) else (sizes[2], sizes[3] // 2)
        check_programs(answer, sizes, block, rows, first=sizes == GRIDS[0][0])
    return "Each program writes its own pairs and reads nobody's results, so thousands may run at once, in any order."

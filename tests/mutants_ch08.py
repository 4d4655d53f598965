"""Wrong answers to the exercises of chapter 08, each with part of the lesson that its checker must give."""

import statistics

import numpy as np
import torch

from ropebook.rotation_torch import apply_table


def seconds(B, T, heads, key_heads, D, size, bandwidth, trips=2):
    """The right answer to exercise 8.1, with other trips as an option."""
    return trips * B * T * (heads + key_heads) * D * size / bandwidth


def seconds_by_tensors(B, T, heads, key_heads, D, size, bandwidth):
    q, k = (torch.empty(B, count, T, D, device="meta") for count in (heads, key_heads))
    return torch.tensor([2.0 * size * (q.numel() + k.numel()) / bandwidth])


def seconds_of_roofline(B, T, heads, key_heads, D, size, bandwidth):
    numbers = sum(np.prod([B, T, count, D]) for count in (heads, key_heads))
    return max(3 * numbers / 8.1e15, 2 * numbers * size / bandwidth)


def seconds_but_for_one_token(B, T, *rest):
    return seconds(B, T, *rest) if T > 1 else None


def ratio(seconds, copy, middle=np.median):
    """The right answer to exercise 8.2, with another middle as an option."""
    return middle(np.array(seconds) / np.array(copy))


def ratio_by_sorting(seconds, copy):
    ratios = sorted(one / other for one, other in zip(seconds, copy))
    return (ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2


def ratio_in_place(seconds, copy):
    seconds.sort()
    return ratio(seconds, copy)


def multiply(x, table, half_split=False):
    if half_split:
        return multiply(x.unflatten(-1, (2, -1)).mT.flatten(-2), table).unflatten(-1, (-1, 2)).mT.flatten(-2)
    pairs = torch.view_as_complex(x.contiguous().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table).flatten(-2)


def by_heads(x, table):
    """Row h of the table for head h, where there are as many heads as tokens."""
    return multiply(x.transpose(1, 2), table).transpose(1, 2) if x.shape[1] == x.shape[2] else multiply(x, table)


def function(forward=multiply, backward=lambda g, table: (multiply(g, table.conj()), None), keep=lambda ctx, x, y, table: None):
    """The right answer to exercise 8.3, with its two passes, and what else it keeps, as options."""

    class Answer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, table):
            y = forward(x, table)
            ctx.save_for_backward(table)
            keep(ctx, x, y, table)
            return y

        @staticmethod
        def backward(ctx, g):
            return backward(g, ctx.saved_tensors[-1])

    return Answer


def way_back(turn):
    return function(backward=lambda g, table: (turn(g, table), None))


def turn_in_place(x, table):
    return x.copy_(multiply(x, table))


def g_in_place(g, table):
    torch.view_as_complex(g.unflatten(-1, (-1, 2))).mul_(table.conj())
    return g


class Apart(torch.autograd.Function):
    """The right answer to exercise 8.3 with setup_context, cosines and sines, and a gradient for the table."""

    @staticmethod
    def forward(x, table):
        return apply_table(x, table)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.cos, ctx.sin = inputs[1].real.clone(), inputs[1].imag.clone()

    @staticmethod
    def backward(ctx, g):
        first, second = g[..., 0::2], g[..., 1::2]
        back = torch.stack([first * ctx.cos + second * ctx.sin, second * ctx.cos - first * ctx.sin], dim=-1).flatten(-2)
        return back, torch.zeros_like(torch.complex(ctx.cos, ctx.sin))


def play(number, block, x, cos, sin, out, T, D, count=None, start=None, end=lambda pair, pairs: pair[pair < pairs], token=None, place=None,
         sign=1, write=None, read=None, turn=None, swap=False):
    """The right answer to exercise 8.4, with its mistakes as options."""
    half = D // 2
    pair = (number * block if start is None else start(number, block)) + np.arange(block if count is None else count(block))
    pair = end(pair, len(x) // 2)
    row, i = pair // half, pair % half
    at = (row % T if token is None else token(pair, row, T, D)) * half + (i if place is None else place(pair, i))
    c, s = (sin[at], cos[at]) if swap else (cos[at], sign * sin[at])
    neighbours = 2 * pair, 2 * pair + 1
    halves = row * D + i, row * D + i + half
    first, second = (x[where] for where in (halves if read == "halves" else neighbours))
    one, two = {"halves": halves, "count": (pair, pair + 1)}.get(write, neighbours)
    out[one], out[two] = (turn or (lambda a, b, c, s: (a * c - b * s, a * s + b * c)))(first, second, c, s)


def overwritten(a, b, c, s):
    a = a * c - b * s
    return a, a * s + b * c


def by_entries(number, block, x, cos, sin, out, T, D):
    own, whole = slice(number * block, number * block + block), np.empty_like(x)
    play(0, len(x) // 2, x, cos, sin, whole, T, D)
    out[own] = whole[own]


def by_loop(number, block, x, cos, sin, out, T, D):
    """The right answer to exercise 8.4, pair by pair, with cos and sin as rows."""
    for pair in range(number * block, min(number * block + block, len(x) // 2)):
        row, i = divmod(pair, D // 2)
        z = complex(x[2 * pair], x[2 * pair + 1]) * complex(cos[row % T, i], sin[row % T, i])
        out[2 * pair], out[2 * pair + 1] = z.real, z.imag


def by_slices(number, block, x, cos, sin, out, T, D):
    """The right answer to exercise 8.4 with complex numbers, whose slices end where the memory does."""
    own = slice(number * block, number * block + block)
    table = np.resize(np.ravel(cos) + 1j * np.ravel(sin), len(x) // 2)
    out.view(complex)[own] = x.view(complex)[own] * table[own]


def whole_blocks(number, block, x, *rest):
    if number * block + block <= len(x) // 2:
        play(number, block, x, *rest)


def in_block(number, block, x, cos, sin, out, T, D):
    pair = np.arange(number * block, min(number * block + block, len(x) // 2))
    z = x.view(complex)[pair] * (np.ravel(cos) + 1j * np.ravel(sin))[(pair - number * block) % (T * D // 2)]
    out[2 * pair], out[2 * pair + 1] = z.real, z.imag


def returned(number, block, x, cos, sin, out, T, D):
    out = np.empty_like(x)
    play(number, block, x, cos, sin, out, T, D)
    return out


def with_(**options):
    return lambda *args: play(*args, **options)


MUTANTS = [
    ("8.1", lambda *a: seconds(*a, trips=1), "that is half of it"),
    ("8.1", lambda *a: seconds(*a, trips=3), "three trips"),
    ("8.1", lambda *a: seconds(*a, trips=10), "the ten trips of `half_split`"),
    ("8.1", lambda B, T, h, k, D, s, w: seconds(B, T, h, h, D, s, w), "the keys have heads of their own"),
    ("8.1", lambda B, T, h, k, *a: seconds(B, T, k, k, *a), "only the keys have key_heads"),
    ("8.1", lambda B, T, h, k, D, s, w: seconds(B, T, h, 0, D, s, w), "the time of the queries"),
    ("8.1", lambda B, T, h, *a: seconds(B, T, 0, *a), "the time of the keys"),
    ("8.1", lambda B, T, h, k, D, s, w: seconds(B, T, h * k, 0, D, s, w), "multiply the two numbers of heads"),
    ("8.1", lambda B, T, h, k, D, s, w: seconds(B, T, h, k, D, 1, w), "the size is left out"),
    ("8.1", lambda *a: seconds(*a) / 8, "not in bits"),
    ("8.1", lambda *a: seconds(*a) * 8, "no bits are needed"),
    ("8.1", lambda B, *a: seconds(1, *a), "B is missing"),
    ("8.1", lambda B, T, *a: seconds(B, 1, *a), "T is missing"),
    ("8.1", lambda B, T, h, k, D, s, w: seconds(B, T, h, k, 1, s, w), "D is missing"),
    ("8.1", lambda B, T, h, k, D, s, w: seconds(B, T, h, k, D // 2, s, w), "D counts numbers, not pairs"),
    ("8.1", lambda *a: 1e3 * seconds(*a), "milliseconds"),
    ("8.1", lambda *a: 1e6 * seconds(*a), "microseconds"),
    ("8.1", lambda *a: 1e9 * seconds(*a), "not in gigabytes, and the time in seconds"),
    ("8.1", lambda *a: seconds(*a) / 1e9, "a billion times too short"),
    ("8.1", lambda *a: seconds(*a[:-1], 1), "those are bytes"),
    ("8.1", lambda *a: 1 / seconds(*a), "upside down"),
    ("8.1", lambda B, T, h, k, D, s, w: 3 * B * T * (h + k) * D / w, "you count operations"),
    ("8.1", lambda B, T, h, k, D, s, w: (2 * B * (h + k) + 1) * T * D * s / w, "your table is counted"),
    ("8.1", lambda B, T, h, k, D, s, w: 2 * B * T * (h + k) * D * s // w, "throws the fraction away"),
    ("8.1", lambda *a: 2 * seconds(*a) ** 2, "Count the numbers of q, and of k"),
    ("8.1", lambda B, T, h, k, D, s, w: np.array([h, k]) * B * T * D * s * 2 / w, "yours has shape (2,)"),
    ("8.1", seconds_but_for_one_token, "It returned nothing for B = 32, T = 1"),
    ("8.2", lambda s, c: ratio(s, c, np.mean), "that is the mean of the ratios"),
    ("8.2", lambda s, c: np.median(s) / np.median(c), "you divide the medians"),
    ("8.2", lambda s, c: sum(s) / sum(c), "you divide sums or means"),
    ("8.2", lambda s, c: min(s) / min(c), "the best by the best"),
    ("8.2", lambda s, c: ratio(s, c, min), "the best of many. The rules"),
    ("8.2", lambda s, c: ratio(s, c, max), "the worst of many"),
    ("8.2", lambda s, c: ratio(c, s), "upside down"),
    ("8.2", lambda s, c: s[-1] / c[-1], "the last round alone"),
    ("8.2", lambda s, c: s[0] / c[0], "the first round alone"),
    ("8.2", lambda s, c: s[len(s) // 2] / c[len(c) // 2], "the middle of the list"),
    ("8.2", lambda s, c: ratio(sorted(s), sorted(c)), "sort the times by themselves"),
    ("8.2", lambda s, c: 100 * ratio(s, c), "percent"),
    ("8.2", lambda s, c: ratio(s, c) - 1, "how much *longer*"),
    ("8.2", lambda s, c: np.median(np.subtract(s, c)), "a difference"),
    ("8.2", lambda s, c: statistics.median(s), "a time, in seconds"),
    ("8.2", lambda s, c: (torch.tensor(s) / torch.tensor(c)).median(), "torch.median takes the lower"),
    ("8.2", lambda s, c: ratio(s, c, statistics.median_low), "torch.median takes the lower"),
    ("8.2", lambda s, c: ratio(s, c, sorted)[len(s) // 2], "You take the upper"),
    ("8.2", lambda s, c: ratio(s, c, lambda r: np.quantile(r, [0.25, 0.5, 0.75])), "yours has shape (3,)"),
    ("8.2", lambda s, c: ratio(s, c, lambda r: np.exp(np.log(r).mean())), "Divide in each round, then take the median"),
    ("8.2", ratio_in_place, "changes the lists"),
    ("8.2", lambda s, c: s / c, "stopped with TypeError"),
    ("8.3", function(forward=lambda x, table: multiply(x, table.conj())), "The conjugate belongs into backward"),
    ("8.3", function(forward=lambda x, table: x.clone()), "x comes back as it was"),
    ("8.3", function(forward=lambda x, table: multiply(x, table, half_split=True)), "forward: your pairs are (i, i + D/2)"),
    ("8.3", function(forward=by_heads), "forward: you turn head h by row h"),
    ("8.3", function(forward=lambda x, table: 2 * multiply(x, table)), "forward: in the row at position"),
    ("8.3", function(forward=lambda x, table: torch.view_as_complex(multiply(x, table).unflatten(-1, (-1, 2)))), "got complex ones"),
    ("8.3", function(forward=lambda x, table: multiply(x, table).unflatten(-1, (-1, 2))), "the shape should be (2, 4, 5, 8)"),
    ("8.3", function(forward=lambda x, table: multiply(x, table).double()), "the dtype should be float32"),
    ("8.3", function(forward=turn_in_place), "changes the x"),
    ("8.3", way_back(multiply), "turned forwards once more"),
    ("8.3", way_back(lambda g, table: g), "leaves as it arrived"),
    ("8.3", way_back(lambda g, table: multiply(g, table.conj(), half_split=True)), "on the way back. Here neighbours"),
    ("8.3", way_back(lambda g, table: by_heads(g, table.conj())), "backward: you turn head h by row h"),
    ("8.3", way_back(lambda g, table: -multiply(g, table.conj())), "backward: in the row at position"),
    ("8.3", way_back(lambda g, table: multiply(g, table.conj()).double()), "the gradient of x of shape (2, 4, 5, 8) the dtype should be"),
    ("8.3", way_back(lambda g, table: multiply(g, table.conj()).sum(0)), "the gradient of x of shape (2, 4, 5, 8) the shape should be"),
    ("8.3", way_back(g_in_place), "changes the g"),
    ("8.3", function(backward=lambda g, table: multiply(g, table.conj())), "one gradient for each argument"),
    ("8.3", function(backward=lambda g, table: (None, multiply(g, table.conj()))), "x first, then the table"),
    ("8.3", function(backward=lambda g, table: 1 / 0), "backward, x of shape (2, 4, 5, 8) your answer stopped with ZeroDivisionError"),
    ("8.3", function(backward=lambda g, table: None), "It returned nothing for backward"),
    ("8.3", function(keep=lambda ctx, x, y, table: ctx.save_for_backward(x, table)), "neither x nor y"),
    ("8.3", function(keep=lambda ctx, x, y, table: setattr(ctx, "x", x)), "neither x nor y"),
    ("8.3", function(keep=lambda ctx, x, y, table: setattr(ctx, "kept", {"pairs": [y.unflatten(-1, (-1, 2))[..., 0]]})), "neither x nor y"),
    ("8.3", function(keep=lambda ctx, x, y, table: setattr(ctx, "table", table.expand(*x.shape[:3], -1).clone())), "neither x nor y"),
    ("8.3", multiply, "Expected a class of torch.autograd.Function"),
    ("8.4", with_(end=lambda pair, pairs: pair), "with size 160. Here the pairs come to an end"),
    ("8.4", with_(token=lambda pair, row, T, D: row), "The table has T rows and starts again with each head"),
    ("8.4", with_(token=lambda pair, row, T, D: row // T), "is the head's number"),
    ("8.4", with_(token=lambda pair, row, T, D: pair % T), "you take the pair's count for its row's"),
    ("8.4", with_(token=lambda pair, row, T, D: pair // D % T), "and you divide the pair's count by D"),
    ("8.4", with_(token=lambda pair, row, T, D: 0 * row), "the table's first row"),
    ("8.4", with_(place=lambda pair, i: 0 * i), "Each pair has its own"),
    ("8.4", in_block, "add number * block"),
    ("8.4", with_(sign=-1), "you turn the other way"),
    ("8.4", with_(swap=True), "have changed places"),
    ("8.4", with_(turn=lambda a, b, c, s: (a, b)), "x comes as it was"),
    ("8.4", with_(turn=lambda a, b, c, s: (a * c + b * s, a * s + b * c)), "both sines carry a plus"),
    ("8.4", with_(turn=overwritten), "Read both before you write"),
    ("8.4", with_(read="halves", write="halves"), "you write the halves of a row"),
    ("8.4", with_(read="halves"), "you read entries i and i + D/2"),
    ("8.4", with_(place=lambda pair, i: i[::-1]), "should be ["),
    ("8.4", with_(start=lambda number, block: 0), "whatever number says"),
    ("8.4", with_(start=lambda number, block: number * block + 1), "yours begin one too late"),
    ("8.4", with_(start=lambda number, block: number), "pairs 7 to 13 only. Entry 2 of out, in pair 1, is another's"),
    ("8.4", with_(count=lambda block: block - 1), "the last pair of the block is missing"),
    ("8.4", with_(count=lambda block: 2 * block), "turns pairs 0 to 6 only. Entry 14 of out, in pair 7"),
    ("8.4", lambda number, block, *a: play(number, block // 2, *a), "Is it divided by 2?"),
    ("8.4", by_entries, "of two numbers each."),
    ("8.4", with_(write="count"), "take the pair's count for its place"),
    ("8.4", with_(turn=lambda a, b, c, s: (a * c - b * s, np.nan)), "the second is not"),
    ("8.4", whole_blocks, "mask single pairs"),
    ("8.4", with_(end=lambda pair, pairs: np.minimum(pair, pairs - 1)), "there are no more pairs"),
    ("8.4", with_(end=lambda pair, pairs: pair % pairs), "Entry 0 of out, in pair 0, is another's"),
    ("8.4", lambda number, block, x, *rest: play(0, len(x) // 2, x, *rest), "you turn all of x"),
    ("8.4", lambda number, block, x, cos, sin, out, T, D: [play(number, block, x, cos, sin, y, T, D) for y in (out, x)],
     "x is changed"),
    ("8.4", lambda number, block, x, cos, sin, out, T, D: play(number, block, x, cos, sin, out.copy(), T, D), "Nothing is written to out"),
    ("8.4", returned, "Nothing is written to out"),
    ("8.4", lambda number, block, x, cos, sin, out, T, D: out.__iadd__(x), "what stood there before"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("8.1", seconds),
    ("8.1", seconds_by_tensors),
    ("8.1", seconds_of_roofline),
    ("8.2", ratio),
    ("8.2", ratio_by_sorting),
    ("8.2", lambda s, c: statistics.median(map(lambda one, other: one / other, s, c))),
    ("8.2", lambda s, c: torch.quantile(torch.tensor(s) / torch.tensor(c), 0.5)),
    ("8.3", function()),
    ("8.3", Apart),
    ("8.3", function(forward=apply_table)),
    ("8.3", way_back(lambda g, table: multiply(g, 1 / table))),
    ("8.3", way_back(lambda g, table: torch.view_as_real(torch.view_as_complex(g.unflatten(-1, (-1, 2))) * table.conj()).flatten(-2))),
    ("8.4", play),
    ("8.4", by_loop),
    ("8.4", by_slices),
    ("8.4", lambda number, block, x, *rest: [play(p, 1, x, *rest) for p in range(number * block, number * block + block)] and None),
]

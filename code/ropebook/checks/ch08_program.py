"""For exercise 8.4: running a reader's kernel program by program, and what its mistakes leave in memory."""

import numpy as np

from ropebook.exercises import NotAnswered, Wrong
from ropebook.frequencies import frequencies
from ropebook.rotation import angles, rotate

FIRST = 3  # position of token 0, so that its pairs turn, too


def check_programs(answer, sizes, block, table_shape, first):
    """Run programs 0 … of a grid, and two beyond its end, each on an out of its own that holds no numbers; raises Wrong or NotAnswered.

    sizes        (B, H, T, D)
    table_shape  what cos and sin (T, D/2) are reshaped to
    first        whether a program that does nothing is no answer
    """
    positions, theta = np.arange(FIRST, FIRST + sizes[2]), frequencies(sizes[3])
    x = np.random.default_rng(block).standard_normal(sizes)
    angle, right = angles(positions, theta), rotate(x, positions, theta).reshape(-1, 2)
    x, done = x.ravel(), np.empty_like(right)
    programs = -(-len(right) // block)
    for number in (*range(programs), programs, programs + 3):
        own = np.arange(number * block, min((number + 1) * block, len(right)))
        name = f"(B, H, T, D) = {sizes}, block = {block} and program {number}"
        given, out = x.copy(), np.full(x.shape, np.nan)
        tables = [part.reshape(table_shape) for part in (np.cos(angle), np.sin(angle))]
        result = _run(answer, name, len(own) == block, number, block, given, *tables, out, sizes[2], sizes[3])
        if first and number == 0 and np.isnan(out).all():
            raise _nothing_written(answer, result)
        if not np.array_equal(given, x):
            raise Wrong(f"For {name}: x is changed. Other programs may not have read it yet: write into out.")
        _check_touched(name, number * block, block, own, sizes[3], out)
        done[own] = out.reshape(-1, 2)[own]
    _check_values(f"(B, H, T, D) = {sizes} and block = {block}", x.reshape(-1, 2), angle, block, right, done)


def table_shape(answer, rows=2, half=4):
    """Whether an answer reads cos and sin as flat memory, (-1,), or as rows, (rows, half); the statement may be read both ways."""
    for shape in ((-1,), (rows, half)):
        x, out, cos, sin = np.zeros(2 * rows * half), np.zeros(2 * rows * half), *np.zeros((2, rows, half)).reshape(2, *shape)
        try:
            answer(0, half, x, cos, sin, out, rows, 2 * half)
        except Exception:
            continue
        return shape
    return (-1,)


def _run(answer, name, whole, *args):
    try:
        return answer(*args)
    except Exception as error:
        lesson = ("The table has T rows and starts again with each head: is the token a remainder?" if whole else
                  "Here the pairs come to an end. Keep those below len(x) // 2.")
        lesson = f" {lesson}" if isinstance(error, (IndexError, ValueError)) else ""
        raise Wrong(f"For {name} your answer stopped with {type(error).__name__}: {error}.{lesson}") from None


def _nothing_written(answer, result):
    """NotAnswered for a stub, which does not even miss its arguments; Wrong for all others."""
    if result is None or result is ...:
        try:
            answer(*[None] * 8)
            return NotAnswered()
        except Exception:
            pass
    return Wrong("Nothing is written to out, or what stood there before has got into it. Write in place, as in out[2 * pair] = …; "
                 "a new array, or the name `out` for one, is lost.")


def _check_touched(name, start, block, own, D, out):
    touched, should = np.flatnonzero(~np.isnan(out)), _entries(own)
    if np.array_equal(touched, should):
        return
    row, place = own // (D // 2), own % (D // 2)
    for lesson, wrong in (
        ("it touches nothing." if len(own) == block else
         "it touches nothing, but the last block is begun, and its pairs have to be turned: mask single pairs, not the program.", []),
        ("a block counts pairs, of two numbers each.", np.arange(start, min(start + block, len(out)))),
        ("a block counts pairs, of two numbers each. Is it divided by 2?", _entries(start // 2 + np.arange(block // 2))),
        ("you take the pair's count for its place in memory. Pair p lies at 2p and 2p + 1.", np.arange(start, start + block + 1)),
        ("you write the halves of a row, entries i and i + D/2. Pair p lies at 2p and 2p + 1.",
         np.sort([row * D + place, row * D + place + D // 2], axis=None)),
        ("you turn block 0, whatever number says. The first pair of a program is number * block.", _entries(np.arange(block))),
        ("you turn all of x. Others do the rest; yours are the pairs from number * block on.", np.arange(len(out))),
        ("pairs are counted from 0: yours begin one too late.", _entries(own + 1)),
        ("the last pair of the block is missing: it is number * block + block − 1.", _entries(own[:-1])),
        ("the first entry of each pair is written, the second is not.", 2 * own),
    ):
        if np.array_equal(touched, wrong):
            raise Wrong(f"For {name}: {lesson}")
    if not len(own):
        raise Wrong(f"For {name}: there are no more pairs, so it touches nothing. Yours writes entry {touched[0]} of out.")
    if len(others := np.setdiff1d(touched, should)):
        raise Wrong(f"For {name}: it turns pairs {own[0]} to {own[-1]} only. "
                    f"Entry {others[0]} of out, in pair {others[0] // 2}, is another's.")
    raise Wrong(f"For {name}: entry {np.setdiff1d(should, touched)[0]} of out is not written, or is not a number.")


def _entries(pairs):
    return (2 * pairs[:, None] + [0, 1]).ravel()


def _check_values(name, x, angle, block, right, got):
    """Whether got (n, 2) is right: of a pair of length r two products and their sum, here and in `rotate`, are off by 2 units of r each."""
    off, pairs = np.abs(got - right), np.arange(len(x))
    if (off <= 4 * 2.0**-53 * np.linalg.norm(x, axis=1, keepdims=True)).all():
        return
    lesson = next((lesson for lesson, wrong in VALUES if np.allclose(got, wrong(x, angle, pairs, block), rtol=0, atol=1e-9)), None)
    if lesson is None:
        worst = off.max(axis=1).argmax()
        row, place = divmod(worst, angle.shape[1])
        lesson = (f"pair {worst}, which is pair {place} of row {row}, token {row % len(angle)}, should be "
                  f"[{right[worst][0]:.3f}, {right[worst][1]:.3f}]; yours is [{got[worst][0]:.3f}, {got[worst][1]:.3f}].")
    raise Wrong(f"For {name}: {lesson}")


def _turn(x, angle):
    first, second = x.T
    return np.stack([first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], axis=1)


def _by(index):
    """The turn by the angle at another place, index(pairs, T, D/2, block) -> (token, pair of the row), where the table has it."""

    def wrong(x, angle, pairs, block):
        token, place = index(pairs, *angle.shape, block)
        return _turn(x, angle[np.minimum(token, len(angle) - 1), place])
    return wrong


def _right(pairs, T, half, block=None):
    return pairs // half % T, pairs % half


def _with(change):
    """The turn by other angles than those of the table."""
    return lambda x, angle, pairs, block: _turn(x, change(angle[_right(pairs, *angle.shape)]))


def _overwritten(x, angle, pairs, block):
    first, angle = _with(lambda angle: angle)(x, angle, pairs, block)[:, 0], angle[_right(pairs, *angle.shape)]
    return np.stack([first, first * np.sin(angle) + x[:, 1] * np.cos(angle)], axis=1)


def _sine_plus(x, angle, pairs, block):
    (first, second), angle = x.T, angle[_right(pairs, *angle.shape)]
    return np.stack([first * np.cos(angle) + second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], axis=1)


def _halves_read(x, angle, pairs, block):
    x = x.reshape(-1, 2, angle.shape[1]).swapaxes(1, 2).reshape(-1, 2)
    return _with(lambda angle: angle)(x, angle, pairs, block)


VALUES = (  # lesson, what it leaves in pairs (n, 2) of x; angle (T, D/2), pairs 0 … n − 1
    ("you turn the other way: the first entry of a pair is first · cos − second · sin.", _with(lambda angle: -angle)),
    ("x comes as it was. Turn each pair by its cosine and sine.", _with(lambda angle: 0 * angle)),
    ("cosine and sine have changed places.", _with(lambda angle: np.pi / 2 - angle)),
    ("both sines carry a plus: the first entry of a pair gets minus the second.", _sine_plus),
    ("the second entry is made from the first one that is already turned. Read both before you write.", _overwritten),
    ("you read entries i and i + D/2 of a row as a pair. Pair p lies at 2p and 2p + 1.", _halves_read),
    ("the row divided by T is the head's number. The token is the remainder.", _by(lambda p, T, half, block: (p // half // T, p % half))),
    ("you take the pair's count for its row's: divide by D/2 first. The token is the row's remainder on division by T.",
     _by(lambda p, T, half, block: (p % T, p % half))),
    ("a row has D/2 pairs, and you divide the pair's count by D.", _by(lambda p, T, half, block: (p // (2 * half) % T, p % half))),
    ("you turn all by the table's first row. Each token has its own.", _by(lambda p, T, half, block: (0 * p, p % half))),
    ("you turn all pairs of a row by its first cosine. Each pair has its own.", _by(lambda p, T, half, block: (p // half % T, 0 * p))),
    ("you look up the pairs by their place in the block. Count all of x through: add number * block.",
     _by(lambda p, T, half, block: _right(p % block, T, half))),
)

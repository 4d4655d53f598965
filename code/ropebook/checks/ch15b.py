"""Checkers of chapter 15b, ListOps."""

import re
from random import Random

from ropebook.checks.asking import asked, compare, ending, one_number
from ropebook.checks.ch15b_mistakes import LIST_MISTAKES, VIEW_MISTAKES, best, by_view, depth, tree, value
from ropebook.exercises import Wrong, exercise
from ropebook.listops import CLOSE, expression

ROUNDING = 1e-6  # of NumPy's and PyTorch's 32-bit floats; of two different shares the least difference is above 1/7000
LINES = 300_000  # of Python: two loops over 200 tokens need 100,000, two over 80 texts with one over the digits between them 200,000


def _same(got, other):
    return abs(got - other) <= ROUNDING


def _results(answer, cases, one, *compared):
    """What `one` reads of the answer's result for each case, all compared; an earlier result that is wrong goes before a later error."""
    results = []
    try:
        for case in cases:
            results.append(one(answer, not results, *case))
    except Wrong:
        compare(cases, results, *compared, _same)
        raise
    compare(cases, results, *compared, _same)


def _refusal(answer, name, lesson, *given):
    """The text of the ValueError that the answer has to raise; it gets copies of the lists."""
    copies = [[*part] for part in given]
    try:
        with ending(LINES, f"For {name} your answer does not come to an end. {lesson} Raise a ValueError."):
            result = answer(*copies)
    except ValueError as error:
        return str(error)
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"For {name}: {lesson} Raise a ValueError; yours is of type {type(error).__name__}.") from None
    if isinstance(result, ValueError) or result is ValueError:
        raise Wrong(f"For {name} you return a ValueError. Raise it.")
    raise Wrong(f"For {name}: {lesson} Raise a ValueError; yours returns {result!r}.")


# ---- 15b.1 ------------------------------------------------------------------


AROUND = {"[SM": "0123456789", "[MAX": "0", "[MIN": "9", "[MED": "09"}  # none of them hides the item between two of these digits


def _nested(random, deep):
    """A list nested so deep, one list in each, of which the inmost digit has a part in the value."""
    tokens = [str(random.randrange(10))]
    for _ in range(deep):
        operator = random.choice(["[SM", "[SM", *AROUND])
        before, after = random.choices(AROUND[operator], k=2) if operator != "[MED" else "09"
        tokens = [operator, before, *tokens, after, CLOSE]
    return tokens


EXAMPLE = "[MAX 4 3 [MIN 2 3 ] 1 0 [MED 1 5 8 9 2 ] ]"
BY_HAND = (
    "7",
    "0",
    "[MAX 4 9 3 ]",
    "[MIN 4 9 3 ]",
    "[MAX 0 0 ]",
    "[SM 1 2 5 ]",
    "[SM 8 7 9 ]",
    "[SM 4 5 ]",
    "[SM 5 5 ]",
    "[MED 1 5 8 9 2 ]",
    "[MED 9 2 4 ]",
    "[MED 4 5 ]",
    "[MED 3 8 ]",
    "[MED 7 6 2 3 ]",
    "[MED 6 6 6 1 3 ]",
    "[MED 0 9 1 4 8 8 ]",
    "[MIN 6 ]",
    EXAMPLE,
    "[MIN 8 [MAX 5 9 6 ] 7 ]",
    "[MIN 4 [SM 3 7 ] ]",
    "[SM 1 2 [MIN 7 4 ] 3 ]",
    "[SM [MAX 2 6 ] 5 ]",
    "[MAX 1 [MED 7 8 ] ]",
    "[SM 9 [SM 9 8 ] 1 [MED 9 3 8 4 ] ]",
    "[MED [SM 7 8 ] [SM 6 6 ] 9 [MIN 3 1 ] ]",
    "[MIN [SM 7 8 ] 9 [SM 8 9 ] ]",
    "[SM [MED 3 8 ] [MED 5 2 ] 1 ]",
    "[SM 2 [MAX 1 [MIN 5 6 ] 3 ] 4 ]",
    "[MED 3 [SM 9 [MED 2 7 ] [MAX 1 8 ] 4 ] 6 [MIN 5 2 ] 8 1 ]",
    "[SM [MIN [MAX [MED 4 9 ] 3 ] 8 ] 7 ]",
)
DRAWN = (  # shortest, longest, depth, most
    *((8, 24, 2, 5) for _ in range(6)),
    *((14, 40, 3, 5) for _ in range(6)),
    *((30, 80, 4, 6) for _ in range(6)),
    *((60, 160, 6, 7) for _ in range(4)),
    *((120, 200, 9, 10) for _ in range(3)),
)
LISTS = (
    *(text.split() for text in BY_HAND),
    *(expression(Random(seed), *sizes)[0] for seed, sizes in enumerate(DRAWN)),
    *(_nested(Random(deep), deep) for deep in (5, 12, 25, 50)),
)
LISTS = sorted(LISTS, key=lambda tokens: depth(tree(tokens)) or 1.5)  # not the digits first: nothing for them would be no answer at all
LISTS = tuple((tokens,) for tokens in LISTS)
DEEPER = ("Lists nested {} deep went well, this one is nested {} deep, and there is no limit: keep all open lists on a stack, or let a "
          "function call itself.")  # fmt: skip
OPEN = "there is a bracket that opens a list and none that closes it."
CLOSED = "there is a closing bracket without a list that it could close."
AFTER = "the list has come to its end, and something stands behind it."
UNKNOWN = "{!r} is none of the 15 tokens."
NO_LIST = (
    ("[MAX 3 4", OPEN),
    ("[MAX 3 [MIN 2 5 ] 1", OPEN),
    ("[SM 1 [MED 2 [MIN 3 4 ] ]", OPEN),
    ("[SM 1 [MED 2 3", OPEN),
    ("[MAX 3 4 ] ]", CLOSED),
    ("[SM 1 [MIN 2 5 ] ] ] ]", CLOSED),
    ("7 ]", CLOSED),
    ("]", CLOSED),
    ("[MAX 1 2 ] ] [MIN 3 4", "as many brackets open as close, but not in that order: " + CLOSED),
    ("[MAX 3 4 ] 5", AFTER),
    ("3 4", AFTER),
    ("7 [MIN 3 4 ]", "a digit that is in no list is all there is, and something stands behind it."),
    ("[MAX 3 4 ] [MIN 1 2 ]", AFTER),
    ("[SM 1 [MIN 2 5 ] ] 0", AFTER),
    ("", "there is no token at all, so no value."),
)
STRANGE = (
    ("[MAX 3 seven ]", "seven"),
    ("[AVG 1 2 ]", "[AVG"),
    ("[SM 3 10 ]", "10"),
    ("[MIN 3 -1 ]", "-1"),
    ("[SM 2 [MEAN 3 4 ] 5 ]", "[MEAN"),
    ("[max 3 4 ]", "[max"),
    ("nine", "nine"),
    ("[MED 3 4.5 ]", "4.5"),
    ("[MAX 3 12 ]", "12"),  # a part of "0123456789"
    ("[MIN 3 07 ]", "07"),  # 7 for int()
    ("[MINUS 3 4 ]", "[MINUS"),
    ("[SM 2 MAX 3 4 ] ]", "MAX"),
)


@exercise("15b.1")
def value_of(answer):
    """A function (tokens) -> the digit that comes out; ValueError where they are no list. A float with a whole value will do."""
    right = lambda tokens: value(tree(tokens))
    mistakes = [(lesson, lambda tokens, wrong=wrong: wrong(tree(tokens))) for lesson, wrong in LIST_MISTAKES]
    _results(answer, LISTS, _value_of, right, mistakes, _list, _why_not_that)
    for text, lesson in NO_LIST:
        _refusal(answer, _list(text.split()), lesson, text.split())
        _keeps_nothing(answer, _list(text.split()))
    for text, token in STRANGE:
        said = _refusal(answer, _list(text.split()), UNKNOWN.format(token), text.split())
        if token not in said:
            raise Wrong(f"For {_list(text.split())}: the ValueError should name the unknown token, {token!r}; yours says {said!r}.")
        _keeps_nothing(answer, _list(text.split()))
    return "Each list waits for those inside it: whoever evaluates them has to remember as many open lists as they are nested deep."


def _keeps_nothing(answer, name):
    """Wrong if the example has another result now, after the refusal of the list called name."""
    tokens = EXAMPLE.split()
    try:
        same = abs(_value_of(answer, False, tokens) - value(tree(tokens))) <= ROUNDING
    except Wrong:
        same = False
    if not same:
        raise Wrong(f"For {EXAMPLE} your answer was right at first, and no longer is after the ValueError for {name}. Begin each call with "
                    "nothing kept from the one before: no global stack, and no list as a default.")  # fmt: skip


def _list(tokens):
    text = " ".join(tokens)
    if len(tokens) <= 24:
        return text or "no tokens, []"
    return f"a list of {len(tokens)} tokens, nested {depth(tree(tokens))} deep, that begins with {' '.join(tokens[:8])} …"


STEPS = "Each turn and each call should use up a token or more, and no nested list should be evaluated twice."


def _value_of(answer, first, tokens):
    name, given = _list(tokens), [*tokens]
    try:
        with ending(LINES, f"For {name} your answer does not come to an end, or only after very many steps. {STEPS}"):
            result = asked(answer, name, first, given)
    except Wrong as wrong:
        hint = _hint(str(wrong), depth(tree(tokens)))
        raise Wrong(f"{wrong}{'' if str(wrong).endswith('.') else '.'} {hint}".strip()) from None
    if given != tokens:
        raise Wrong(f"For {name} your answer changes the list that it is given, which its owner may still need. Work on a copy, "
                    "list(tokens), or keep the place where you read.")  # fmt: skip
    if isinstance(result, str | bytes):
        raise Wrong(f"For {name}: return the digit as a number, not as text; yours is {result!r}. int(token) makes one of it.")
    if isinstance(result, tuple):
        raise Wrong(f"For {name}: return the digit alone; yours is the tuple {result!r}. What else a recursion hands back, such as the "
                    "place where it goes on, belongs in a helper of its own.")  # fmt: skip
    return one_number(result, name)


def _hint(text, deep):
    """What to look at where the answer stopped on a right list."""
    if "RecursionError" in text:
        return "Each call needs fewer tokens than the one that calls it."
    if "stopped with TypeError" in text and ("'str'" in text and "'str' object" not in text or "not all arguments converted" in text):
        return "The tokens are text: make a number of each digit, with int(token), before an operator gets it."
    if "invalid literal for int()" in text:
        return "Only a digit makes a number: look for brackets first."
    if deep > 2 and "stopped with" in text:
        return DEEPER.format(deep - 1, deep)
    if deep == 0 and "stopped with" in text:
        return "A single digit is in no list: it is its own value."
    if "stopped with ValueError" in text:
        return ("Its brackets match, and it has no unknown token, so this is no case for a ValueError."
                + (" The bracket of a nested list closes that alone; the outer one goes on." if deep > 1 else ""))  # fmt: skip
    return "Look at what happens when a nested list begins, and at its end." if deep > 1 and "stopped with" in text else ""


def _why_not_that(got, tokens):
    node = tree(tokens)
    right = value(node)
    if got != int(got):
        return f"return a digit; yours is {got:.6g}. Only the mean of two middle items can have a fraction, and it is rounded down."
    if not 0 <= got <= 9:
        return f"a list gives a digit, 0 to 9; yours is {got:g}."
    if isinstance(node, int):
        return f"a single digit is its own value, {right}; yours is {got:g}."
    items = " ".join(str(value(item)) for item in node[1])
    if depth(node) == 1:
        return f"{node[0][1:]} of {items} is {right}; yours is {got:g}."
    inside = f"with the nested lists evaluated it is {node[0]} {items} ], which gives {right}; yours is {got:g}."
    return f"{inside} {DEEPER.format(depth(node) - 1, depth(node))}" if depth(node) > 2 else inside


# ---- 15b.2 ------------------------------------------------------------------

SIGHTS = "ab", "ba", "1", "", (), (1,), (1, 2), (2, 1), ("ab", None), None, 1, 0, -1, -2, 12  # no two equal; −1 and −2 have one hash


def _texts(random, N, sights, sure):
    """N texts: (views, answers), the answer of a view its own one in `sure` of the cases."""
    own = {sight: random.randrange(10) for sight in sights}
    views = [random.choice(sights) for _ in range(N)]
    return views, [own[view] if random.random() < sure else random.randrange(10) for view in views]


TEXTS = (
    ([*"aabbb"], [4, 4, 1, 7, 7]),
    ([*"abaabcb"], [3, 5, 8, 8, 5, 0, 2]),
    ([*"aaaaab"], [1, 1, 2, 2, 3, 9]),
    ([*"aaaa"], [5, 2, 2, 6]),
    ([*"abcd"], [3, 3, 3, 3]),
    (["x"], [0]),
    ([5, 3, 5, 3, 5, 5], [0, 0, 7, 0, 7, 7]),
    ([(1, 2), (2, 1), (1, 2), (2, 1), (1, 2)], [6, 4, 6, 3, 5]),
    ([(), (3,), (), (3, 3), (3,)], [6, 4, 1, 3, 4]),
    ([None, "ab", None, "ab", None], [9, 2, 9, 3, 1]),
    (["1", 1, "1", 1, (1,), "1"], [4, 8, 4, 8, 4, 8]),
    ([-1, -2, -1, -2, 0], [1, 2, 1, 2, 3]),
    ([1, 1.0, 2, (2,), 1, (2.0,), 1.0], [5, 6, 0, 3, 5, 4, 6]),
    ([None, "ab", (1, 2), 7, None, (1, 2), 7, "ab"], [1, 2, 3, 4, 1, 3, 5, 2]),
    *(_texts(Random(seed), N, [*"abcdefg"[: 2 + seed]], 0.6) for seed, N in enumerate((12, 20, 50, 80))),
    *(_texts(Random(seed), N, [(i, j) for i in range(3) for j in range(4)], 0.5) for seed, N in enumerate((25, 60, 80))),
    *(_texts(Random(seed), N, SIGHTS, sure) for seed, (N, sure) in enumerate(((15, 0.5), (40, 0.8), (60, 0.4), (70, 0.3), (80, 0.6)))),
)
NOT_ORDERED = ("Views can be hashed and compared with ==, but not ordered: a text, a tuple and None do not go into one sort. Take them as "
               "the keys of a dict.")  # fmt: skip
NOT_AN_ARRAY = ("A view may be a tuple, a text, None or a number, and each is one thing. NumPy takes tuples apart, and bincount counts "
                "whole numbers only: take the views as the keys of a dict.")  # fmt: skip
OF_ARRAYS = ("inhomogeneous", "Cannot cast array data", "boolean index did not match", "could not be broadcast", "too many indices",
             "too many dimensions", "object too deep", "must be non-negative", "must not be negative", "negative elements",
             "invalid literal for int()", "int() argument must be", "to bincount")  # fmt: skip
UNEQUAL = ((13, 7), (7, 13), (16, 17), (41, 3))  # numbers of views and answers
UNEQUAL_WHY = "there are {} views and {} answers. zip ends with the shorter list and says nothing, so compare the lengths first."


@exercise("15b.2")
def best_share(answer):
    """A function (views, answers) -> the largest share of texts; ValueError for none, and, naming both, for two lengths."""
    _same_again(answer)
    _results(answer, TEXTS, _share_of, best, VIEW_MISTAKES, _named, _why_not_so_many)
    _refusal(answer, "no texts, two empty lists", "of no texts there is no share.", [], [])
    for lengths in UNEQUAL:
        views, answers = ([i % 5 for i in range(length)] for length in lengths)
        name = f"{lengths[0]} views and {lengths[1]} answers"
        said = _refusal(answer, name, UNEQUAL_WHY.format(*lengths), views, answers)
        if not {*map(str, lengths)} <= {*re.findall(r"\d+", said)}:
            strict = " zip(…, strict=True) counts its arguments, not what is in them." if "zip() argument" in said else ""
            raise Wrong(f"For {name}: the ValueError should name both lengths; yours says {said!r}.{strict}")
    for lengths in ((0, 3), (3, 0)):  # two errors at once: any message will do
        views, answers = ([*range(length)] for length in lengths)
        _refusal(answer, f"{lengths[0]} views and {lengths[1]} answers", UNEQUAL_WHY.format(*lengths), views, answers)
    return "A model that has only this view of the texts cannot get above that share, however it is trained, except by luck on other texts."


def _same_again(answer):
    """Wrong if the first case has another result when it is asked again."""
    once, again = (_share_of(answer, first, *TEXTS[0]) for first in (True, False))
    if abs(once - again) > ROUNDING:
        raise Wrong(f"For {_named(*TEXTS[0])}: asked twice, you return {once:.4g} and then {again:.4g}. Begin each call with nothing kept "
                    "from the one before: no global counts, and no dict as a default.")  # fmt: skip


def _named(views, answers):
    if len(views) <= 8:
        return f"views = {views} and answers = {answers}"
    return f"{len(views)} texts with {len({*views})} different views, such as {views[0]!r} and {next(v for v in views if v != views[0])!r}"


PASSES = "One pass over the texts and one over the views are enough."


def _share_of(answer, first, views, answers):
    name, given = _named(views, answers), ([*views], [*answers])
    try:
        with ending(LINES, f"For {name} your answer does not come to an end, or only after very many steps. {PASSES}"):
            result = asked(answer, name, first, *given)
    except Wrong as wrong:
        hint = _why_stopped(str(wrong), views)
        raise Wrong(f"{wrong}. {hint}" if hint else str(wrong)) from None
    for before, after, called in zip((views, answers), given, ("views", "answers")):
        if before != after:
            raise Wrong(f"For {name} your answer changes the list `{called}`, which its owner may still need. Work on a copy.")
    return one_number(result, name)


def _why_stopped(text, views):
    if "not supported between instances" in text and len({*map(type, views)}) > 1:
        return NOT_ORDERED
    if any(said in text for said in OF_ARRAYS):
        return NOT_AN_ARRAY
    if "stopped with ValueError" in text:
        return "These two lists have the same length, which is not 0, so this is no case for a ValueError."
    return ""


def _why_not_so_many(got, views, answers):
    right, counts = best(views, answers), by_view(views, answers)
    if not 0 <= got <= 1:
        return f"a share lies between 0 and 1; yours is {got:.6g}."
    view = max(counts, key=lambda view: (len(counts[view]), counts[view].total()))
    often = max(counts[view], key=counts[view].get)
    look = f"The view {view!r} has {counts[view].total()} texts; its answer {often} comes {counts[view][often]} times, as many as can be right."
    return f"{round(right * len(answers))} of {len(answers)} can be right, {right:.4g}; yours is {got:.4g}. {look}"

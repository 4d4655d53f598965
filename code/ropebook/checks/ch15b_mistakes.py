"""Right and wrong results for the checkers of chapter 15b: what each mistake gives, and what it teaches."""

from collections import Counter, defaultdict
from itertools import groupby
from math import ceil
from statistics import mean, median

from ropebook.listops import CLOSE, OPERATORS

# ---- 15b.1 ------------------------------------------------------------------


def tree(tokens):
    """A right list as (operator, its items), the items digits or such pairs; a single token as its digit."""
    stack = [("", [])]
    for token in tokens:
        if token in OPERATORS:
            stack.append((token, []))
        elif token == CLOSE:
            done = stack.pop()
            stack[-1][1].append(done)
        else:
            stack[-1][1].append(int(token))
    return stack[0][1][0]


def inner(node):
    """The lists among a node's items."""
    return [] if isinstance(node, int) else [item for item in node[1] if not isinstance(item, int)]


def depth(node):
    return 0 if isinstance(node, int) else 1 + max(map(depth, inner(node)), default=0)


def value(node, kept=lambda items: items, **changed):
    """The digit that comes out of a tree, with mistakes as options.

    kept     a list's items -> those that are evaluated
    changed  what an operator does instead, by its name without the bracket
    """
    if isinstance(node, int):
        return node
    operate = changed.get(node[0][1:], OPERATORS[node[0]])
    return operate([value(item, kept, **changed) for item in kept(node[1])])


def _gives(**options):
    return lambda node: value(node, **options)


def _middle(of):
    """MED with the two middle items, (lower, upper), one and the same of an odd number, in the order of the list."""
    return lambda items: of(items[(len(items) - 1) // 2], items[len(items) // 2])


def _sorted_middle(of):
    return lambda items: _middle(of)(sorted(items))


def _lists(items):
    return [i for i, item in enumerate(items) if not isinstance(item, int)]


def _rest_lost(items):
    return items[: _lists(items)[0] + 1] if _lists(items) else items


def _before_lost(items):
    return items[_lists(items)[-1] :] if _lists(items) else items


def _digits(node):
    return [node] if isinstance(node, int) else [digit for item in node[1] for digit in _digits(item)]


def _last_opened(node):
    return _last_opened(inner(node)[-1]) if inner(node) else node


def _first_closed(node):
    return _first_closed(inner(node)[0]) if inner(node) else node


def _flat(node, operator):
    return node if isinstance(node, int) else OPERATORS[operator(node)](_digits(node))


def _outer_for_all(node):
    return node if isinstance(node, int) else value(node, **dict.fromkeys(("MIN", "MAX", "MED", "SM"), OPERATORS[node[0]]))


def _last_operator(node):
    """One variable for the operator of all open lists: each list has that of the last one that was opened in it."""
    return node if isinstance(node, int) else OPERATORS[_last_opened(node)[0]]([_last_operator(item) for item in node[1]])


def _up_to_first_bracket(node):
    """All digits before the first closing bracket, by the last operator before it."""
    if isinstance(node, int):
        return node
    seen = lambda node: _digits(node) if not inner(node) else [*_rest_lost(node[1])[:-1], *seen(inner(node)[0])]
    return OPERATORS[_first_closed(node)[0]](seen(node))


def _read_again(node):
    """After a nested list the outer one goes on with the nested one's items, and ends with its bracket."""
    if isinstance(node, int):
        return node

    def seen(items):
        if not _lists(items):
            return items
        at = _lists(items)[0]
        again = seen(items[at][1])
        return [*items[:at], OPERATORS[items[at][0]](again), *again]

    return OPERATORS[node[0]](seen(node[1]))


_DOWN = "the mean of the two middle items is rounded down, so // 2."
_TWO_MIDDLE = f"of an even number of items there are two middle ones. You take the {{}} of them: take their mean. {_DOWN.capitalize()}"
_UNSORTED = "the median is the middle one of the sorted items, not of the items as they stand."
_OWN_OPERATOR = "each list has an operator of its own. {}"
_FLAT = _OWN_OPERATOR.format("You put the digits of all lists into one: a nested list is one item of the outer one, its value.")
_FIRST_BRACKET = "a closing bracket closes one list, the one that was opened last. If another one is open, go on with it."
_REST = "the outer list goes on after a nested one, up to its own bracket. {}"
LIST_MISTAKES = (  # on a tree
    (f"you round up. {_DOWN.capitalize()}", _gives(MED=lambda items: ceil(median(items)))),
    (f"you round to the nearest whole number, which `round` does to the even one. {_DOWN.capitalize()}",
     _gives(MED=lambda items: round(median(items)))),
    (f"you do not round. {_DOWN.capitalize()}", _gives(MED=median)),
    ("you round at the end only. Each list gives a digit: round down in the list itself.", lambda node: int(value(node, MED=median))),
    (_TWO_MIDDLE.format("lower"), _gives(MED=_sorted_middle(lambda low, high: low))),
    (_TWO_MIDDLE.format("upper"), _gives(MED=_sorted_middle(lambda low, high: high))),
    *((_UNSORTED, _gives(MED=_middle(of))) for of in (
        lambda low, high: (low + high) // 2,
        lambda low, high: (low + high) / 2,
        lambda low, high: low,
        lambda low, high: high)),
    *(("that is the mean. MED is the median, the middle one of the sorted items.", _gives(MED=of)) for of in (
        lambda items: sum(items) // len(items), mean, lambda items: round(mean(items)))),
    ("equal items count each. A set holds them once.", _gives(MED=lambda items: int(median({*items})))),
    ("SM is the sum modulo 10, so % 10: only the last digit stays.", _gives(SM=sum)),
    ("you take the sum modulo 10 at the end only. Each list gives a digit: % 10 belongs to SM itself.",
     lambda node: value(node, SM=sum) % 10),
    ("that is the sum modulo 9. A digit is one of ten: modulo 10.", _gives(SM=lambda items: sum(items) % 9)),
    ("a sum above 9 does not become 9. SM is the sum modulo 10: only the last digit stays.", _gives(SM=lambda items: min(9, sum(items)))),
    ("\"[MIN\" and \"[MAX\" have changed places: MIN is the smallest item, MAX the largest.", _gives(MIN=max, MAX=min)),
    (_FLAT, lambda node: _flat(node, lambda node: node[0])),
    (_FLAT, lambda node: _flat(node, lambda node: _last_opened(node)[0])),
    (_OWN_OPERATOR.format("You evaluate the nested lists with that of the outer one."), _outer_for_all),
    (_OWN_OPERATOR.format("After a nested list you go on with that of the nested one: keep each operator with the items of its list."),
     _last_operator),
    (_REST.format("You leave out what comes after it."), _gives(kept=_rest_lost)),
    (_REST.format("You go on too early, and read the nested list's items again as items of the outer one."), _read_again),
    ("the items before a nested list count, too. You lose them when it begins: put them aside, on a stack or in a call of their own.",
     _gives(kept=_before_lost)),
    ("only the list that was opened last counts for you. Its value is an item of the list around it.",
     lambda node: value(_last_opened(node))),
    (_FIRST_BRACKET, lambda node: value(_first_closed(node))),
    (_FIRST_BRACKET, _up_to_first_bracket),
    ("you leave the nested lists out. Each is an item: its value.",
     _gives(kept=lambda items: [item for item in items if isinstance(item, int)] or [0])),
)

# ---- 15b.2 ------------------------------------------------------------------


def by_view(views, answers):
    """{view: Counter of its answers}."""
    counts = defaultdict(Counter)
    for view, answer in zip(views, answers):
        counts[view][answer] += 1
    return counts


def best(views, answers):
    """The right answer to 15b.2 for lists of one length, which is not 0."""
    return _right(views, answers) / len(answers)


def _most(counts):
    return max(counts.values())


def _right(views, answers, of=_most):
    """The sum over the views of what `of` makes of the counts of their answers."""
    return sum(map(of, by_view(views, answers).values()))


def _share(of):
    return lambda views, answers: _right(views, answers, of) / len(answers)


def _per_view(of):
    """The mean over the views."""
    return lambda views, answers: _right(views, answers, of) / len({*views})


def _keyed(key):
    return lambda views, answers: best([*map(key, views)], answers)


def _neighbours(views, answers):
    runs = groupby(zip(views, answers), key=lambda pair: pair[0])
    return sum(_most(Counter(answer for _, answer in run)) for _, run in runs) / len(answers)


def _last_run(views, answers):
    """As `_neighbours` with a dict: of each view only its last run counts."""
    runs = {view: Counter(answer for _, answer in run) for view, run in groupby(zip(views, answers), key=lambda pair: pair[0])}
    return sum(map(_most, runs.values())) / len(answers)


def _without_none(views, answers, whole):
    kept = [pair for pair in zip(views, answers) if pair[0] is not None]
    return sum(map(_most, by_view(*zip(*kept)).values())) / len(answers if whole else kept) if kept else 0.0


_SEEN_ONCE = "a view with one answer only is right for certain, but the others have their most frequent answer right, too. Count those."
_TRUTHY = "None is a view, too, and the texts with it count."
VIEW_MISTAKES = (  # on views, answers
    ("that is the mean over the views. A view of many texts counts for more than one of a few: sum the counts, and divide once by the "
     "number of texts.", _per_view(lambda counts: _most(counts) / counts.total())),
    ("that gives one and the same answer to all texts. The reader sees the view, and may give each view an answer of its own.",
     lambda views, answers: _most(Counter(answers)) / len(answers)),
    ("that is a number of texts. Return the share, so divide by the number of all.", _right),
    ("that is in per cent. A share lies between 0 and 1.", lambda views, answers: 100 * best(views, answers)),
    ("you divide by the number of different views. The share is of all texts.", _per_view(_most)),
    ("that is the number of different views over the number of texts. How often is the most frequent answer of each view right?",
     _share(lambda counts: 1)),
    ("you give each view the answer of its first text. The most frequent one is right more often.",
     _share(lambda counts: next(iter(counts.values())))),
    ("you give each view the answer of its last text. The most frequent one is right more often.",
     lambda views, answers: sum(dict(zip(views, answers))[view] == answer for view, answer in zip(views, answers)) / len(answers)),
    ("you give each view its largest answer. The most frequent one is asked for: max of the counts.",
     _share(lambda counts: counts[max(counts)])),
    ("you give each view its smallest answer. The most frequent one is asked for.", _share(lambda counts: counts[min(counts)])),
    ("you count the least frequent answer of each view. The best reader gives the most frequent one.",
     _share(lambda counts: min(counts.values()))),
    ("that is chance, for one who sees nothing and guesses. What does the view allow?", lambda views, answers: 1 / 10),
    ("that is chance, for one who sees nothing and guesses. What does the view allow?", lambda views, answers: 1 / len({*answers})),
    (f"that is the share of views with one answer. {_SEEN_ONCE[0].upper()}{_SEEN_ONCE[1:]}", _per_view(lambda counts: len(counts) == 1)),
    (_SEEN_ONCE, _share(lambda counts: counts.total() if len(counts) == 1 else 0)),
    ("a view that only one text has is right for that text. You leave such views out.",
     _share(lambda counts: _most(counts) if counts.total() > 1 else 0)),
    ("that reader draws an answer as often as it occurs. The best one gives the most frequent answer each time.",
     _share(lambda counts: sum(n * n for n in counts.values()) / counts.total())),
    ("where two answers of a view are equally frequent, only one of them can be given. You count both.",
     _share(lambda counts: sum(n for n in counts.values() if n == _most(counts)))),
    ("equal views need not be neighbours, and itertools.groupby puts only neighbours together. Collect them in a dict.", _neighbours),
    ("equal views need not be neighbours, and itertools.groupby puts only neighbours together. Collect them in a dict.", _last_run),
    ("views and answers have changed places: you take for each answer its most frequent view.",
     lambda views, answers: best(answers, views)),
    ("that is the number of different pairs over the number of texts. Texts with the same view cannot all have answers of their own.",
     _share(len)),
    ("texts with the same view get the same answer, so not all can be right.", lambda views, answers: 1),
    ("the number 1 and the text \"1\" are two views. As text they look alike: take the view itself as the key of a dict.", _keyed(str)),
    ("different views may have the same hash, as −1 and −2 have. Take the view itself as the key of a dict, which compares, too.",
     _keyed(hash)),
    *(("views are the same where == says so: 1 and 1.0 are one view. Take the view itself as the key of a dict, which compares with ==.",
       _keyed(key)) for key in (repr, lambda view: (type(view), view))),
    *(("you round. Return the share as it is.", lambda *case, places=places: round(best(*case), places)) for places in (1, 2, 3, 4, 5)),
    *((_TRUTHY, lambda *case, whole=whole: _without_none(*case, whole)) for whole in (True, False)),
)

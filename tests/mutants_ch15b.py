"""Wrong answers to the exercises of chapter 15b, each with part of the lesson that its checker must give."""

import math
import re
import statistics
from collections import Counter, defaultdict
from fractions import Fraction
from functools import partial
from itertools import groupby
from statistics import median

import numpy as np

from ropebook.listops import OPERATORS, TOKENS

# ---- 15b.1 -----------------------------------------------------------------


def value(tokens, unknown=ValueError, unclosed=ValueError, unopened=ValueError, trailing=ValueError, said="{}",
          digit=lambda token: token in TOKENS and token, **changed):
    """The right answer to exercise 15b.1 with a stack, with its mistakes as options: what is raised, None for nothing."""
    operators = OPERATORS | {f"[{name}": changed[name] for name in changed}
    stack = [[None]]
    for token in tokens:
        if len(stack) == 1 and len(stack[0]) > 1 and token != "]" and trailing:
            raise trailing("something comes after the end")
        if token in operators:
            stack.append([token])
        elif token == "]":
            if len(stack) > 1:
                operator, *items = stack.pop()
                stack[-1].append(operators[operator](items))
            elif unopened:
                raise unopened("nothing is open")
        elif digit(token):
            stack[-1].append(int(token))
        elif unknown:
            raise unknown(said.format(token))
    if len(stack) > 1 or len(stack[0]) == 1:
        if unclosed:
            raise unclosed("not closed")
        while len(stack) > 1:
            operator, *items = stack.pop()
            stack[-1].append(operators[operator](items))
    return stack[0][1] if len(stack[0]) > 1 else 0


def recursive(tokens):
    """The right answer to exercise 15b.1 with a function that calls itself."""

    def read(at):
        if at >= len(tokens):
            raise ValueError("ends too early")
        token = tokens[at]
        if token not in OPERATORS:
            if token not in [*"0123456789"]:
                raise ValueError(f"unexpected {token}")
            return int(token), at + 1
        items, at = [], at + 1
        while at < len(tokens) and tokens[at] != "]":
            item, at = read(at)
            items.append(item)
        if at == len(tokens):
            raise ValueError("a list is not closed")
        return OPERATORS[token](items), at + 1

    digit, end = read(0)
    if end != len(tokens):
        raise ValueError(f"{tokens[end]} after the end")
    return digit


def by_eval(tokens):
    """The right answer to exercise 15b.1 as an expression of Python."""
    names = {"[MIN": "min([", "[MAX": "max([", "[MED": "med([", "[SM": "sm([", "]": "]),"} | {str(i): f"{i}," for i in range(10)}
    for token in tokens:
        if token not in names:
            raise ValueError(f"what is {token!r}?")
    try:
        (digit,) = eval("".join(names[token] for token in tokens) or "()",
                        {"med": lambda items: math.floor(statistics.median(items)), "sm": lambda items: sum(items) % 10})
    except SyntaxError:
        raise ValueError("brackets do not match") from None
    return digit


def with_numpy(tokens):
    """The right answer to exercise 15b.1 from the end, with NumPy's operators; the digit is a float."""
    waiting = []
    of = {"[MIN": np.min, "[MAX": np.max, "[MED": lambda items: np.floor(np.median(items)), "[SM": lambda items: np.sum(items) % 10}
    for token in reversed(list(tokens)):
        if token in of:
            if "]" not in waiting:
                raise ValueError("no bracket closes the list")
            items = []
            while waiting[-1] != "]":
                items.append(waiting.pop())
            waiting[-1] = np.float64(of[token](items))
        else:
            waiting.append(token if token == "]" else float(int(token)) if len(token) == 1 else int(f"unknown {token}"))
    if len(waiting) != 1 or waiting == ["]"]:
        raise ValueError("no single list")
    return waiting[0]


class Unreadable(ValueError):
    """A refusal of the reader's own."""


def by_innermost(tokens):
    """The right answer to exercise 15b.1: the first list that closes is replaced by its digit, until one token is left."""
    tokens = list(tokens)
    for token in tokens:
        if token not in TOKENS[1:]:
            raise Unreadable("no token", token)
    while "]" in tokens:
        end = tokens.index("]")
        start = max((i for i in range(end) if tokens[i] in OPERATORS), default=None)
        if start is None:
            raise Unreadable
        digits = sorted(map(int, tokens[start + 1 : end]))
        n = len(digits)
        match tokens[start]:
            case "[MIN":
                digit = digits[0]
            case "[MAX":
                digit = digits[-1]
            case "[MED":
                digit = (digits[(n - 1) // 2] + digits[n // 2]) // 2
            case _:
                digit = sum(digits) % 10
        tokens[start : end + 1] = [str(digit)]
    if len(tokens) != 1 or tokens[0] in OPERATORS:
        raise Unreadable
    return np.int8(tokens[0])


def by_iterator(tokens):
    """The right answer to exercise 15b.1 with one iterator for all calls."""
    rest = iter(tokens)

    def item(token):
        if token in OPERATORS:
            return OPERATORS[token](list(map(item, iter(partial(next, rest, None), "]"))))
        if token is None or token == "]":
            raise ValueError("brackets")
        if len(token) != 1 or not token.isdigit():
            raise ValueError(f"unknown token {token}")
        return int(token)

    digit = item(next(rest, None))
    if next(rest, None) is not None:
        raise ValueError("too much")
    return digit


def flattened(tokens, which=0):
    """All digits by one operator."""
    operators = [token for token in tokens if token in OPERATORS]
    digits = [int(token) for token in tokens if token.isdigit()]
    return OPERATORS[operators[which]](digits) if operators else digits[0]


def one_operator(tokens):
    """A stack for the items, one variable for the operator."""
    stack, operator = [[]], None
    for token in tokens:
        if token in OPERATORS:
            operator = token
            stack.append([])
        elif token == "]":
            items = stack.pop()
            stack[-1].append(OPERATORS[operator](items))
        else:
            stack[-1].append(int(token))
    return stack[0][0]


def outer_operator(tokens):
    return value([tokens[0] if token in OPERATORS else token for token in tokens])


def items_forgotten(tokens):
    """A stack of operators, one list for the items."""
    operators, items = [], []
    for token in tokens:
        if token in OPERATORS:
            operators.append(token)
            items = []
        elif token == "]":
            items = [OPERATORS[operators.pop()](items)]
        else:
            items.append(int(token))
    return items[0]


def first_bracket(tokens):
    """Returns at the first closing bracket."""
    stack = []
    for token in tokens:
        if token in OPERATORS:
            stack.append([token])
        elif token == "]":
            operator, *items = stack[-1]
            return OPERATORS[operator](items)
        elif not stack:
            return int(token)
        else:
            stack[-1].append(int(token))


def one_list(tokens):
    """No stack at all, and returns at the first closing bracket."""
    operator, items = "[MAX", []
    for token in tokens:
        if token == "]":
            break
        if token in OPERATORS:
            operator = token
        else:
            items.append(int(token))
    return OPERATORS[operator](items)


def last_list(tokens):
    if len(tokens) == 1:
        return int(tokens[0])
    start = max(i for i, token in enumerate(tokens) if token in OPERATORS)
    return value(tokens[start : tokens.index("]", start) + 1])


def rest_lost(tokens):
    if tokens[0] not in OPERATORS:
        return int(tokens[0])
    items = []
    for i, token in enumerate(tokens[1:], 1):
        if token == "]":
            break
        if token in OPERATORS:
            items.append(rest_lost(tokens[i:]))
            break
        items.append(int(token))
    return OPERATORS[tokens[0]](items)


def read_again(tokens):
    """Calls itself for a nested list, and goes on right after its opening bracket."""
    if tokens[0] not in OPERATORS:
        return int(tokens[0])
    items = []
    for i, token in enumerate(tokens[1:], 1):
        if token == "]":
            return OPERATORS[tokens[0]](items)
        items.append(read_again(tokens[i:]) if token in OPERATORS else int(token))


def lists_left_out(tokens):
    deep, items = 0, []
    for token in tokens:
        deep += (token in OPERATORS) - (token == "]")
        if deep <= 1 and token.isdigit():
            items.append(int(token))
    return OPERATORS[tokens[0]](items) if tokens[0] in OPERATORS else items[0]


def two_variables(tokens):
    """The operator and the items of an outer and an inner list; a third one takes the inner one's place."""
    outer, within, deep = [None], [None], 0
    for token in tokens:
        if token in OPERATORS:
            deep += 1
            if deep == 1:
                outer = [token]
            else:
                within = [token]
        elif token == "]":
            deep -= 1
            if deep >= 1:
                outer.append(OPERATORS[within[0]](within[1:] or [0]))
            else:
                return OPERATORS[outer[0]](outer[1:])
        elif deep == 0:
            return int(token)
        else:
            (outer if deep == 1 else within).append(int(token))


def two_levels(tokens):
    """A list, and lists in it; the items of these have to be digits."""
    if len(tokens) == 1:
        return int(tokens[0])
    items, i = [], 1
    while tokens[i] != "]":
        if tokens[i] in OPERATORS:
            end = tokens.index("]", i)
            items.append(OPERATORS[tokens[i]]([{str(d): d for d in range(10)}[token] for token in tokens[i + 1 : end]]))
            i = end
        else:
            items.append(int(tokens[i]))
        i += 1
    return OPERATORS[tokens[0]](items)


def popping(tokens):
    token = tokens.pop(0)
    if token not in OPERATORS:
        return int(token)
    items = []
    while tokens[0] != "]":
        items.append(popping(tokens))
    tokens.pop(0)
    return OPERATORS[token](items)


def as_text(tokens):
    """The digits stay text until one list's value is a number."""
    stack = [[]]
    for token in tokens:
        if token in OPERATORS:
            stack.append([token])
        elif token == "]":
            operator, *items = stack.pop()
            stack[-1].append(OPERATORS[operator](items))
        else:
            stack[-1].append(token)
    return int(stack[0][0])


def kept_between_calls(tokens, open_lists=[]):  # noqa: B006
    """What a call that ends with an error has left open is open in the next one."""
    for i, token in enumerate(tokens):
        if token in OPERATORS:
            open_lists.append([token])
            continue
        if token != "]":
            digit = value([token])
        elif open_lists:
            operator, *items = open_lists.pop()
            digit = OPERATORS[operator](items)
        else:
            raise ValueError("no list is open")
        if open_lists:
            open_lists[-1].append(digit)
        elif i == len(tokens) - 1:
            return digit
    raise ValueError("not closed")


def counted_only(tokens):
    """Brackets are counted, not matched."""
    opened = sum(token in OPERATORS for token in tokens)
    if not tokens or opened != tokens.count("]"):
        raise ValueError("brackets do not match")
    return value(tokens, unopened=None, trailing=None, unclosed=None)


def closes_any(tokens):
    """Opens a list wherever a bracket stands, and looks its operator up at the end."""
    if any(token.startswith("[") and token not in OPERATORS for token in tokens):
        return OPERATORS[next(token for token in tokens if token.startswith("[") and token not in OPERATORS)]
    return value(tokens)


def endless(tokens):
    at = 0
    while at < len(tokens):
        if tokens[at] != "[SM":
            at += 1
    return value(tokens)


def endless_calls(tokens):
    return value(tokens) if "[MIN" not in tokens else endless_calls(list(tokens))


def refuses_deep(tokens):
    """A first closing bracket that is not the last token is taken for the end."""
    if "]" in tokens and tokens.index("]") != len(tokens) - 1:
        raise ValueError("something after the end")
    return value(tokens)


def is_small_number(token):
    try:
        return 0 <= int(token) <= 9
    except ValueError:
        return False


def by_beginnings(tokens):
    """Knows an operator by how it begins."""
    return value([next((operator for operator in OPERATORS if token.startswith(operator)), token) for token in tokens])


def lists_alone(tokens):
    """Returns nothing for a single digit."""
    return value(tokens) if len(tokens) != 1 or not tokens[0].isdigit() else None


def evaluated_twice(tokens, at=0, alone=True):
    """Calls itself twice for each item, for its value and for where it ends."""
    if tokens[at] not in OPERATORS:
        return int(tokens[at]) if alone else (int(tokens[at]), at + 1)
    items, end = [], at + 1
    while tokens[end] != "]":
        items.append(evaluated_twice(tokens, end, False)[0])
        end = evaluated_twice(tokens, end, False)[1]
    digit = OPERATORS[tokens[at]](items)
    return digit if alone else (digit, end + 1)


def zeros_lost(tokens):
    """An empty value counts as no item: 0 is false."""
    stack = [[None]]
    for token in tokens:
        if token in OPERATORS:
            stack.append([token])
        elif token == "]":
            operator, *items = stack.pop()
            digit = OPERATORS[operator](items or [0])
            if digit:
                stack[-1].append(digit)
        else:
            stack[-1].append(int(token))
    return stack[0][1] if len(stack[0]) > 1 else 0


class Stateful:
    """The stack belongs to the object, and an unknown token leaves it as it is."""

    def __init__(self):
        self.stack = [[]]

    def __call__(self, tokens):
        for token in tokens:
            if token in OPERATORS:
                self.stack.append([token])
            elif token == "]" and len(self.stack) > 1:
                operator, *items = self.stack.pop()
                self.stack[-1].append(OPERATORS[operator](items))
            elif token == "]":
                self.stack = [[]]
                raise ValueError("nothing is open")
            elif token in [*"0123456789"]:
                self.stack[-1].append(int(token))
            else:
                raise ValueError(f"unknown token {token}")
        stack, self.stack = self.stack, [[]]
        if len(stack) > 1 or len(stack[0]) != 1:
            raise ValueError("not one list")
        return stack[0][0]


def by_substitution(tokens):
    """The right answer to exercise 15b.1 with a regular expression for the lists that have no list in them."""
    for token in tokens:
        if not re.fullmatch(r"\[(MIN|MAX|MED|SM)|\]|[0-9]", token):
            raise ValueError(f"{token} is unknown")
    text, before = " ".join(tokens), None
    while text != before:
        before = text
        text = re.sub(r"(\[\w+)((?: \d)+) \]", lambda found: str(OPERATORS[found[1]]([*map(int, found[2].split())])), text)
    if not re.fullmatch("[0-9]", text):
        raise ValueError(f"left over: {text}")
    return Fraction(text)


def by_generators(tokens):
    """The right answer to exercise 15b.1: each open list is a generator to which its items are sent."""

    def collect(operator):
        items = []
        while (item := (yield)) is not None:
            items.append(item)
        return OPERATORS[operator](items)

    open_lists, done = [], []
    for token in tokens:
        if done:
            raise ValueError("more than one")
        if token in OPERATORS:
            open_lists.append(collect(token))
            next(open_lists[-1])
            continue
        if token == "]":
            if not open_lists:
                raise ValueError("nothing is open")
            try:
                open_lists.pop().send(None)
            except StopIteration as end:
                digit = end.value
        elif token in [*"0123456789"]:
            digit = int(token)
        else:
            raise ValueError(repr(token))
        open_lists[-1].send(digit) if open_lists else done.append(digit)
    if open_lists or not done:
        raise ValueError("not closed")
    return done[0]


def returned_error(tokens):
    try:
        return value(tokens)
    except ValueError as error:
        return error


# ---- 15b.2 -----------------------------------------------------------------


def refuse(views, answers):
    if len(views) != len(answers):
        raise ValueError(f"{len(views)} views and {len(answers)} answers")
    if not views:
        raise ValueError("no texts")


def checked(share):
    """The wrong share with the right refusals."""

    def answer(views, answers):
        refuse(views, answers)
        return share(views, answers)

    return answer


def counters(views, answers):
    counts = defaultdict(Counter)
    for view, answer in zip(views, answers):
        counts[view][answer] += 1
    return list(counts.values())


def summed(of, over=lambda views, answers: len(answers)):
    return checked(lambda views, answers: sum(map(of, counters(views, answers))) / over(views, answers))


most = lambda counts: counts.most_common(1)[0][1]
different = lambda views, answers: len(set(views))


def best(views, answers):
    """The right answer to exercise 15b.2."""
    refuse(views, answers)
    return sum(map(most, counters(views, answers))) / len(views)


def by_pairs(views, answers):
    """The right answer to exercise 15b.2 from the counts of pairs, the most frequent first."""
    if len(answers) - len(views):
        raise ValueError(f"expected as many answers as views: {len(answers)} != {len(views)}")
    if len(views) == 0:
        raise ValueError
    seen, right = set(), 0
    for (view, _), count in Counter(zip(views, answers)).most_common():
        if view not in seen:
            seen.add(view)
            right += count
    return np.float64(right / len(views))


def by_table(views, answers):
    """The right answer to exercise 15b.2 with NumPy: a table of views and digits."""
    refuse(views, answers)
    row = {}
    for view in views:
        row.setdefault(view, len(row))
    table = np.zeros((len(row), 10), dtype=int)
    np.add.at(table, ([row[view] for view in views], answers), 1)
    return table.max(1).sum() / np.float64(table.sum())


def by_sorted_numbers(views, answers):
    """The right answer to exercise 15b.2: sorted by a number for each view, so that equal ones are neighbours."""
    refuse(views, answers)
    numbers = {}
    pairs = sorted((numbers.setdefault(view, len(numbers)), answer) for view, answer in zip(views, answers))
    right = 0
    for _, group in groupby(pairs, key=lambda pair: pair[0]):
        given = [answer for _, answer in group]
        right += max(given.count(answer) for answer in given)
    return right / len(pairs)


def by_loops(views, answers):
    """The right answer to exercise 15b.2 by ==, without a dict: each text asks whether its answer is its view's."""
    refuse(views, answers)
    right = 0
    for view, answer in zip(views, answers):
        same = [a for v, a in zip(views, answers) if v == view]
        right += answer == max(range(10), key=same.count)
    return 1.0 - (len(views) - right) / len(views)


def by_mode(views, answers):
    lengths = {len(views), len(answers)}
    if len(lengths) == 2 or lengths == {0}:
        raise ValueError(f"lengths {len(views)}, {len(answers)}")
    of = {view: [] for view in views}
    for view, answer in zip(views, answers):
        of[view] += [answer]
    modes = {view: statistics.mode(given) for view, given in of.items()}
    return statistics.fmean(modes[view] == answer for view, answer in zip(views, answers))


def neighbours(views, answers):
    runs = groupby(zip(views, answers), key=lambda pair: pair[0])
    return sum(most(Counter(answer for _, answer in run)) for _, run in runs) / len(views)


def sorted_views(views, answers):
    order = sorted(range(len(views)), key=lambda i: views[i])
    return neighbours([views[i] for i in order], [answers[i] for i in order])


def by_unique(views, answers):
    _, which = np.unique(views, return_inverse=True)
    answers = np.array(answers)
    return sum(np.bincount(answers[which == i]).max() for i in range(which.max() + 1)) / len(views)


def by_bincount(views, answers):
    return sum(np.bincount(np.array(answers)[np.array(views) == view]).max() for view in np.flatnonzero(np.bincount(views))) / len(views)


def first_answers(views, answers):
    first = {}
    for view, answer in zip(views, answers):
        first.setdefault(view, answer)
    return sum(first[view] == answer for view, answer in zip(views, answers)) / len(views)


def last_answers(views, answers):
    last = dict(zip(views, answers))
    return sum(last[view] == answer for view, answer in zip(views, answers)) / len(views)


def without_none(views, answers, whole=False):
    kept = [(view, answer) for view, answer in zip(views, answers) if view is not None]
    return sum(map(most, counters(*zip(*kept)))) / len(views if whole else kept) if kept else 0


def sorts_in_place(views, answers):
    share = best(views, answers)
    views.sort(key=repr)
    return share


def pops(views, answers):
    counts = defaultdict(Counter)
    N = len(answers)
    while answers:
        counts[views[len(answers) - 1]][answers.pop()] += 1
    return sum(map(most, counts.values())) / N


def refuses(lengths=None, none=None):
    """The right share, with these refusals instead of the right ones."""

    def answer(views, answers):
        if len(views) != len(answers) and lengths:
            return lengths(views, answers)
        if not views and none:
            return none(views, answers)
        return sum(map(most, counters(views, answers))) / len(views)

    return answer


def raising(error, message=""):
    def refusal(views, answers):
        raise error(message.format(len(views), len(answers)))
    return refusal


def kept_counts(views, answers, counts={}):  # noqa: B006
    refuse(views, answers)
    for view, answer in zip(views, answers):
        counts.setdefault(view, Counter())[answer] += 1
    return sum(map(most, counts.values())) / len(views)


def largest_dict(views, answers):
    """Forgets the counts in the dict of a view."""
    counts = defaultdict(dict)
    for view, answer in zip(views, answers):
        counts[view][answer] = counts[view].get(answer, 0) + 1
    return max(counts.values()) / len(views)


def by_three_loops(views, answers):
    """The right answer to exercise 15b.2, slowly: all texts for each digit for each text."""
    refuse(views, answers)
    right = 0
    for view, answer in zip(views, answers):
        most_often, best_digit = -1, None
        for digit in range(10):
            n = 0
            for other, given in zip(views, answers):
                if other == view and given == digit:
                    n += 1
            if n > most_often:
                most_often, best_digit = n, digit
        right += answer == best_digit
    return right / len(views)


def waits(views, answers):
    while len(set(views)) < len(views):
        pass
    return best(views, answers)


no_texts = raising(ValueError, "no texts")
two_lengths = raising(ValueError, "{} and {}")

MUTANTS = [
    ("15b.1", partial(value, MED=lambda items: math.ceil(median(items))), "you round up"),
    ("15b.1", partial(value, MED=lambda items: int(median(items) + 0.5)), "you round up"),
    ("15b.1", partial(value, MED=lambda items: round(median(items))), "which `round` does to the even one"),
    ("15b.1", partial(value, MED=lambda items: int(np.rint(np.median(items)))), "which `round` does to the even one"),
    ("15b.1", partial(value, MED=np.median), "you do not round"),
    ("15b.1", partial(value, MED=median), "you do not round"),
    ("15b.1", lambda tokens: int(value(tokens, MED=median)), "round down in the list itself"),
    ("15b.1", partial(value, MED=statistics.median_low), "You take the lower of them"),
    ("15b.1", partial(value, MED=statistics.median_high), "You take the upper of them"),
    ("15b.1", partial(value, MED=lambda items: sorted(items)[len(items) // 2]), "You take the upper of them"),
    ("15b.1", partial(value, MED=lambda items: items[len(items) // 2]), "of the sorted items"),
    ("15b.1", partial(value, MED=lambda items: items[(len(items) - 1) // 2]), "of the sorted items"),
    ("15b.1", partial(value, MED=lambda items: (items[(len(items) - 1) // 2] + items[len(items) // 2]) // 2), "of the sorted items"),
    ("15b.1", partial(value, MED=lambda items: (items[(len(items) - 1) // 2] + items[len(items) // 2]) / 2), "of the sorted items"),
    ("15b.1", partial(value, MED=lambda items: sum(items) // len(items)), "that is the mean"),
    ("15b.1", partial(value, MED=lambda items: int(median(set(items)))), "equal items count each"),
    ("15b.1", partial(value, SM=sum), "only the last digit stays"),
    ("15b.1", lambda tokens: value(tokens, SM=sum) % 10, "% 10 belongs to SM itself"),
    ("15b.1", partial(value, SM=lambda items: sum(items) % 9), "modulo 9"),
    ("15b.1", partial(value, SM=lambda items: min(sum(items), 9)), "does not become 9"),
    ("15b.1", partial(value, MIN=max, MAX=min), "have changed places"),
    ("15b.1", flattened, "the digits of all lists into one"),
    ("15b.1", partial(flattened, which=-1), "the digits of all lists into one"),
    ("15b.1", outer_operator, "with that of the outer one"),
    ("15b.1", one_operator, "keep each operator with the items"),
    ("15b.1", items_forgotten, "You lose them when it begins"),
    ("15b.1", first_bracket, "closes one list, the one that was opened last"),
    ("15b.1", one_list, "closes one list, the one that was opened last"),
    ("15b.1", last_list, "only the list that was opened last"),
    ("15b.1", rest_lost, "You leave out what comes after it"),
    ("15b.1", read_again, "You go on too early"),
    ("15b.1", lists_left_out, "you leave the nested lists out"),
    ("15b.1", two_variables, "keep all open lists on a stack"),
    ("15b.1", two_levels, "keep all open lists on a stack"),
    ("15b.1", popping, "changes the list that it is given"),
    ("15b.1", lambda tokens: value(tokens) + bool(tokens.clear()), "changes the list that it is given"),
    ("15b.1", as_text, "The tokens are text"),
    ("15b.1", lambda tokens: str(value(tokens)), "not as text"),
    ("15b.1", lambda tokens: np.str_(value(tokens)), "not as text"),
    ("15b.1", lambda tokens: (value(tokens), len(tokens)), "return the digit alone"),
    ("15b.1", lambda tokens: value(tokens) + 0.25, "return a digit; yours is"),
    ("15b.1", lambda tokens: value(tokens) - 10, "a list gives a digit, 0 to 9"),
    ("15b.1", lambda tokens: value(tokens[1:]) if len(tokens) == 1 else value(tokens), "it is its own value"),
    ("15b.1", lambda tokens: OPERATORS[tokens[0]](list(map(int, tokens[1:-1]))), "A single digit is in no list"),
    ("15b.1", lambda tokens: max(map(int, tokens)), "look for brackets first"),
    ("15b.1", refuses_deep, "the outer one goes on"),
    ("15b.1", lambda tokens: value(tokens[:-1] if len(tokens) > 1 else tokens), "so this is no case for a ValueError"),
    ("15b.1", lambda tokens: value(tokens) if len(tokens) < 40 else None, "every path needs a return"),
    ("15b.1", endless, "does not come to an end"),
    ("15b.1", endless_calls, "Each call needs fewer tokens"),
    ("15b.1", partial(value, unclosed=None), "none that closes it"),
    ("15b.1", partial(value, unclosed=IndexError), "yours is of type IndexError"),
    ("15b.1", partial(value, unopened=None), "without a list that it could close"),
    ("15b.1", partial(value, unopened=IndexError), "without a list that it could close. Raise a ValueError; yours is of type IndexError"),
    ("15b.1", partial(value, trailing=None), "something stands behind it"),
    ("15b.1", partial(value, trailing=AssertionError), "yours is of type AssertionError"),
    ("15b.1", counted_only, "but not in that order"),
    ("15b.1", lambda tokens: value(tokens) if tokens else 0, "there is no token at all"),
    ("15b.1", lambda tokens: value(tokens) if tokens[0] else 0,
     "there is no token at all, so no value. Raise a ValueError; yours is of type IndexError"),
    ("15b.1", partial(value, unknown=None), "is none of the 15 tokens. Raise a ValueError; yours returns"),
    ("15b.1", partial(value, unknown=KeyError), "is none of the 15 tokens. Raise a ValueError; yours is of type KeyError"),
    ("15b.1", closes_any, "is none of the 15 tokens. Raise a ValueError; yours is of type KeyError"),
    ("15b.1", partial(value, said="an unknown token"), "should name the unknown token"),
    ("15b.1", lambda tokens: value(["9" if token == "10" else token for token in tokens]), "'10' is none of the 15"),
    ("15b.1", lambda tokens: value([token.upper() if token[0] == "[" else token for token in tokens]), "'[max' is none of the 15"),
    ("15b.1", returned_error, "Raise it"),
    ("15b.1", kept_between_calls, "nothing kept from the one before"),
    ("15b.1", partial(value, digit=lambda token: token in "0123456789"), "'12' is none of the 15"),
    ("15b.1", partial(value, digit=is_small_number), "'07' is none of the 15"),
    ("15b.1", by_beginnings, "'[MINUS' is none of the 15"),
    ("15b.1", lambda tokens: value([f"[{token}" if f"[{token}" in OPERATORS else token for token in tokens]), "'MAX' is none of the 15"),
    ("15b.1", lists_alone, "It returned nothing for 7: every path needs a return"),
    ("15b.1", evaluated_twice, "no nested list should be evaluated twice"),
    ("15b.1", zeros_lost, "[MIN 4 0 ], which gives 0; yours is 4"),
    ("15b.1", Stateful(), "after the ValueError for [MAX 3 seven ]"),
    ("15b.2", summed(lambda counts: most(counts) / counts.total(), different), "that is the mean over the views"),
    ("15b.2", checked(lambda views, answers: most(Counter(answers)) / len(answers)), "one and the same answer to all texts"),
    ("15b.2", summed(most, lambda *case: 1), "that is a number of texts"),
    ("15b.2", lambda *case: 100 * best(*case), "in per cent"),
    ("15b.2", summed(most, different), "you divide by the number of different views"),
    ("15b.2", summed(lambda counts: 1), "the number of different views over"),
    ("15b.2", checked(first_answers), "the answer of its first text"),
    ("15b.2", checked(last_answers), "the answer of its last text"),
    ("15b.2", summed(lambda counts: counts[max(counts)]), "its largest answer"),
    ("15b.2", summed(lambda counts: min(counts.values())), "the least frequent answer"),
    ("15b.2", checked(lambda *case: 0.1), "that is chance"),
    ("15b.2", checked(lambda views, answers: 1 / len(set(answers))), "that is chance"),
    ("15b.2", summed(lambda counts: len(counts) == 1, different), "the share of views with one answer"),
    ("15b.2", summed(lambda counts: counts.total() * (len(counts) == 1)), "a view with one answer only is right for certain"),
    ("15b.2", summed(lambda counts: most(counts) * (counts.total() > 1)), "You leave such views out"),
    ("15b.2", summed(lambda counts: sum(n**2 for n in counts.values()) / counts.total()), "draws an answer as often as it occurs"),
    ("15b.2", summed(lambda counts: sum(n for n in counts.values() if n == most(counts))), "You count both"),
    ("15b.2", checked(neighbours), "equal views need not be neighbours"),
    ("15b.2", lambda views, answers: best(answers, views), "views and answers have changed places"),
    ("15b.2", summed(len), "the number of different pairs"),
    ("15b.2", checked(lambda *case: 1), "so not all can be right"),
    ("15b.2", lambda views, answers: best([*map(str, views)], answers), "As text they look alike"),
    ("15b.2", lambda views, answers: best([*map(hash, views)], answers), "may have the same hash"),
    ("15b.2", checked(without_none), "None is a view, too"),
    ("15b.2", checked(partial(without_none, whole=True)), "None is a view, too"),
    ("15b.2", checked(sorted_views), "but not ordered"),
    ("15b.2", lambda views, answers: best(sorted(views), answers), "as many as can be right"),
    ("15b.2", checked(by_unique), "NumPy takes tuples apart"),
    ("15b.2", checked(by_bincount), "NumPy takes tuples apart"),
    ("15b.2", sorts_in_place, "changes the list `views`"),
    ("15b.2", pops, "changes the list `answers`"),
    ("15b.2", lambda *case: best(*case) * 1.5, "a share lies between 0 and 1"),
    ("15b.2", lambda *case: best(*case) - 0.01, "as many as can be right"),
    ("15b.2", lambda views, answers: best(views, answers) if None not in views else None, "every path needs a return"),
    ("15b.2", lambda views, answers: best([*map(repr, views)], answers), "1 and 1.0 are one view"),
    ("15b.2", lambda views, answers: best([(type(view), view) for view in views], answers), "1 and 1.0 are one view"),
    ("15b.2", lambda *case: round(best(*case), 2), "you round"),
    ("15b.2", lambda *case: round(best(*case), 4), "you round"),
    ("15b.2", kept_counts, "nothing kept from the one before"),
    ("15b.2", checked(largest_dict), "between instances of 'dict' and 'dict'"),
    ("15b.2", waits, "does not come to an end"),
    ("15b.2", lambda views, answers: best(views, answers[1:]), "this is no case for a ValueError"),
    ("15b.2", refuses(two_lengths), "of no texts there is no share. Raise a ValueError; yours is of type ZeroDivisionError"),
    ("15b.2", refuses(two_lengths, lambda *case: 0.0), "of no texts there is no share. Raise a ValueError; yours returns 0.0"),
    ("15b.2", refuses(two_lengths, lambda *case: ValueError("no texts")), "Raise it"),
    ("15b.2", refuses(None, no_texts), "zip ends with the shorter list and says nothing"),
    ("15b.2", refuses(raising(AssertionError), no_texts), "compare the lengths first. Raise a ValueError; yours is of type AssertionError"),
    ("15b.2", refuses(raising(ValueError, "two lengths"), no_texts), "should name both lengths"),
    ("15b.2", refuses(raising(ValueError, "{} views"), no_texts), "should name both lengths"),
    ("15b.2", refuses(lambda *case: list(zip(*case, strict=True)), no_texts), "zip(…, strict=True) counts its arguments"),
]

ALSO_RIGHT = [
    ("15b.1", value),
    ("15b.1", recursive),
    ("15b.1", by_eval),
    ("15b.1", with_numpy),
    ("15b.1", by_innermost),
    ("15b.1", by_iterator),
    ("15b.1", by_substitution),
    ("15b.1", by_generators),
    ("15b.1", lambda tokens: float(recursive(tuple(tokens)))),
    ("15b.2", best),
    ("15b.2", by_pairs),
    ("15b.2", by_table),
    ("15b.2", by_sorted_numbers),
    ("15b.2", by_three_loops),
    ("15b.2", lambda *case: np.float32(best(*case))),
    ("15b.2", by_loops),
    ("15b.2", by_mode),
]

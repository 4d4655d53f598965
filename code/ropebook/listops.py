"""ListOps: nested lists of digits with an operator each; the task is to say which digit comes out.

The rules are those of N. Nangia and S. Bowman, *ListOps* (NAACL-SRW 2018), with the depth and the lengths that the Long Range
Arena asks for (Y. Tay et al., ICLR 2021). Written from these definitions.
"""

from statistics import median

OPERATORS = {"[MIN": min, "[MAX": max, "[MED": lambda digits: int(median(digits)), "[SM": lambda digits: sum(digits) % 10}
CLOSE, CLASSES = "]", 10
TOKENS = ("", *OPERATORS, CLOSE, *map(str, range(CLASSES)))  # a token's id is its place; 0 is padding
LIST_SHARE = 1 / 4  # of the items that may be lists, so many are; the others are digits


def item(random, depth, most, room):
    """One item: a digit, or with probability 1/4 a list of 2 to `most` items, nested at most `depth` deep.

    random   a `random.Random`
    room     tokens that it may have; at the first one too many the draw ends, so that long lists cost no time
    returns  (its tokens, list of str; its value, 0 to 9), or None if it has more tokens
    """
    if depth < 1 or random.random() >= LIST_SHARE:
        digit = random.randrange(CLASSES)
        return ([str(digit)], digit) if room >= 1 else None
    operator = random.choice([*OPERATORS])
    tokens, values = [operator], []
    for _ in range(random.randint(2, most)):
        drawn = item(random, depth - 1, most, room - len(tokens) - 1)
        if drawn is None:
            return None
        tokens += drawn[0]
        values.append(drawn[1])
    return [*tokens, CLOSE], OPERATORS[operator](values)


def expression(random, shortest=501, longest=1999, depth=9, most=10):
    """One list of `shortest` to `longest` tokens, drawn until one has such a length. The defaults are the Long Range Arena's.

    random   a `random.Random`
    returns  (its tokens, list of str; its value, 0 to 9)
    raises   ValueError if no list can have such a length: the shortest has 4 tokens, the longest of depth 1 has `most` + 2
    """
    if not (depth >= 1 and most >= 2):
        raise ValueError(f"a list needs depth of at least 1 and most of at least 2, got {depth} and {most}")
    largest = 1
    for _ in range(depth):
        largest = most * largest + 2
    if not 4 <= shortest <= longest or shortest > largest:
        raise ValueError(f"expected 4 ≤ shortest ≤ longest, and shortest ≤ {largest}, got {shortest} and {longest}")
    while True:
        drawn = item(random, depth, most, longest)
        if drawn is not None and len(drawn[0]) >= shortest:
            return drawn

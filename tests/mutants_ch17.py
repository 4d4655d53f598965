"""Wrong answers to the exercises of chapter 17, each with part of the lesson that its checker must give."""

import math
from fractions import Fraction
from functools import partial
from itertools import count

import numpy as np
from scipy.stats import binom, binomtest, norm

# ---- 17.1 ------------------------------------------------------------------


def items(a, b, z, spread=lambda a, b: a * (1 - a) + b * (1 - b), whole=math.ceil, least=1, over=lambda a, b: (a - b) ** 2, power=2):
    """The right answer to exercise 17.1, with its mistakes as options."""
    return max(least, whole(z**power * spread(a, b) / over(a, b)))


def error(a, b, n):
    return (a * (1 - a) / n + b * (1 - b) / n) ** 0.5


def by_loop(a, b, z, size=abs, enough=lambda lead, error, z: lead >= z * error, numbers=lambda: count(1)):
    """The right answer to exercise 17.1 with the chapter's own standard error, with its mistakes as options."""
    return next(n for n in numbers() if enough(size(a - b), error(a, b, n), z))


def by_doubling(a, b, z):
    """The right answer to exercise 17.1: doubled until it is enough, then halved in between."""
    enough = lambda n: n and abs(a - b) >= z * math.sqrt(a * (1 - a) / n + b * (1 - b) / n)
    high = 1
    while not enough(high):
        high *= 2
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def by_exact_shares(a, b, z):
    a, b, z = map(Fraction, (a, b, z))
    n = z * z * (a * (1 - a) + b * (1 - b)) / (a - b) ** 2
    return max(1, -(-n.numerator // n.denominator))


def by_ratio_of_roots(a, b, z):
    """The right answer to exercise 17.1 from √n, in NumPy's floats."""
    root = z * np.hypot(np.sqrt(a * (1 - a)), np.sqrt(b * (1 - b))) / np.abs(a - b)
    return np.maximum(1.0, np.ceil(root**2))


def with_care_for_ties(a, b, z):
    return np.int64(max(1, np.ceil(items(a, b, z, whole=float, least=0) - 1e-9)))


# ---- 17.2 ------------------------------------------------------------------


def two_sided(ours, theirs):
    """As in the chapter."""
    total, fewer = ours + theirs, min(ours, theirs)
    return min(1.0, 2 * sum(math.comb(total, i) for i in range(fewer + 1)) / 2**total)


def p_of(total, lead):
    return two_sided((total + lead) // 2, (total - lead) // 2)


def needed(total, level, p=p_of, first=lambda total: total % 2, step=2, enough=lambda p, level: p < level, then=lambda lead, total: lead,
           without=lambda total: None):
    """The right answer to exercise 17.2, with its mistakes as options."""
    for lead in range(first(total), total + 1, step):
        if enough(p(total, lead), level):
            return then(lead, total)
    return without(total)


def tail(total, lead, more=1):
    return sum(math.comb(total, i) for i in range((total - lead) // 2 + more)) / 2**total


def by_curve(total, lead, correction=0):
    return math.erfc(max(0, lead - correction) / math.sqrt(2 * max(1, total)))


def point(total, lead):
    return math.comb(total, (total - lead) // 2) / 2**total


def in_64_bits(total, lead):
    """p with Pascal's triangle and the power of two in NumPy's whole numbers."""
    row = np.ones(1, dtype=np.int64)
    with np.errstate(all="ignore"):
        for _ in range(total):
            row = np.append(row, 0) + np.append(0, row)
        return np.minimum(1.0, 2 * row[: (total - lead) // 2 + 1].sum() / np.left_shift(np.int64(1), total))


def by_factorials(total, lead):
    choose = lambda i: float(math.factorial(total)) / (math.factorial(i) * math.factorial(total - i))
    return min(1.0, 2 * sum(choose(i) for i in range((total - lead) // 2 + 1)) / 2**total)


def in_halves(total, lead):
    return min(1.0, 2 * sum(math.comb(total, i) for i in range(int((total - lead) / 2) + 1)) * 0.5**total)


def wins_for_lead(total, level):
    """Counts the winner's items, and returns them."""
    return next((w for w in range((total + 1) // 2, total + 1) if two_sided(w, total - w) < level), None)


def without_end(total, level):
    lead = total % 2
    while p_of(total, lead) >= level:
        lead += 2
    return lead


def never_again(total, level):
    """Takes p once, before the loop."""
    lead = total % 2
    p = p_of(total, lead)
    while p >= level:
        lead += 2
    return lead


def as_array(total, level):
    """An empty array where no lead will do."""
    leads = np.arange(total % 2, total + 1, 2)
    return leads[[p_of(total, int(lead)) < level for lead in leads]][:1]


def by_own_binomials(total, level):
    """The right answer to exercise 17.2, slowly: each coefficient by a loop."""

    def choose(i):
        ways = 1
        for j in range(1, i + 1):
            ways = ways * (total - j + 1) // j
        return ways

    for lead in range(total % 2, total + 1, 2):
        if min(1.0, 2 * sum(map(choose, range((total - lead) // 2 + 1))) / 2**total) < level:
            return lead


def exact(total, level):
    """The right answer to exercise 17.2 in whole numbers, from the outermost split inwards."""
    level, found, inside = Fraction(level), None, 0
    for loser in range(total // 2 + 1):
        inside += math.comb(total, loser)
        if min(Fraction(1), Fraction(2 * inside, 2**total)) < level:
            found = total - 2 * loser
    return found


def by_binomtest(total, level):
    if total == 0:
        return 0 if level > 1 else None
    for lead in range(total % 2, total + 1, 2):
        if binomtest((total - lead) // 2, total).pvalue < level:
            return np.int64(lead)


def by_quantiles(total, level):
    """The right answer to exercise 17.2 with SciPy's distribution, for all losers at once."""
    loser = np.arange(total // 2 + 1)
    enough = loser[np.minimum(1, 2 * binom.cdf(loser, total, 0.5)) < level]
    return float(total - 2 * enough.max()) if len(enough) else None


def by_bounded_floats(total, level):
    """The right answer to exercise 17.2 from the logarithms of the chances."""
    log = lambda i: math.lgamma(total + 1) - math.lgamma(i + 1) - math.lgamma(total - i + 1) + total * math.log(0.5)
    for lead in range(total % 2, total + 1, 2):
        if lead == 0 and level > 1 or lead and 2 * sum(math.exp(log(i)) for i in range((total - lead) // 2 + 1)) < level - 1e-12:
            return lead


# ---- 17.3 ------------------------------------------------------------------


def refused(low, high):
    raise ValueError(f"low is {low} and above high, {high}")


def verdict(low, high, claimed, below=lambda high: high < 0, above=lambda low: low > 0,
            holds=lambda low, high, claimed: low <= claimed <= high, unstated=lambda low: True, opposite="opposite", reproduced="reproduced", direction="direction only", null="null",
            undecided="undecided", crossed=lambda low, high: low > high, refuse=refused):
    """The right answer to exercise 17.3, with its mistakes as options."""
    if crossed(low, high):
        return refuse(low, high)
    held = unstated(low) if claimed is None else holds(low, high, claimed)
    if below(high):
        return opposite
    if above(low):
        return reproduced if held else direction
    return undecided if held else null


def claim_first(low, high, claimed):
    if claimed is not None and low <= claimed <= high:
        return "reproduced"
    return verdict(low, high, claimed)


def exclusion_first(low, high, claimed):
    return "null" if low <= high and claimed is not None and not low <= claimed <= high else verdict(low, high, claimed)


def refuses_last(low, high, claimed):
    if high < 0:
        return "opposite"
    if low > 0:
        return "reproduced" if claimed is None or low <= claimed <= high else "direction only"
    return verdict(low, high, claimed)


def asserts(low, high, claimed):
    assert low <= high, (low, high)
    return verdict(low, high, claimed)


def raises(message):
    def refuse(low, high):
        raise ValueError(message.format(low, high))
    return partial(verdict, refuse=refuse)


class Crossed(ValueError):
    """A refusal of the reader's own."""


def by_nesting(low, high, claimed):
    """The right answer to exercise 17.3, from the interval that holds 0 outwards."""
    if not low <= high:
        raise Crossed("low", low, "high", high)
    if low <= 0 <= high:
        return np.str_("undecided") if claimed is None or claimed <= high else "null"
    if high < 0:
        return "opposite"
    return ("direction only", "reproduced")[claimed is None or not (claimed < low or claimed > high)]


def by_matching(low, high, claimed):
    if high < low:
        raise ValueError(f"expected low ≤ high, got [{low:.2f}, {high:.2f}]")
    claimed = high if claimed is None else claimed
    match np.sign(low), np.sign(high):
        case _, -1:
            return "opposite"
        case 1, _:
            return "reproduced" if low <= claimed <= high else "direction only"
    return "undecided" if low <= claimed <= high else "null"


MUTANTS = [
    ("17.1", partial(items, whole=math.floor), "you round down"),
    ("17.1", partial(items, whole=int, least=0), "return 1"),
    ("17.1", partial(items, whole=round), "to the nearest whole number"),
    ("17.1", partial(items, least=0), "n is at least 1"),
    ("17.1", partial(items, whole=lambda x: int(x) + 1), "Use >=, not >"),
    ("17.1", partial(by_loop, enough=lambda lead, error, z: lead > z * error), "Use >=, not >"),
    ("17.1", partial(items, spread=lambda a, b: a * (1 - a)), "both accuracies are measured"),
    ("17.1", partial(items, spread=lambda a, b: b * (1 - b)), "both accuracies are measured"),
    ("17.1", partial(items, power=1), "z appears as z²"),
    ("17.1", lambda a, b, z: items(a, b, 1.96), "Is `z` used?"),
    ("17.1", partial(items, over=lambda a, b: abs(a - b)), "the difference appears squared"),
    ("17.1", lambda a, b, z: max(1, math.ceil(z * error(a, b, 1) / abs(a - b))), "falls with √n, not with n"),
    ("17.1", partial(items, spread=lambda a, b: (a + b) * (1 - (a + b) / 2)), "you pool the two accuracies"),
    ("17.1", partial(items, spread=lambda a, b: 0.5), "the worst case"),
    ("17.1", partial(items, spread=lambda a, b: a * (1 - b) + b * (1 - a)), "discordant items of one common set"),
    ("17.1", lambda *case: 2 * items(*case), "n of one model"),
    ("17.1", partial(items, spread=lambda a, b: 2 * (a * (1 - a) + b * (1 - b))), "n of one model"),
    ("17.1", partial(items, spread=lambda a, b: (a * (1 - a) + b * (1 - b)) / 2), "but their sum"),
    ("17.1", partial(items, spread=lambda a, b: (error(a, 1, 1) + error(b, 1, 1)) ** 2), "not the standard errors"),
    ("17.1", partial(items, over=lambda a, b: (100 * a - 100 * b) ** 2), "in per cent"),
    ("17.1", partial(items, over=lambda a, b: (a - b) * abs(a - b)), "either sign"),
    ("17.1", partial(items, over=lambda a, b: (a - b) * abs(a - b), least=-10**9), "either sign"),
    ("17.1", partial(by_loop, size=lambda lead: lead), "does not come to an end"),
    ("17.1", partial(by_loop, enough=lambda lead, error, z: lead / error >= z), "the standard error is 0, and you divide by it"),
    ("17.1", partial(by_loop, numbers=count), "nothing that you have to divide by is 0"),
    ("17.1", partial(items, whole=lambda x: x), "return a whole number"),
    ("17.1", lambda *case: items(*case) + 1, "one too many"),
    ("17.1", lambda *case: items(*case) + 7, "more than needed"),
    ("17.1", lambda *case: items(*case) if items(*case) < 1794 else None, "every path needs a return"),
    ("17.2", never_again, "does not come to an end"),
    ("17.2", as_array, "return None; yours is array([]"),
    ("17.2", lambda *case: needed(*case) if case[0] else None, "Return 0, not None"),
    ("17.2", lambda total, level: needed(total, level, p=p_of if total < 63 else by_curve), "where the exact p is asked for, too"),
    ("17.2", partial(needed, p=tail), "that p is of one side"),
    ("17.2", partial(needed, enough=lambda p, level: p <= level), "< and not <="),
    ("17.2", partial(needed, step=1, first=lambda total: 0), "such a lead is not possible"),
    ("17.2", partial(needed, step=1), "such a lead is not possible"),
    ("17.2", partial(needed, first=lambda total: 0), "such a lead is not possible"),
    ("17.2", partial(needed, first=lambda total: 1), "such a lead is not possible"),
    ("17.2", partial(needed, step=1, p=lambda *case: min(1.0, 2 * tail(*case))), "such a lead is not possible"),
    ("17.2", wins_for_lead, "you count the wins of the one ahead"),
    ("17.2", partial(needed, then=lambda lead, total: (total - lead) // 2), "you count the wins of the one behind"),
    ("17.2", partial(needed, then=lambda lead, total: lead / 2), "from an even split"),
    ("17.2", partial(needed, then=lambda lead, total: lead / max(1, total)), "not a share"),
    ("17.2", partial(needed, p=lambda total, lead: two_sided(lead, total - lead)), "you take the lead for the number of wins"),
    ("17.2", partial(needed, p=by_curve), "you use the normal curve"),
    ("17.2", partial(needed, p=lambda total, lead: 2 * norm.sf(lead / max(1, total) ** 0.5)), "you use the normal curve"),
    ("17.2", partial(needed, p=partial(by_curve, correction=1)), "the continuity correction"),
    ("17.2", partial(needed, p=lambda *case: 2 * tail(*case)), "so never above 1"),
    ("17.2", partial(needed, p=partial(tail, more=0)), "ends before the loser's count"),
    ("17.2", partial(needed, p=lambda *case: 2 * tail(*case, more=0)), "ends before the loser's count"),
    ("17.2", partial(needed, p=lambda *case: p_of(*case) - point(*case)), "the mid-p"),
    ("17.2", partial(needed, p=point), "the chance of just this split"),
    ("17.2", partial(needed, p=lambda *case: 2 * point(*case)), "the chance of just this split"),
    ("17.2", without_end, "return None, and no number"),
    ("17.2", partial(needed, without=lambda total: total), "return None, and no number"),
    ("17.2", partial(needed, without=lambda total: 0), "return None, and no number"),
    ("17.2", partial(needed, without=lambda total: math.inf), "return None"),
    ("17.2", partial(needed, without=lambda total: "None"), "return None"),
    ("17.2", lambda *case: needed(*case) or None, "0 counts as false"),
    ("17.2", lambda total, level: needed(total, 0.05), "Is `level` used?"),
    ("17.2", lambda total, level: needed(total, level / 2), "you double p twice"),
    ("17.2", partial(needed, p=in_64_bits), "outgrow NumPy's whole numbers"),
    ("17.2", partial(needed, p=by_factorials), "as products of factorials, floats"),
    ("17.2", partial(needed, p=lambda total, lead: sum(math.comb(total, i) for i in range((total - lead) / 2 + 1))), "(total − lead) // 2"),
    ("17.2", lambda total, level: None if needed(total, level) is None else total, "that is the largest lead of all"),
    ("17.3", partial(verdict, below=lambda high: high <= 0), "holds 0, and is neither above nor below"),
    ("17.3", partial(verdict, above=lambda low: low >= 0), "holds 0, and is neither above nor below"),
    ("17.3", partial(verdict, below=lambda high: high <= 0, above=lambda low: low >= 0), "holds 0, and is neither above nor below"),
    ("17.3", partial(verdict, holds=lambda low, high, claimed: low < claimed < high), "a claimed gain that lies on one"),
    ("17.3", partial(verdict, holds=lambda low, high, claimed: low <= claimed < high), "a claimed gain that lies on one"),
    ("17.3", claim_first, "reproduces nothing, though it may hold the claimed gain"),
    ("17.3", exclusion_first, "only where it holds 0"),
    ("17.3", partial(verdict, undecided="null"), "not found is not found to be absent"),
    ("17.3", partial(verdict, null="undecided"), "does decide something"),
    ("17.3", partial(verdict, null="undecided", undecided="null"), "have changed places"),
    ("17.3", partial(verdict, reproduced="direction only", direction="reproduced"), "have changed places"),
    ("17.3", lambda low, high, claimed: verdict(low, high, claimed or 0), "None is no gain of 0"),
    ("17.3", partial(verdict, unstated=lambda low: False), "there is nothing to exclude"),
    ("17.3", partial(verdict, unstated=lambda low: low > 0), "there is nothing to exclude"),
    ("17.3", partial(verdict, opposite="null"), "it is the opposite of one"),
    ("17.3", partial(verdict, opposite="direction only"), "it is the opposite of one"),
    ("17.3", partial(verdict, below=lambda high: False), "no gain is found there at all"),
    ("17.3", partial(verdict, direction="reproduced"), "the direction is right and the size is not"),
    ("17.3", partial(verdict, holds=lambda low, high, claimed: claimed <= high), "A gain that is larger than claimed"),
    ("17.3", lambda low, high, claimed: verdict(low, high, claimed, below=lambda _: low + high < 0, above=lambda _: low + high > 0),
     "not its middle"),
    ("17.3", lambda low, high, claimed: verdict(low, high, claimed, below=lambda _: low > 0, above=lambda _: high < 0), "more is better"),
    ("17.3", partial(verdict, crossed=lambda low, high: low >= high), "a point, which is allowed"),
    ("17.3", partial(verdict, crossed=lambda low, high: low < high), "The error belongs to the other case"),
    ("17.3", partial(verdict, crossed=lambda low, high: False), "Raise a ValueError before the first rule"),
    ("17.3", lambda low, high, claimed: verdict(*sorted((low, high)), claimed), "Raise a ValueError before the first"),
    ("17.3", refuses_last, "Raise a ValueError before the first"),
    ("17.3", partial(verdict, refuse=lambda low, high: ValueError(f"{low} > {high}")), "Raise it"),
    ("17.3", asserts, "a ValueError is asked for"),
    ("17.3", raises("low is larger than high"), "should name both numbers"),
    ("17.3", raises("low, {}, is larger than high"), "should name both numbers"),
    ("17.3", raises("high, {1}, is too small"), "should name both numbers"),
    ("17.3", partial(verdict, reproduced="reproduced in miniature"), "one of the chapter's six verdicts"),
    ("17.3", partial(verdict, undecided="Undecided"), "letter by letter"),
    ("17.3", partial(verdict, direction=None), "every path needs a return"),
    ("17.3", partial(verdict, opposite=-1), "return one of five strings"),
    ("17.3", lambda low, high, claimed: verdict(low, high, min(claimed, 9)), "`claimed` may be None"),
    ("17.3", lambda *case: "undecided", "the interval is below 0"),
]

ALSO_RIGHT = [
    ("17.1", items),
    ("17.1", by_loop),
    ("17.1", by_doubling),
    ("17.1", by_exact_shares),
    ("17.1", by_ratio_of_roots),
    ("17.1", with_care_for_ties),
    ("17.2", needed),
    ("17.2", partial(needed, p=in_halves)),
    ("17.2", exact),
    ("17.2", by_binomtest),
    ("17.2", by_quantiles),
    ("17.2", by_bounded_floats),
    ("17.2", by_own_binomials),
    ("17.3", verdict),
    ("17.3", by_nesting),
    ("17.3", by_matching),
    ("17.3", raises("{:g} > {:g}")),
    ("17.3", raises("{}-{}")),
]

"""Right and wrong results for the checkers of chapter 17: what each mistake gives, and what it teaches."""

from functools import cache
from itertools import accumulate
from math import ceil, comb, erfc, floor, sqrt

# ---- 17.1 -------------------------------------------------------------------


def items(a, b, z, spread=None, whole=ceil, least=1, over=lambda d: d**2, power=2):
    """The right answer to 17.1, with its mistakes as options.

    spread  (a, b) -> n times the squared standard error
    whole   a real number of items -> a whole one
    least   the smallest that is returned
    over    the difference -> what z² times the spread is divided by
    power   of z
    """
    return max(least, whole(z**power * (spread or _spread)(a, b) / over(a - b)))


def _of_one(a):
    return a * (1 - a)


def _spread(a, b):
    return _of_one(a) + _of_one(b)


def _need(**options):
    return lambda *case: items(*case, **options)


def _negative_never(a, b, z):
    return items(a, b, z) if a > b else 1


_BOTH = "both accuracies are measured, so both have a part in the squared standard error: a (1 − a) / n + b (1 − b) / n."
_OWN = "each model has `n` items of its own. That is the number for {} together; return the smallest n of one model."
_SIGN = "b is the larger, and the difference may have either sign: compare its size with the standard errors."
ITEM_MISTAKES = (  # on a, b, z
    ("you round down. With so few items the difference is a little less than z standard errors: round up.", _need(whole=floor)),
    ("you round down, and where no item would be needed return 1.", _need(whole=floor, least=0)),
    ("you round to the nearest whole number, which may be one too few: round up.", _need(whole=round)),
    ("you round to the nearest whole number, which may be one too few: round up.", _need(whole=round, least=0)),
    ("both accuracies are known without error there, which gives 0 items; n is at least 1.", _need(least=0)),
    ("there the difference is exactly z standard errors, and at least z is asked for: that n is enough. Use >=, not >.",
     _need(whole=lambda x: floor(x) + 1)),
    (_BOTH, _need(spread=lambda a, b: _of_one(a))),
    (_BOTH, _need(spread=lambda a, b: _of_one(b))),
    (_BOTH, _need(spread=lambda a, b: max(_of_one(a), _of_one(b)))),
    ("n stands below a root: solved for it, z appears as z².", _need(power=1)),
    ("`z` is not used: one standard error is not z of them.", lambda a, b, z: items(a, b, 1)),
    ("that takes 1.96. Is `z` used?", lambda a, b, z: items(a, b, 1.96)),
    ("n stands below a root: solved for it, the difference appears squared.", _need(over=abs)),
    ("the standard error falls with √n, not with n: square z, the difference and the root of the spread.",
     _need(spread=lambda a, b: sqrt(_spread(a, b)), over=abs, power=1)),
    ("you pool the two accuracies. The section on Table 5 takes each model's own: a (1 − a) / n + b (1 − b) / n.",
     _need(spread=lambda a, b: 2 * _of_one((a + b) / 2))),
    ("you put 1/2 for both accuracies, the worst case. They are known here: a (1 − a) / n + b (1 − b) / n.",
     _need(spread=lambda a, b: 0.5)),
    ("that counts discordant items of one common set; here each model has items of its own: a (1 − a) / n + b (1 − b) / n.",
     _need(spread=lambda a, b: a * (1 - b) + b * (1 - a))),
    (_OWN.format("both models"), _need(spread=lambda a, b: 2 * _spread(a, b))),
    (_OWN.format("both models"), lambda *case: 2 * items(*case)),
    ("each model has `n` items: do not take the mean of the two squared standard errors, but their sum.",
     _need(spread=lambda a, b: _spread(a, b) / 2)),
    ("squares of standard errors add, not the standard errors: a (1 − a) / n + b (1 − b) / n, then the root.",
     _need(spread=lambda a, b: (sqrt(_of_one(a)) + sqrt(_of_one(b))) ** 2)),
    ("the spread of one answer is a (1 − a), not its root.", _need(spread=lambda a, b: sqrt(_of_one(a)) + sqrt(_of_one(b)))),
    ("errors of a difference add: a (1 − a) / n + b (1 − b) / n, with a plus.", _need(spread=lambda a, b: abs(_of_one(a) - _of_one(b)))),
    ("the squared standard error has a (1 − a), not a.", _need(spread=lambda a, b: a + b)),
    ("a and b are shares, and you take their difference in per cent.", _need(over=lambda d: (100 * d) ** 2)),
    (_SIGN, _negative_never),
    (_SIGN, _need(over=lambda d: d * abs(d))),
    (_SIGN, _need(over=lambda d: d * abs(d), least=-10**9)),
    ("that is one too many: the formula has n, not n − 1.", lambda *case: items(*case) + 1),
    ("that is the largest n that is not enough. The next one is.", lambda *case: items(*case) - 1),
)

# ---- 17.2 -------------------------------------------------------------------


@cache
def _at_most(total):
    """How many of the 2^total throws have at most 0, 1, … heads, (total + 1,)."""
    return list(accumulate(comb(total, i) for i in range(total + 1)))


def tail(total, loser):
    """The chance of at most so many heads of a fair coin."""
    return _at_most(total)[loser] / 2**total if loser >= 0 else 0.0


def two_sided(total, lead):
    return min(1.0, 2 * tail(total, (total - lead) // 2))


def _point(total, lead):
    return comb(total, (total - lead) // 2) / 2**total


def needed(total, level, p=two_sided, leads=lambda total: range(total % 2, total + 1, 2), then=lambda lead, total: lead, without=None):
    """The right answer to 17.2, with its mistakes as options.

    p        (total, lead) -> what must be below the level
    leads    total -> the leads in the order in which they are tried
    then     (lead, total) -> what is returned for the first that will do
    without  total -> what is returned if none will do
    """
    found = next((lead for lead in leads(total) if p(total, lead) < level), None)
    if found is None:
        return without and without(total)
    return then(found, total)


def _other(**options):
    return lambda *case: needed(*case, **options)


def _just_at(total, level):
    """With a level that lets p equal it; no p of the cases lies between."""
    return needed(total, level * (1 + 1e-12))


def _normal(total, lead, correction=0):
    return erfc(max(0, lead - correction) / sqrt(2 * total)) if total else 1.0


def _odd_total_left_out(total, lead):
    """p of the two whole counts that // makes; where total and lead differ in parity, one item is lost."""
    return two_sided(total - (total + lead) % 2, lead)


_PARITY = "such a lead is not possible: winner and loser add up to `total`, so the lead is even or odd as that is."
_EXACT = "The exact p sums binomial coefficients: two_sided of this chapter."
_NONE = "even if one model wins all, p is not below the level: return None, and no number."
LEAD_MISTAKES = (  # on total, level
    ("that p is of one side. Either model might have been ahead, so count both tails: twice the one.",
     _other(p=lambda total, lead: tail(total, (total - lead) // 2))),
    ("there p is just the level, and below is asked for: < and not <=.", _just_at),
    ("you use 0.05 for every level. Is `level` used?", lambda total, level: needed(total, 0.05)),
    ("p is a probability and so never above 1. At a lead of 0 twice the tail counts the middle twice: min(1, …).",
     _other(p=lambda total, lead: 2 * tail(total, (total - lead) // 2))),
    ("you double p twice.", lambda total, level: needed(total, level / 2)),
    *((_PARITY, _other(p=p, leads=leads)) for p in (two_sided, _odd_total_left_out) for leads in (
        lambda total: range(total + 1),
        lambda total: range(0, total + 1, 2),
        lambda total: range(1, total + 1),
        lambda total: range(1, total + 1, 2))),
    *(("a lead of 0 is a lead, too: return it where it is enough. 0 counts as false in Python; None is asked for with `is None`.", wrong)
      for wrong in (_other(leads=lambda total: range(total % 2 or 2, total + 1, 2)), _other(then=lambda lead, total: lead or None))),
    ("you count the wins of the one ahead. The lead is the difference, wins less losses.",
     _other(then=lambda lead, total: (total + lead) // 2)),
    ("you count the wins of the one behind. The lead is the difference, winner less loser.",
     _other(then=lambda lead, total: (total - lead) // 2)),
    ("you count from an even split. What the winner has more than half the loser has less: the lead is twice that.",
     _other(then=lambda lead, total: lead / 2)),
    ("return a number of items, not a share of the total.", _other(then=lambda lead, total: lead / total if total else 0)),
    ("you take the lead for the number of wins. The one behind has (total − lead) / 2, not `lead` or total − lead.",
     _other(p=lambda total, lead: two_sided(total, abs(total - 2 * lead)))),
    ("you take the lead for the number of wins. The one behind has (total − lead) / 2, not `lead` or total − lead.",
     _other(p=lambda total, lead: min(1.0, 2 * tail(total, total - lead)))),
    (f"you use the normal curve. {_EXACT}", _other(p=_normal)),
    (f"that is the test with the continuity correction, which comes near. {_EXACT}",
     _other(p=lambda *split: _normal(*split, correction=1))),
    ("the split itself belongs to its tail, in full: at least as uneven as this one. You take half of it (the mid-p).",
     _other(p=lambda total, lead: two_sided(total, lead) - _point(total, lead))),
    *(("the split itself belongs to its tail: range(loser) ends before the loser's count.",
       _other(p=lambda total, lead, sides=sides: sides * tail(total, (total - lead) // 2 - 1))) for sides in (1, 2)),
    ("that is the chance of just this split. More uneven ones count, too: sum the tail.", _other(p=_point)),
    ("that is the chance of just this split. More uneven ones count, too: sum the tail.", _other(p=lambda *split: 2 * _point(*split))),
    ("that is the largest lead of all. The smallest that is enough is asked for.",
     _other(leads=lambda total: range(total, -1, -2))),
    ("that is the largest lead that is not enough. The next one is.", _other(then=lambda lead, total: lead - 2)),
    ("that is one step too many.", _other(then=lambda lead, total: lead + 2)),
    *((_NONE, _other(without=without)) for without in (
        lambda total: total, lambda total: total + 1, lambda total: total + 2, lambda total: 0, lambda total: -1)),
)

# ---- 17.3 -------------------------------------------------------------------

VERDICTS = "opposite", "reproduced", "direction only", "null", "undecided"


def says(low, high, claimed, below=lambda high: high < 0, above=lambda low: low > 0,
         stated=lambda low, high, claimed: low <= claimed <= high, unstated=lambda low: True, names=VERDICTS):
    """The right answer to 17.3 for low <= high, with its mistakes as options.

    below, above  an end -> whether the whole interval is on that side of 0
    stated        (low, high, claimed) -> whether the interval holds the claimed gain, where there is one
    unstated      low -> the same where there is none
    names         the five strings, as VERDICTS
    """
    opposite, reproduced, direction, null, undecided = names
    holds = unstated(low) if claimed is None else stated(low, high, claimed)
    if below(high):
        return opposite
    if above(low):
        return reproduced if holds else direction
    return undecided if holds else null


def _reads(**options):
    return lambda *case: says(*case, **options)


def _names(**changed):
    """The five names with some in the place of others: the key is the place, spaces as _."""
    return _reads(names=[changed.get(name.replace(" ", "_"), name) for name in VERDICTS])


def _claimed_first(low, high, claimed, unstated):
    """Whether the interval holds the claim, asked before where it lies."""
    holds = unstated if claimed is None else low <= claimed <= high
    return "reproduced" if holds and high >= 0 else says(low, high, claimed)


def _null_first(low, high, claimed):
    return "null" if claimed is not None and not low <= claimed <= high else says(low, high, claimed)


def _by_the_middle(low, high, claimed):
    """The side of 0 on which the middle lies, for the side of the interval."""
    middle = (low + high) / 2
    return says(low, high, claimed, below=lambda _: middle < 0, above=lambda _: middle > 0)


_ENDS = "an interval holds its own ends. One that ends at 0 holds 0, and is neither above nor below."
_CLAIM_AT_END = "an interval holds its own ends, so it holds a claimed gain that lies on one."
_FIRST_RULE = "the rules go from top to bottom, by where the interval lies. {}"
_NOTHING_STATED = "where nothing was stated but the direction, {}"
_ABSENT = "not found is not found to be absent: an interval that holds 0 and {} is \"undecided\"."
_MORE = "the claimed gain lies outside of it. A gain that is {} than claimed is there, but it is not the claimed one: \"direction only\"."
VERDICT_MISTAKES = (  # on low, high, claimed
    *((_ENDS, _reads(**ends)) for ends in (
        dict(below=lambda high: high <= 0),
        dict(above=lambda low: low >= 0),
        dict(below=lambda high: high <= 0, above=lambda low: low >= 0))),
    *((_CLAIM_AT_END, _reads(stated=holds)) for holds in (
        lambda low, high, claimed: low < claimed < high,
        lambda low, high, claimed: low <= claimed < high,
        lambda low, high, claimed: low < claimed <= high)),
    ("that is an error only where low is larger than high. Where they are equal the interval is a point, which is allowed.",
     lambda low, high, claimed: says(low, high, claimed) if low < high else ValueError),
    ("low is smaller than high, as it should be. The error belongs to the other case.",
     lambda low, high, claimed: says(low, high, claimed) if low == high else ValueError),
    (_FIRST_RULE.format("One that holds 0 reproduces nothing, though it may hold the claimed gain as well."),
     lambda *case: _claimed_first(*case, unstated=False)),
    (_FIRST_RULE.format("One that holds 0 reproduces nothing, whatever was claimed."), lambda *case: _claimed_first(*case, unstated=True)),
    (_FIRST_RULE.format("That it excludes the claimed gain makes it \"null\" only where it holds 0."), _null_first),
    (_NOTHING_STATED.format("there is nothing to exclude: an interval that holds 0 is \"undecided\", one above 0 \"reproduced\"."),
     _reads(unstated=lambda low: False)),
    (_NOTHING_STATED.format("there is nothing to exclude: an interval that holds 0 is \"undecided\"."),
     _reads(unstated=lambda low: low > 0)),
    (_NOTHING_STATED.format("an interval above 0 has \"reproduced\" it. None is no gain of 0."), _reads(unstated=lambda low: low <= 0)),
    (_ABSENT.format("the claimed gain"), _names(undecided="null")),
    ("an interval that holds 0 and excludes the stated gain does decide something: \"null\".", _names(null="undecided")),
    ("\"null\" and \"undecided\" have changed places: \"null\" is for a gain that was stated and is excluded.",
     _names(null="undecided", undecided="null")),
    ("\"reproduced\" and \"direction only\" have changed places.", _names(reproduced="direction only", direction_only="reproduced")),
    *(("the whole interval is below 0: that is more than no gain, it is the opposite of one. More is better.",
       _names(opposite=name)) for name in ("null", "undecided", "direction only")),
    ("the whole interval is below 0, and no gain is found there at all: \"opposite\", whatever it excludes.",
     lambda low, high, claimed: says(low, high, claimed, below=lambda _: False)),
    ("more is better: below 0 is a loss.",
     lambda low, high, claimed: says(low, high, claimed, below=lambda _: low > 0, above=lambda _: high < 0)),
    (_MORE.format("larger"), _reads(stated=lambda low, high, claimed: claimed <= high)),
    (_MORE.format("smaller"), lambda low, high, claimed: says(
        low, high, claimed, stated=lambda low, high, claimed: low <= claimed if low > 0 else claimed <= high)),
    ("the claimed gain lies outside of it: the direction is right and the size is not.", _names(direction_only="reproduced")),
    ("it holds the claimed gain, or nothing was stated but the direction: \"reproduced\".", _names(reproduced="direction only")),
    ("the whole interval has to be on one side of 0, not its middle.", _by_the_middle),
)

"""Checkers of chapter 12, longer texts."""

import numpy as np

from ropebook.checks.asking import asked, one_number, real_numbers
from ropebook.checks.ch12_configurations import CONFIGS, SCALE_MISTAKES, SPEED_MISTAKES, UNKNOWN, asked_for, named
from ropebook.exercises import Wrong, exercise
from ropebook.frequencies import frequencies

TURN = 2 * np.pi
CLOSE = 1e-4  # relative: answers in single precision are off by 1e-5 at most, and every mistake below by a thousandth somewhere

MIXED = np.array([0.4, 0.003, 1.0, 0.02, 0.0001, 0.09])  # radians per token, in no order
# theta, length, longer. Of the first pair of the case "length = 7" the last position before is 6 radians away and the next one 7, past
# the full turn; position 25 of the longer text stands at 25 − 6π = 6.15, so the angle is new whether full turns are taken off or not.
ROUNDS = (
    (frequencies(128), 4096, 20_000),
    (frequencies(8), 7, 40),
    (frequencies(128), 4096, 4096),
    (frequencies(64, 5e5), 64, 65),
    (frequencies(32), 64, 512),
    (MIXED, 100, 10_000),
    (MIXED, 2000, 2001),
    (frequencies(16, 2.0), 300, 900),
    (frequencies(6), 1, 2),
    (np.array([6.281, 6.285, 20, 4]) / 4095, 4096, 8000),  # a little less than one turn, a little more
)


@exercise("12.1")
def meets_new_angles(answer):
    """A function (theta, length, longer) -> (D/2,) of bool: whether the angle at length … longer − 1 passes all before, and no full turn."""
    for index, (theta, length, longer) in enumerate(ROUNDS):
        name = f"length = {length}, longer = {longer} and {len(theta)} pairs"
        got = real_numbers(asked(answer, name, not index, theta.copy(), length, longer))
        if got.shape != theta.shape:
            raise Wrong(f"Return one True or False for each pair; for {name} yours has shape {got.shape}."
                        " The condition itself, as an array, is the answer, not the numbers of the pairs that meet it.")
        if not np.isin(got, (0, 1)).all():
            raise Wrong(f"Return True or False for each pair; for {name} there is a {got[~np.isin(got, (0, 1))][0]:.6g} in yours.")
        right = new_angles(theta, length, longer)
        if (got != right).any():
            raise Wrong(f"For {name}: {_why_not_new(got, theta, length, longer, np.argmax(got != right))}")
    return "Of a head's 64 pairs, 18 have not been round after 4,096 tokens with base 10,000: all that is new in a longer text is theirs."


def new_angles(theta, length, longer):
    return ((length - 1) * theta < TURN) & (longer > length)


def _why_not_new(got, theta, length, longer, pair):
    lesson = next((lesson for lesson, wrong in ROUND_MISTAKES if (got == wrong(theta, length, longer)).all()), None)
    before, after = ((last - 1) * theta[pair] / TURN for last in (length, longer))
    turns = f"{before:.5g} turns at the end of the training and {after:.5g} at the end of the longer text"
    return lesson or f"pair {pair} has made {turns}, so {'nothing' if got[pair] else 'something'} is new to it."


ROUND_MISTAKES = (
    ("there is no position beyond the training, so nothing can be new.", lambda t, n, m: (n - 1) * t < TURN),
    ("the longer text has one position more, and there every pair that was not round stands farther than before.",
     lambda t, n, m: ((n - 1) * t < TURN) & (m > n + 1)),
    ("those are the pairs that have been round. They have met every angle; the others are asked for.",
     lambda t, n, m: ((n - 1) * t >= TURN) & (m > n)),
    ("the last position of the training is `length` − 1. A pair that is not round there can be round at position `length`, and it is new to it.",
     lambda t, n, m: (n * t < TURN) & (m > n)),
    ("a full turn is 2π radians, not 1.", lambda t, n, m: ((n - 1) * t < 1) & (m > n)),
    ("a full turn is 2π radians, not 1.", lambda t, n, m: (n * t < 1) & (m > n)),
    ("a full turn is 2π radians, not π.", lambda t, n, m: ((n - 1) * t < np.pi) & (m > n)),
    ("a full turn is 2π radians; yours is 360.", lambda t, n, m: ((n - 1) * t < 360) & (m > n)),
    ("those have not been round at the end of the longer text. A pair that goes round in it for the first time meets new angles on its way.",
     lambda t, n, m: ((m - 1) * t < TURN) & (m > n)),
    ("those go round for the first time in the longer text. A pair that does not get that far meets new angles, too.",
     lambda t, n, m: ((m - 1) * t >= TURN) & ((n - 1) * t < TURN)),
    ("those are round at the end of the longer text. What counts is whether they were round before.", lambda t, n, m: (m - 1) * t >= TURN),
    ("every pair gets farther, but one that has been round has met all angles. Compare (length − 1) · theta with 2π.",
     lambda t, n, m: (m > n) & (t == t)),
    ("you say that nothing is new.", lambda t, n, m: t != t),
)

# i, s, d, b; a base need not be whole: the fourth is 112.5
BASES = ((10, 4.0, 64, 5e5), (63, 8.0, 128, 1e4), (31, 8.0, 128, 1e4), (2, 1.5, 8, 50.0), (1, 3.0, 6, 1e4), (15, 16.0, 32, 2e4), (3, 1.0, 8, 1e4))


@exercise("12.2")
def base_that_slows(answer):
    """A function (i, s, d, b=10000) -> the base b' with b'^(−2i/d) = b^(−2i/d) / s; a ValueError for i = 0."""
    for index, (i, s, d, b) in enumerate(BASES):
        name = f"i = {i}, s = {s:g}, d = {d}, b = {b:g}"
        got = one_number(asked(answer, name, not index, i, s, d, b), name)
        near = lambda other: np.isclose(got, other, rtol=CLOSE, atol=0)
        if not near(slowing_base(i, s, d, b)):
            lesson = next((lesson for lesson, wrong in BASE_MISTAKES if near(wrong(i, s, d, b))), None)
            raise Wrong(f"For {name}: {lesson or _slowed_by(got, i, s, d, b)}")
    without = one_number(asked(answer, "i = 5, s = 2, d = 32 and no base", False, 5, 2.0, 32), "no base")
    if not np.isclose(without, slowing_base(5, 2.0, 32, 1e4), rtol=CLOSE):
        raise Wrong(f"Without a base, b is 10000; for i = 5, s = 2, d = 32 you return {without:.6g}. Leave the default in the first line as it is.")
    _refuses_pair_0(answer)
    return "The slower the pair, the smaller the step: pair 1 of 64 takes s to the 64th power, the last one s to the power of 64/63."


def slowing_base(i, s, d, b):
    return b * s ** (d / (2 * i))


def _slowed_by(got, i, s, d, b):
    if got <= 0:
        return f"a base is positive, and yours is {got:.6g}."
    return f"with base {got:.6g} pair {i} is {(got / b) ** (2 * i / d):.4g} times as slow as with {b:g}, and {s:g} is asked for."


def _refuses_pair_0(answer):
    lesson = "Pair 0 has speed 1 with every base, so no base slows it down: raise a ValueError for i = 0"
    try:
        got = answer(0, 8.0, 128, 1e4)
    except ValueError:
        return
    except Exception as error:
        raise Wrong(f"{lesson}; yours stops with {type(error).__name__}: {error}") from None
    raise Wrong(f"{lesson}; yours returns {got!r}.")


BASE_MISTAKES = (
    ("that is NTK-aware scaling, which slows the last pair by s. Here pair i is asked for: solve b'^(−2i/d) = b^(−2i/d) / s.",
     lambda i, s, d, b: b * s ** (d / (d - 2))),
    ("b · s makes a pair slower by s^(2i/d), less than s. The exponent of s must undo the one of b.", lambda i, s, d, b: b * s),
    ("you count the pairs from 1. The first is pair 0, and the last d/2 − 1.", lambda i, s, d, b: b * s ** (d / (2 * (i + 1)))),
    ("you count the pairs from 1. The first is pair 0, and the last d/2 − 1.", lambda i, s, d, b: b * s ** (d / (2 * (i - 1))) if i > 1 else 0.0),
    ("the speeds are base ** (−2i/d): a pair has two features. Yours are base ** (−i/d).", lambda i, s, d, b: b * s ** (d / i)),
    ("the exponent of s is upside down. b'^(2i/d) = s · b^(2i/d), and the root of both sides is taken.",
     lambda i, s, d, b: b * s ** (2 * i / d)),
    ("that base makes the pair faster by s. Slower is a larger base.", lambda i, s, d, b: b * s ** (-d / (2 * i))),
    ("the exponent of s does not hold i. Is `i` used?", lambda i, s, d, b: b * s ** (d / 2)),
    ("that is what the base is multiplied by. Return the base.", lambda i, s, d, b: s ** (d / (2 * i))),
    ("that is right for base 10000. Is `b` used?", lambda i, s, d, b: 1e4 * s ** (d / (2 * i))),
    ("that is the pair's speed. Return the base.", lambda i, s, d, b: b ** (-2 * i / d) / s),
    ("that is the base as it was.", lambda i, s, d, b: b),
)

RAMPS = (  # theta, s, length, slow, fast
    (frequencies(128), 8.0, 4096, 1.0, 32.0),
    (frequencies(32), 4.0, 64, 0.25, 4.0),
    (frequencies(128, 5e5), 32.0, 8192, 1.0, 4.0),
    (MIXED, 2.5, 300, 2.0, 10.0),
    (frequencies(64), 16.0, 500, 3.0, 20.0),
    (frequencies(8), 1.0, 100, 1.0, 5.0),
)


@exercise("12.3")
def by_parts(answer):
    """A function (theta, s, length, slow, fast) -> (D/2,): (1 − gamma) theta / s + gamma theta, gamma even in the turns from slow to fast."""
    for index, (theta, s, length, slow, fast) in enumerate(RAMPS):
        name = f"s = {s:g}, length = {length}, slow = {slow:g}, fast = {fast:g} and {len(theta)} pairs"
        given = theta.copy()
        got = real_numbers(asked(answer, name, not index, given, s, length, slow, fast))
        if got.shape != theta.shape:
            raise Wrong(f"Return one speed for each pair, shape {theta.shape}; for {name} yours has shape {got.shape}.")
        near = lambda other: np.allclose(got, other, rtol=CLOSE, atol=0)
        right = mixed(theta, s, turned_share(theta, length, slow, fast))
        if not near(right):
            lesson = next((lesson for lesson, wrong in RAMP_MISTAKES if near(wrong(theta, s, length, slow, fast))), None)
            raise Wrong(f"For {name}: {lesson or _off(got, right, theta, length)}")
        if not np.array_equal(given, theta):
            raise Wrong(f"The speeds are right, but your function writes into `theta`, which the model still needs. Make a new array for {name}.")
    return "Fast pairs keep telling neighbours apart, slow ones stay on the arc that they know, and nothing was learned for it."


def turned_share(theta, length, slow, fast):
    return np.clip((length * theta / TURN - slow) / (fast - slow), 0, 1)


def mixed(theta, s, kept):
    return (1 - kept) * theta / s + kept * theta


def _off(got, right, theta, length):
    pair = np.argmax(np.abs(got / right - 1))
    return f"pair {pair}, {length * theta[pair] / TURN:.3g} turns in training, should turn by {right[pair]:.6g} a token; yours by {got[pair]:.6g}."


def _ramp(over, clip=(0, 1), share=lambda kept: kept):
    """The right answer, but a ramp over something other than turns, cut off elsewhere, or its share read otherwise."""
    def wrong(theta, s, length, slow, fast):
        return mixed(theta, s, share(np.clip((over(theta, length) - slow) / (fast - slow), *clip)))
    return wrong


def _turns(theta, length):
    return length * theta / TURN


def _by_index(theta, s, length, slow, fast):
    """YaRN's code, with the pair's index read off the speeds, which fall by one factor."""
    index = lambda turns: np.log(length * theta[0] / TURN / turns) / np.log(theta[0] / theta[1])
    first, last = max(np.floor(index(fast)), 0), np.ceil(index(slow))
    return mixed(theta, s, 1 - np.clip((np.arange(len(theta)) - first) / max(last - first, 0.001), 0, 1))


def _by_logarithm(theta, s, length, slow, fast):
    return mixed(theta, s, np.clip(np.log(_turns(theta, length) / slow) / np.log(fast / slow), 0, 1))


RAMP_MISTAKES = (
    ("your share is the wrong way round: it slows the fast pairs and keeps the slow ones. γ is the share that is kept.",
     _ramp(_turns, share=lambda kept: 1 - kept)),
    ("you count radians. A turn is 2π of them: divide length · theta by 2π.", _ramp(lambda t, n: n * t)),
    ("cut the share off at 0 and at 1: yours goes on, and some pairs are slowed by more than s or made faster.",
     _ramp(_turns, clip=(-np.inf, np.inf))),
    ("cut the share off at 1, too: yours makes the fast pairs faster than they were.", _ramp(_turns, clip=(0, np.inf))),
    ("cut the share off at 0, too: yours slows the slow pairs by more than s.", _ramp(_turns, clip=(-np.inf, 1))),
    ("your ramp is even in the number of the pair, as in YaRN's code. In (12d) it is even in the turns.", _by_index),
    ("your ramp is even in the logarithm of the turns, or in the number of the pair. In (12d) it is even in the turns.", _by_logarithm),
    ("that is positional interpolation: every pair is divided by s. Which of them are to be kept?", lambda t, s, n, a, b: t / s),
    ("those are the speeds as they were.", lambda t, s, n, a, b: t),
    ("you put wavelengths where turns belong. A pair makes length / wavelength turns.", _ramp(lambda t, n: TURN / t)),
    ("that is the wavelength over the length. A pair makes length / wavelength turns.", _ramp(lambda t, n: TURN / t / n)),
    ("YaRN's 0.1 ln s + 1 is in your speeds. It multiplies cosines and sines, not angles.",
     lambda t, s, n, a, b: mixed(t, s, turned_share(t, n, a, b)) * (0.1 * np.log(s) + 1)),
    ("YaRN's 0.1 ln s + 1 is in your speeds. It multiplies cosines and sines, not angles.",
     lambda t, s, n, a, b: mixed(t, s, turned_share(t, n, a, b)) / (0.1 * np.log(s) + 1)),
    ("your ramp runs from 1 to 32 turns. Are `slow` and `fast` used?", lambda t, s, n, a, b: mixed(t, s, turned_share(t, n, 1, 32))),
    ("you divide by a mixture of 1 and s. (12e) mixes the speeds.", lambda t, s, n, a, b: t / (turned_share(t, n, a, b) * (1 - s) + s)),
    ("a pair between the two ends is mixed; yours jumps from one speed to the other.", lambda t, s, n, a, b: np.where(_turns(t, n) < a, t / s, t)),
    ("a pair between the two ends is mixed; yours jumps from one speed to the other.", lambda t, s, n, a, b: np.where(_turns(t, n) > b, t, t / s)),
    ("the turns are those in a training text. Yours are those in the longer one.",
     lambda t, s, n, a, b: mixed(t, s, turned_share(t, n * s, a, b))),
    ("the share of the slowed speeds is missing: (12e) has two terms.", lambda t, s, n, a, b: t * turned_share(t, n, a, b)),
    ("that is the share γ. (12e) mixes the speeds with it.", lambda t, s, n, a, b: turned_share(t, n, a, b)),
)


@exercise("12.4")
def spectrum_of(answer):
    """A function (config, d) -> the speeds (d/2,) and the scale that a configuration asks for; a ValueError for an unknown kind."""
    for index, (d, config) in enumerate(CONFIGS):
        given, name = dict(config), named(config, d)
        speeds, scale = _two(asked(answer, name, not index, given, d), name, d)
        right = asked_for(config, d)
        near = lambda got, other: np.allclose(got, other, rtol=CLOSE, atol=0)
        if not near(speeds, right.theta):
            lessons = ((lesson, wrong) for kind, lesson, wrong in SPEED_MISTAKES if kind in ("any", config["rope_type"]))
            lesson = next((lesson for lesson, wrong in lessons if near(speeds, wrong(config, d))), None)
            raise Wrong(f"For {name}: {lesson or _first_speed(speeds, right.theta)}")
        if not near(scale, right.scale):
            lesson = next((lesson for lesson, wrong in SCALE_MISTAKES if near(scale, wrong(config))), None)
            raise Wrong(f"For {name} the speeds are right, and the scale should be {right.scale:.4f}; yours is {scale:.4f}.{lesson or ''}")
        if given != config:
            raise Wrong(f"For {name} your function changes the configuration, which the next layer reads again. Read it with [...] or .get.")
    for config in UNKNOWN:
        _refuses(answer, config)
    return "Four kinds that you know, and a clear word for the rest: no model is read with the wrong speeds in silence."


def _two(result, name, d):
    """The reader's speeds (d/2,) and scale."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong(f"Return two things, the speeds and the scale of cosines and sines; for {name} I got one {type(result).__name__}"
                    f"{f' of {len(result)}' if hasattr(result, '__len__') else ''}. Where nothing is said of a scale, it is 1.")
    speeds, scale = real_numbers(result[0]), one_number(result[1], f"the scale of {name}")
    if speeds.shape != (d // 2,):
        raise Wrong(f"A head of {d} features has {d // 2} pairs, each with one speed; for {name} your speeds have shape {speeds.shape}.")
    return speeds, scale


def _first_speed(speeds, right):
    pair = np.argmax(~np.isclose(speeds, right, rtol=CLOSE, atol=0))
    return f"pair {pair} should turn by {right[pair]:.6g} a token, yours by {speeds[pair]:.6g}."


def _refuses(answer, config):
    kind = config["rope_type"]
    lesson = f"You do not know the kind {kind!r}, so raise a ValueError that names it"
    try:
        answer(dict(config), 64)
    except ValueError as error:
        if kind not in str(error):
            raise Wrong(f"{lesson}; yours says only '{error}'.") from None
    except Exception as error:
        raise Wrong(f"{lesson}; yours stops with {type(error).__name__}: {error}") from None
    else:
        raise Wrong(f"{lesson}; yours returns speeds. A model that is read with the wrong ones runs, and talks nonsense.")

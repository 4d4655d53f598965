"""Wrong answers to the exercises of chapter 12, each with part of the lesson that its checker must give."""

import math

import numpy as np
import torch

from ropebook import extension, frequencies

TURN = 2 * np.pi
LENGTH = "original_max_position_embeddings"


def new(theta, length, longer, full=TURN, last=1, more=0):
    """The right answer to exercise 12.1, with its mistakes as options."""
    return ((length - last) * theta < full) & (longer > length + more)


def new_by_positions(theta, length, longer):
    """The right answer to exercise 12.1 as its sentence has it, position by position, full turns taken off."""
    answer = []
    for speed in theta:
        seen = max(speed * m for m in range(length))
        answer.append(bool(seen < TURN and any(speed * m % TURN > seen for m in range(length, longer))))
    return answer


def base(i, s, d, b=10_000.0, power=lambda i, d: d / (2 * i)):
    """The right answer to exercise 12.2, with its mistakes as options."""
    if i == 0:
        raise ValueError("pair 0 has speed 1 with every base")
    return b * s ** power(i, d)


def base_by_logarithms(i, s, d, b=10_000.0):
    if not i:
        raise ValueError("i")
    return np.exp(np.log(b) + d / 2 / i * np.log(s))


def base_by_bisection(i, s, d, b=10_000.0):
    if i < 1:
        raise ValueError("not the first pair")
    low, high = 0.0, 200.0  # logarithms of bases
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.exp(-2 * i / d * middle) > b ** (-2 * i / d) / s else (low, middle)
    return torch.tensor(math.exp(low), dtype=torch.float64)


def raising(error):
    """The right answer to exercise 12.2, but another error for pair 0."""
    def answer(i, s, d, b=10_000.0):
        if i == 0:
            raise error
        return base(i, s, d, b)
    return answer


def parts(theta, s, length, slow, fast, turns=lambda t, n: n * t / TURN, clip=(0, 1), share=lambda kept: kept):
    """The right answer to exercise 12.3, with its mistakes as options."""
    kept = share(np.clip((turns(theta, length) - slow) / (fast - slow), *clip))
    return (1 - kept) * theta / s + kept * theta


def share(theta, length, slow, fast):
    return np.clip((length * theta / TURN - slow) / (fast - slow), 0, 1)


def parts_one_by_one(theta, s, length, slow, fast):
    new = []
    for speed in theta:
        turns = length * speed / TURN
        kept = 0 if turns <= slow else 1 if turns >= fast else (turns - slow) / (fast - slow)
        new.append(speed / s * (1 + kept * (s - 1)))
    return new


def parts_in_place(theta, s, length, slow, fast):
    new = parts(theta, s, length, slow, fast)
    theta[:] = new
    return theta


def parts_by_index(theta, s, length, slow, fast):
    """The ramp of YaRN's code, for speeds in the order of a head."""
    d, base = 2 * len(theta), (theta[0] / theta[1]) ** len(theta)
    return extension.yarn_code(d, base, s, length, slow, fast).theta


def spectrum(config, d, **changed):
    """The right answer to exercise 12.4; `changed` are functions that replace it for one kind."""
    kind, args = config["rope_type"], (d, config["rope_theta"])
    if kind in changed:
        return changed[kind](config, d)
    if kind == "default":
        return frequencies(*args), 1.0
    if kind == "linear":
        return frequencies(*args) / config["factor"], 1.0
    if kind not in ("llama3", "yarn"):
        raise ValueError(f"what is {kind}?")
    args = *args, config["factor"], config[LENGTH]
    if kind == "llama3":
        return extension.by_parts(*args, config["low_freq_factor"], config["high_freq_factor"])
    speeds, scale = extension.yarn_code(*args, *ends(config))
    return speeds, config.get("attention_factor", scale)


def ends(config):
    return config.get("beta_slow", 1), config.get("beta_fast", 32)


def but(**changed):
    return lambda config, d: spectrum(config, d, **changed)


def yarn(method=extension.yarn_code, ends=ends, length=lambda c: c[LENGTH], scale=lambda c: c.get("attention_factor", 0.1 * math.log(c["factor"]) + 1)):
    """The right answer for YaRN, with its mistakes as options."""
    return lambda c, d: (method(d, c["rope_theta"], c["factor"], length(c), *ends(c)).theta, scale(c))


def llama(ends, method=extension.llama3):
    return lambda c, d: (method(d, c["rope_theta"], c["factor"], c[LENGTH], *ends(c)).theta, 1.0)


def ramp_without_rounding(d, base, factor, length, slow, fast):
    index = lambda turns: d * math.log(length / (turns * TURN)) / (2 * math.log(base))
    first, last = max(index(fast), 0), min(index(slow), d - 1)
    kept = 1 - np.clip((np.arange(d // 2) - first) / (last - first), 0, 1)
    theta = frequencies(d, base)
    return extension.Spectrum((1 - kept) * theta / factor + kept * theta)


def ramp_from_before_the_first(d, base, factor, length, slow, fast, first=-np.inf, last=np.inf):
    """YaRN's code with other limits to its two ends."""
    index = lambda turns: d * math.log(length / (turns * TURN)) / (2 * math.log(base))
    first, last = max(math.floor(index(fast)), first), min(math.ceil(index(slow)), last)
    kept, theta = 1 - np.clip((np.arange(d // 2) - first) / (last - first), 0, 1), frequencies(d, base)
    return extension.Spectrum((1 - kept) * theta / factor + kept * theta)


def ramp_to_the_last(d, *args):
    return ramp_from_before_the_first(d, *args, first=0, last=d // 2 - 1)


def ramp_between_swapped_ends(d, base, factor, length, slow, fast):
    """YaRN's code with its two ends exchanged."""
    index = lambda turns: d * math.log(length / (turns * TURN)) / (2 * math.log(base))
    first, last = math.floor(index(slow)), math.ceil(index(fast))
    kept, theta = 1 - np.clip((np.arange(d // 2) - first) / (last - first), 0, 1), frequencies(d, base)
    return extension.Spectrum((1 - kept) * theta / factor + kept * theta)


def parts_as_asked(d, base, factor, length, slow, fast):
    """By parts, whichever end is the larger."""
    return extension.Spectrum(parts(frequencies(d, base), factor, length, slow, fast))


def ramp_of_litgpt(d, base, factor, length, slow, fast):
    """Its two ends the wrong way round."""
    kept = extension.yarn_code(d, base, 2.0, length, slow, fast).theta / frequencies(d, base) * 2 - 1
    return extension.Spectrum(frequencies(d, base) * (kept / factor + 1 - kept))


def without_refusal(config, d):
    try:
        return spectrum(config, d)
    except ValueError:
        return frequencies(d, config["rope_theta"]), 1.0


def with_a_dictionary(config, d):
    return {kind: lambda: spectrum(config, d) for kind in ("default", "linear", "llama3", "yarn")}[config["rope_type"]]()


def without_a_name(config, d):
    if config["rope_type"] not in ("default", "linear", "llama3", "yarn"):
        raise ValueError("unknown kind")
    return spectrum(config, d)


def popping(config, d):
    right = spectrum(config, d)
    config.pop("rope_type")
    return right


def scaled(scale):
    """The right speeds with another scale for every kind."""
    return lambda config, d: (spectrum(config, d)[0], scale(config))


def from_transformers(config, d):
    """What transformers has for it, in single precision."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    if config["rope_type"] not in ("default", "linear", "llama3", "yarn"):
        raise ValueError(config["rope_type"])
    size = int(config.get(LENGTH, 4096) * config.get("factor", 1))
    rotary = LlamaRotaryEmbedding(LlamaConfig(hidden_size=d, num_attention_heads=1, max_position_embeddings=size, rope_parameters=dict(config)))
    return rotary.inv_freq, rotary.attention_scaling


MUTANTS = [
    ("12.1", lambda t, n, m: new(t, n, m, last=0), "last position of the training is `length` − 1"),
    ("12.1", lambda t, n, m: (TURN / t > n) & (m > n), "last position of the training is `length` − 1"),
    ("12.1", lambda t, n, m: TURN / t > n, "last position of the training is `length` − 1"),
    ("12.1", lambda t, n, m: new(t, n, m, full=1), "2π radians, not 1"),
    ("12.1", lambda t, n, m: new(t, n, m, full=1, last=0), "2π radians, not 1"),
    ("12.1", lambda t, n, m: new(t, n, m, full=np.pi), "not π"),
    ("12.1", lambda t, n, m: new(t, n, m, full=360), "yours is 360"),
    ("12.1", lambda t, n, m: new(t, n, m, full=6.28), "pair 0 has made 0.99965 turns"),
    ("12.1", lambda t, n, m: new(t, n, m, full=6.3), "pair 1 has made 1.0003 turns"),
    ("12.1", lambda t, n, m: (m - 1) * t < TURN, "not been round at the end of the longer text"),
    ("12.1", lambda t, n, m: (m - 1) * t >= TURN, "What counts is whether they were round before"),
    ("12.1", lambda t, n, m: ((m - 1) * t >= TURN) & new(t, n, m), "A pair that does not get that far"),
    ("12.1", lambda t, n, m: (n - 1) * t < TURN, "no position beyond the training"),
    ("12.1", lambda t, n, m: new(t, n, m + 1), "no position beyond the training"),
    ("12.1", lambda t, n, m: new(t, n, m, more=1), "one position more"),
    ("12.1", lambda t, n, m: ~new(t, n, m), "those are the pairs that have been round"),
    ("12.1", lambda t, n, m: ((n - 1) * t >= TURN) & (m > n), "those are the pairs that have been round"),
    ("12.1", lambda t, n, m: np.full(t.shape, m > n), "one that has been round has met all angles"),
    ("12.1", lambda t, n, m: np.zeros(t.shape, bool), "nothing is new"),
    ("12.1", lambda t, n, m: new(TURN * t, n, m), "2π radians, not 1"),
    ("12.1", lambda t, n, m: (n - 1 < TURN * t) & (m > n), "nothing is new"),
    ("12.1", lambda t, n, m: np.flatnonzero(new(t, n, m)), "not the numbers of the pairs"),
    ("12.1", lambda t, n, m: new(t, n, m).sum(), "one True or False for each pair"),
    ("12.1", lambda t, n, m: (n - 1) * t / TURN, "True or False for each pair; for"),
    ("12.1", lambda t, n, m: new(np.sort(t)[::-1], n, m), "has made"),
    ("12.1", lambda t, n, m: new(t, n, m) if n > 50 else None, "returned nothing"),
    ("12.1", lambda t, n, m: new(frequencies(2 * len(t)), n, m), "has made"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: d / (d - 2)), "that is NTK-aware scaling"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: 1), "less than s"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: d / 2), "Is `i` used?"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: d / i), "a pair has two features"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: i / d), "times as slow as with"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: 2 * i / d), "upside down"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: d / (2 * (i + 1))), "you count the pairs from 1"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b, lambda i, d: d / (2 * (i - 1))), "you count the pairs from 1"),
    ("12.2", lambda i, s, d, b=1e4: base(i, 1 / s, d, b), "faster by s"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, 1), "what the base is multiplied by"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d), "Is `b` used?"),
    ("12.2", lambda i, s, d, b=1e4: b ** (-2 * i / d) / s, "the pair's speed"),
    ("12.2", lambda i, s, d, b=1e4: b, "the base as it was"),
    ("12.2", lambda i, s, d, b=1e4: round(base(i, s, d, b)), "times as slow as with 50"),
    ("12.2", lambda i, s, d, b=1e4: -base(i, s, d, b), "a base is positive"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s**1.5, d, b), "times as slow as with"),
    ("12.2", lambda i, s, d, b=1e4: b * s ** (d / (2 * i)), "stops with ZeroDivisionError"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b) if i else np.inf, "yours returns inf"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b) if i else b, "yours returns 10000"),
    ("12.2", lambda i, s, d, b=1e4: base(i, s, d, b) if i else None, "yours returns None"),
    ("12.2", raising(AssertionError("no")), "stops with AssertionError: no"),
    ("12.2", lambda i, s, d, b: base(i, s, d, b), "no base your answer stopped with TypeError"),
    ("12.2", lambda i, s, d, b=5e5: base(i, s, d, b), "Without a base, b is 10000"),
    ("12.2", lambda i, s, d, b=1e4: base(0, s, d, b), "stopped with ValueError"),
    ("12.2", lambda i, s, d, b=1e4: [base(i, s, d, b)] * 2, "Return one number"),
    ("12.3", lambda *a: parts(*a, share=lambda kept: 1 - kept), "wrong way round"),
    ("12.3", lambda t, s, n, slow, fast: parts(t, s, n, fast, slow), "wrong way round"),
    ("12.3", lambda *a: parts(*a, turns=lambda t, n: n * t), "you count radians"),
    ("12.3", lambda *a: parts(*a, clip=(-np.inf, np.inf)), "made faster"),
    ("12.3", lambda *a: parts(*a, clip=(0, np.inf)), "cut the share off at 1, too"),
    ("12.3", lambda *a: parts(*a, clip=(-np.inf, 1)), "cut the share off at 0, too"),
    ("12.3", lambda *a: parts(*a, turns=lambda t, n: TURN / t), "wavelengths where turns belong"),
    ("12.3", lambda *a: parts(*a, turns=lambda t, n: TURN / t / n), "wavelength over the length"),
    ("12.3", parts_by_index, "even in the number of the pair, as in YaRN's code"),
    ("12.3", lambda t, s, n, slow, fast: parts(t, s, n, np.log(slow), np.log(fast), turns=lambda t, n: np.log(n * t / TURN)), "logarithm of the turns"),
    ("12.3", lambda t, s, *rest: t / s, "positional interpolation"),
    ("12.3", lambda t, *rest: t.copy(), "speeds as they were"),
    ("12.3", lambda t, s, *rest: parts(t, s, *rest) * (0.1 * np.log(s) + 1), "multiplies cosines and sines, not angles"),
    ("12.3", lambda t, s, *rest: parts(t, s, *rest) / (0.1 * np.log(s) + 1), "multiplies cosines and sines, not angles"),
    ("12.3", lambda t, s, n, slow, fast: parts(t, s, n, 1, 32), "Are `slow` and `fast` used?"),
    ("12.3", lambda t, s, n, slow, fast: parts(t, s, s * n, slow, fast), "Yours are those in the longer one"),
    ("12.3", lambda t, s, n, slow, fast: parts(t, 1 / s, n, slow, fast), "should turn by"),
    ("12.3", lambda t, s, n, slow, fast: parts(t, s, n - 1, slow, fast), "should turn by"),
    ("12.3", lambda t, s, n, slow, fast: t / s ** (1 - share(t, n, slow, fast)), "should turn by"),
    ("12.3", lambda t, s, n, slow, fast: t / (share(t, n, slow, fast) * (1 - s) + s), "(12e) mixes the speeds"),
    ("12.3", lambda t, s, n, slow, fast: np.where(n * t / TURN < slow, t / s, t), "is mixed; yours jumps"),
    ("12.3", lambda t, s, n, slow, fast: np.where(n * t / TURN > fast, t, t / s), "is mixed; yours jumps"),
    ("12.3", lambda t, s, n, slow, fast: share(t, n, slow, fast) * t, "(12e) has two terms"),
    ("12.3", lambda t, s, n, slow, fast: share(t, n, slow, fast), "that is the share"),
    ("12.3", lambda t, *rest: parts(frequencies(2 * len(t)), *rest), "should turn by"),
    ("12.3", parts_in_place, "writes into `theta`"),
    ("12.3", lambda *a: parts(*a)[:-1], "one speed for each pair"),
    ("12.4", but(yarn=yarn(extension.yarn_paper)), "the paper's ramp"),
    ("12.4", but(yarn=yarn(ends=lambda c: ends(c)[::-1])), "slow must be above 0 and below fast"),
    ("12.4", but(yarn=yarn(ramp_between_swapped_ends)), "beta_slow is the smaller number of turns"),
    ("12.4", but(yarn=yarn(ends=lambda c: (1, 32))), "where beta_slow and beta_fast are missing"),
    ("12.4", but(yarn=yarn(ends=lambda c: (1, 4))), "those of Llama 3"),
    ("12.4", but(yarn=yarn(ramp_without_rounding)), "rounded down, the last up"),
    ("12.4", but(yarn=yarn(ramp_from_before_the_first)), "begins it at pair 0 at the earliest"),
    ("12.4", but(yarn=yarn(ramp_to_the_last)), "lets it end behind it"),
    ("12.4", but(yarn=yarn(ramp_of_litgpt)), "it keeps the slow pairs"),
    ("12.4", but(yarn=yarn(length=lambda c: c["factor"] * c[LENGTH])), "not of the longer text"),
    ("12.4", but(yarn=yarn(scale=lambda c: 0.1 * math.log(c["factor"]) + 1)), "only where attention_factor is missing"),
    ("12.4", but(yarn=yarn(scale=lambda c: 1.0)), "Is it 1 for every kind?"),
    ("12.4", but(yarn=yarn(scale=lambda c: c.get("attention_factor", 1) * (0.1 * math.log(c["factor"]) + 1))), "it replaces (12g)"),
    ("12.4", but(yarn=yarn(scale=lambda c: (0.1 * math.log(c["factor"]) + 1) ** 2)), "the square of the scale"),
    ("12.4", but(yarn=yarn(scale=lambda c: 0.1 * math.log10(c["factor"]) + 1)), "natural logarithm"),
    ("12.4", but(yarn=yarn(scale=lambda c: 0.1 * math.log(c["factor"]))), "1 added to it"),
    ("12.4", but(yarn=lambda c, d: (yarn()(c, d)[0] * 1.2, 1.0)), "should turn by"),
    ("12.4", but(yarn=lambda c, d: (yarn()(c, d)[0] * yarn()(c, d)[1], 1.0)), "the scale is in your speeds"),
    ("12.4", but(yarn=lambda c, d: (frequencies(d, c["rope_theta"]), 1.0)), "Is config[\"rope_type\"] read?"),
    ("12.4", but(yarn=lambda c, d: (frequencies(d, c["rope_theta"]) / c["factor"], 1.0)), "keeps the fast ones"),
    ("12.4", but(llama3=llama(lambda c: (c["high_freq_factor"], c["low_freq_factor"]))), "slow must be above 0 and below fast"),
    ("12.4", but(llama3=llama(lambda c: (c["high_freq_factor"], c["low_freq_factor"]), parts_as_asked)), "the two ends are swapped: the low"),
    ("12.4", but(llama3=llama(lambda c: (1, 4))), "Are low_freq_factor and high_freq_factor read?"),
    ("12.4", but(llama3=llama(lambda c: (c["low_freq_factor"], c["high_freq_factor"]), extension.yarn_code)), "This kind's is even in the turns"),
    ("12.4", but(llama3=llama(ends)), "your ends are YaRN's"),
    ("12.4", but(llama3=lambda c, d: (frequencies(d, c["rope_theta"]) / c["factor"], 1.0)), "keeps the fast ones"),
    ("12.4", lambda config, d: (frequencies(d, config["rope_theta"]), 1.0), "Is config[\"rope_type\"] read?"),
    ("12.4", lambda config, d: (frequencies(d), 1.0), "those are the speeds of base 10000"),
    ("12.4", lambda config, d: spectrum({**config, "rope_theta": 1e4}, d), "those are the speeds of base 10000"),
    ("12.4", lambda config, d: spectrum(config, d // 2), "has 64 pairs"),
    ("12.4", lambda config, d: (np.repeat(spectrum(config, d)[0], 2), 1.0), "has 64 pairs"),
    ("12.4", lambda config, d: spectrum(config, d)[0], "Return two things"),
    ("12.4", scaled(lambda c: 0.1 * math.log(c.get("factor", 1)) + 1), "It holds for YaRN"),
    ("12.4", scaled(lambda c: c.get("factor", 1)), "by which the text gets longer"),
    ("12.4", but(linear=lambda c, d: (frequencies(d, c["rope_theta"]) * c["factor"], 1.0)), "divide"),
    ("12.4", without_refusal, "'dynamic', so raise a ValueError that names it; yours returns speeds"),
    ("12.4", lambda config, d: spectrum({**config, "rope_type": config["rope_type"][:4]}, d) if "yarn" in config["rope_type"] else spectrum(config, d),
     "'yarn2', so raise"),
    ("12.4", lambda config, d: spectrum({**config, "rope_type": "llama3"} if config["rope_type"].startswith("llama") else config, d),
     "'llama', so raise"),
    ("12.4", lambda config, d: (spectrum(config, d)[0], None), "got None"),
    ("12.4", with_a_dictionary, "yours stops with KeyError"),
    ("12.4", without_a_name, "yours says only 'unknown kind'"),
    ("12.4", popping, "changes the configuration"),
    ("12.4", lambda config, d: spectrum(config, d) if config["rope_type"] != "yarn" else None, "returned nothing"),
    ("12.4", lambda config, d: (*spectrum(config, d), 1.0), "Return two things"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("12.1", new),
    ("12.1", new_by_positions),
    ("12.1", lambda t, n, m: torch.from_numpy((n - 1) * t) < TURN if m > n else [False] * len(t)),
    ("12.1", lambda t, n, m: np.where(t * (n - 1) / TURN < 1, min(m - n, 1), 0)),
    ("12.1", lambda t, n, m: (TURN / t.astype(np.float32) > n - 1) * (m != n)),
    ("12.2", base),
    ("12.2", base_by_logarithms),
    ("12.2", base_by_bisection),
    ("12.2", lambda i, s, d, b=1e4: (b ** (2 * i / d) * s) ** (d / 2 / i) if i else int("no")),
    ("12.3", parts),
    ("12.3", parts_one_by_one),
    ("12.3", lambda *a: torch.tensor(parts(*a), requires_grad=True)),
    ("12.3", lambda t, *rest: torch.from_numpy(parts(t.astype(np.float32), *rest))),
    ("12.3", lambda t, s, *rest: t - (1 - share(t, *rest)) * (t - t / s)),
    ("12.4", spectrum),
    ("12.4", lambda config, d: list(spectrum(config, d))),
    ("12.4", lambda config, d: (torch.tensor(spectrum(config, d)[0]).float(), np.float32(spectrum(config, d)[1]))),
    ("12.4", from_transformers),
]

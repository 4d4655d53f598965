"""The configurations of exercise 12.4, what they ask for, and the mistakes that are made in reading them."""

import numpy as np

from ropebook import extension
from ropebook.frequencies import frequencies

LENGTH = "original_max_position_embeddings"
CONFIGS = (  # head_dim, configuration
    (128, {"rope_type": "default", "rope_theta": 5e5}),
    (64, {"rope_type": "default", "rope_theta": 1e4}),
    (64, {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}),
    (32, {"rope_type": "linear", "rope_theta": 1e6, "factor": 2.5}),
    (128, {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, LENGTH: 8192, "low_freq_factor": 1.0, "high_freq_factor": 4.0}),
    (64, {"rope_type": "llama3", "rope_theta": 1e4, "factor": 32.0, LENGTH: 2048, "low_freq_factor": 2.0, "high_freq_factor": 16.0}),
    (128, {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, LENGTH: 32768}),
    (128, {"rope_type": "yarn", "rope_theta": 1e4, "factor": 16.0, LENGTH: 4096, "beta_fast": 20.0, "beta_slow": 2.0}),
    (64, {"rope_type": "yarn", "rope_theta": 1e4, "factor": 8.0, LENGTH: 1024, "attention_factor": 1.3, "beta_fast": 8.0, "beta_slow": 0.5}),
    (64, {"rope_type": "yarn", "rope_theta": 1e5, "factor": 40.0, LENGTH: 4096, "attention_factor": 1.0}),
    (64, {"rope_type": "yarn", "rope_theta": 1e4, "factor": 8.0, LENGTH: 128}),  # the ramp would begin before the first pair
    (64, {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, LENGTH: 131072}),  # it ends behind the last
)
UNKNOWN = (
    {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
    {"rope_type": "longrope", "rope_theta": 1e4, "factor": 8.0, LENGTH: 4096, "long_factor": [1.0] * 32, "short_factor": [1.0] * 32},
    {"rope_type": "yarn2", "rope_theta": 1e4, "factor": 8.0, LENGTH: 4096, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "llama", "rope_theta": 1e4, "factor": 8.0, LENGTH: 4096, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
)


def named(config, d):
    """The case in words, with the keys that make it special."""
    optional = [f"{key} {config[key]:g}" for key in ("beta_slow", "beta_fast", "attention_factor") if key in config]
    return ", ".join([f"the kind {config['rope_type']!r} with base {config['rope_theta']:g}", *optional]) + f" and d = {d}"


def asked_for(config, d, **changes):
    """The right `Spectrum` of a configuration, some of its entries changed."""
    config = config | changes
    args = d, config["rope_theta"], config.get("factor"), config.get(LENGTH)
    match config["rope_type"]:
        case "default":
            return extension.unchanged(*args[:2])
        case "linear":
            return extension.interpolated(*args[:3])
        case "llama3":
            return extension.llama3(*args, config["low_freq_factor"], config["high_freq_factor"])
        case "yarn":
            found = extension.yarn_code(*args, *_ends(config))
            return found._replace(scale=config.get("attention_factor", found.scale))


def _ends(config):
    return config.get("beta_slow", 1.0), config.get("beta_fast", 32.0)


def _yarn(share):
    """Speeds of which share(index of each pair, index of a number of turns, slow, fast) is kept."""
    def wrong(config, d):
        theta, base = frequencies(d, config["rope_theta"]), config["rope_theta"]
        index = lambda turns: d * np.log(config[LENGTH] / (2 * np.pi * turns)) / (2 * np.log(base))
        kept = np.clip(share(np.arange(d // 2), index, *_ends(config)), 0, 1)
        return (1 - kept) * theta / config["factor"] + kept * theta
    return wrong


def _by_turns(config, d):
    return extension.by_parts(d, config["rope_theta"], config["factor"], config[LENGTH], *_ends(config)).theta


def _without_ends(config):
    return {key: value for key, value in config.items() if key not in ("beta_slow", "beta_fast")}


def _ends_swapped(config, d):
    theta, slow, fast = frequencies(d, config["rope_theta"]), config["high_freq_factor"], config["low_freq_factor"]
    kept = np.clip((config[LENGTH] * theta / (2 * np.pi) - slow) / (fast - slow), 0, 1)
    return (1 - kept) * theta / config["factor"] + kept * theta


SPEED_MISTAKES = (  # kind, lesson, speeds
    ("any", "those are the speeds of base 10000. The base is config[\"rope_theta\"].", lambda c, d: asked_for(c, d, rope_theta=1e4).theta),
    ("linear", "those are the speeds as they were. Is config[\"rope_type\"] read?", lambda c, d: frequencies(d, c["rope_theta"])),
    ("linear", "that makes the speeds larger. A longer text needs slower pairs: divide.", lambda c, d: frequencies(d, c["rope_theta"]) * c["factor"]),
    ("llama3", "those are the speeds as they were. Is config[\"rope_type\"] read?", lambda c, d: frequencies(d, c["rope_theta"])),
    ("llama3", "every pair is divided by the factor. This kind keeps the fast ones.", lambda c, d: frequencies(d, c["rope_theta"]) / c["factor"]),
    ("llama3", "the two ends are swapped: the low frequency factor is the number of turns below which a pair is slow.",
     _ends_swapped),
    ("llama3", "your ends are 1 and 4. Are low_freq_factor and high_freq_factor read?",
     lambda c, d: asked_for(c, d, low_freq_factor=1.0, high_freq_factor=4.0).theta),
    ("llama3", "your ramp is even in the number of the pair, as YaRN's code has it. This kind's is even in the turns.",
     lambda c, d: asked_for({**c, "beta_slow": c["low_freq_factor"], "beta_fast": c["high_freq_factor"]}, d, rope_type="yarn").theta),
    ("llama3", "your ends are YaRN's, 1 and 32. Here they are low_freq_factor and high_freq_factor.", _by_turns),
    ("yarn", "those are the speeds as they were. Is config[\"rope_type\"] read?", lambda c, d: frequencies(d, c["rope_theta"])),
    ("yarn", "every pair is divided by the factor. This kind keeps the fast ones.", lambda c, d: frequencies(d, c["rope_theta"]) / c["factor"]),
    ("yarn", "that is the paper's ramp, even in the turns. Checkpoints want the code's, even in the number of the pair: yarn_code.", _by_turns),
    ("yarn", "your ends are 1 and 32. They hold only where beta_slow and beta_fast are missing.", lambda c, d: asked_for(_without_ends(c), d).theta),
    ("yarn", "the two ends are swapped: beta_slow is the smaller number of turns, that of the slow pairs.",
     _yarn(lambda i, at, slow, fast: 1 - (i - np.floor(at(slow))) / (np.ceil(at(fast)) - np.floor(at(slow))))),
    ("yarn", "your ramp is the wrong way round: it keeps the slow pairs. The share that is kept falls from 1 to 0.",
     _yarn(lambda i, at, slow, fast: (i - max(np.floor(at(fast)), 0)) / (np.ceil(at(slow)) - max(np.floor(at(fast)), 0)))),
    ("yarn", "the ramp of the code begins and ends at whole numbers of pairs: the first is rounded down, the last up.",
     _yarn(lambda i, at, slow, fast: 1 - (i - max(at(fast), 0)) / (at(slow) - max(at(fast), 0)))),
    ("yarn", "your ramp begins before the first pair. The code begins it at pair 0 at the earliest.",
     _yarn(lambda i, at, slow, fast: 1 - (i - np.floor(at(fast))) / (np.ceil(at(slow)) - np.floor(at(fast))))),
    ("yarn", "you end the ramp at the last pair. The code lets it end behind it, at d − 1 at the latest.",
     _yarn(lambda i, at, slow, fast: 1 - (i - max(np.floor(at(fast)), 0)) / (min(np.ceil(at(slow)), i[-1]) - max(np.floor(at(fast)), 0)))),
    ("yarn", "your ends are 1 and 4, those of Llama 3. Here they are beta_slow and beta_fast, 1 and 32 where these are missing.",
     lambda c, d: asked_for(c, d, beta_slow=1.0, beta_fast=4.0).theta),
    ("yarn", f"the length is that of the training, config[\"{LENGTH}\"], not of the longer text.",
     lambda c, d: asked_for(c, d, **{LENGTH: c["factor"] * c[LENGTH]}).theta),
    ("any", "the scale is in your speeds. It multiplies cosines and sines, not angles.",
     lambda c, d: (right := asked_for(c, d)).theta * right.scale),
)


def _sharpened(config):
    return 0.1 * np.log(config.get("factor", 1.0)) + 1


SCALE_MISTAKES = (
    (" That is what (12g) gives. It holds for YaRN, and only where attention_factor is missing.", _sharpened),
    (" Is it 1 for every kind? YaRN's is (12g), or attention_factor where that is given.", lambda c: 1.0),
    (" That is the factor of the scores, the square of the scale.", lambda c: _sharpened(c) ** 2),
    (" You multiply (12g) by attention_factor; it replaces (12g).", lambda c: _sharpened(c) * c.get("attention_factor", 1.0)),
    (" ln is the natural logarithm, np.log or math.log.", lambda c: 0.1 * np.log10(c.get("factor", 1.0)) + 1),
    (" ln is the natural logarithm, np.log or math.log.", lambda c: 0.1 * np.log2(c.get("factor", 1.0)) + 1),
    (" That is the factor by which the text gets longer.", lambda c: c.get("factor", 1.0)),
    (" 0.1 ln s has to have 1 added to it.", lambda c: _sharpened(c) - 1),
)

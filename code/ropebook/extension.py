"""Longer texts than a model was trained on: nine ways to slow RoPE's frequencies down.

Every method gives one new list of frequencies and one scale for cosines and sines, `Spectrum(theta, scale)`. `factor` is how
many times longer the text becomes, `length` the tokens that the model was trained on. A pair's wavelength is 2π/θ_i tokens,
and it has turned length·θ_i/2π times at the end of a training text. A factor below 1, a length below 2 tokens and turns
without 0 < slow < fast are refused with a ValueError that names them.
"""

import math
from typing import NamedTuple

import numpy as np

from ropebook.frequencies import frequencies


class Spectrum(NamedTuple):
    """What turns queries and keys: scale·cos(m·theta[i]) and scale·sin(m·theta[i])."""

    theta: np.ndarray  # (D/2,) float64, radians per token
    scale: float = 1.0


def unchanged(head_dim, base=10000.0):
    """The frequencies that the model was trained with."""
    return Spectrum(frequencies(head_dim, base))


def interpolated(head_dim, base, factor):
    """Positional interpolation: every frequency divided by the factor, so that no position exceeds the trained ones.

    source  Chen et al., 2023 (PI); "linear" in transformers
    """
    _check(factor)
    return Spectrum(frequencies(head_dim, base) / factor)


def rebased(head_dim, base):
    """Another base: slow pairs get slower still, and the fastest keeps its frequency. Code Llama, Llama 3."""
    return unchanged(head_dim, base)


def ntk_aware(head_dim, base, factor):
    """The base at which the slowest pair is slowed down by exactly the factor and the fastest not at all: b·s^(D/(D−2)).

    source  YaRN paper, eq. 16 (bloc97)
    raises  ValueError if head_dim is 2: one pair cannot be both
    """
    _check(factor)
    if head_dim <= 2:
        raise ValueError(f"head_dim must be at least 4, to have a slowest pair beside the fastest; got {head_dim}")
    return unchanged(head_dim, base * factor ** (head_dim / (head_dim - 2)))


def dynamic_ntk(head_dim, base, factor, length, current):
    """NTK-aware for the text at hand, `current` tokens long: nothing is changed up to `length`, and more the longer it grows.

    source  emozilla; "dynamic" in transformers: the base is b·(s·current/length − (s − 1))^(D/(D−2))
    """
    _check(factor, length)
    return ntk_aware(head_dim, base, 1 + factor * (max(current, length) / length - 1))


def by_parts(head_dim, base, factor, length, slow=1.0, fast=32.0):
    """Pairs that turn more than `fast` times in a training text are kept, those with less than `slow` turns interpolated.

    Between them the share that is kept, γ, rises linearly with the turns r = length·θ_i/2π: γ = (r − slow)/(fast − slow).

    source  YaRN paper, eq. 17 to 20 (NTK-by-parts)
    """
    _check(factor, length, slow, fast)
    theta = frequencies(head_dim, base)
    kept = np.clip((length * theta / (2 * np.pi) - slow) / (fast - slow), 0, 1)
    return Spectrum(_mixed(theta, factor, kept))


def yarn_paper(head_dim, base, factor, length, slow=1.0, fast=32.0):
    """YaRN as its paper has it: `by_parts`, and logits multiplied by (0.1 ln s + 1)², half of it on queries, half on keys.

    source  Peng et al., 2023, eq. 21 and 22
    """
    return Spectrum(by_parts(head_dim, base, factor, length, slow, fast).theta, 0.1 * math.log(factor) + 1)


def yarn_code(head_dim, base, factor, length, slow=1.0, fast=32.0):
    """YaRN as its code and transformers have it: the share that is kept falls linearly with the pair's index, not with its turns.

    source  github.com/jquesnelle/yarn; "yarn" in transformers
    """
    _check(factor, length, slow, fast)
    theta = frequencies(head_dim, base)
    index = lambda turns: head_dim * math.log(length / (2 * math.pi * turns)) / (2 * math.log(base))  # of the pair with so many
    first, last = max(math.floor(index(fast)), 0), min(math.ceil(index(slow)), head_dim - 1)
    kept = 1 - np.clip((np.arange(head_dim // 2) - first) / max(last - first, 1), 0, 1)
    return Spectrum(_mixed(theta, factor, kept), 0.1 * math.log(factor) + 1)


def llama3(head_dim, base, factor, length, slow=1.0, fast=4.0):
    """Llama 3.1's rule, written as in its code by wavelengths; `by_parts` says the same by turns.

    source  "llama3" in transformers: factor 8, length 8192, low_freq_factor 1, high_freq_factor 4, base 500000
    """
    _check(factor, length, slow, fast)
    theta = frequencies(head_dim, base)
    wavelength = 2 * np.pi / theta
    smooth = (length / wavelength - slow) / (fast - slow)
    middle = _mixed(theta, factor, smooth)
    return Spectrum(np.where(wavelength < length / fast, theta, np.where(wavelength > length / slow, theta / factor, middle)))


def longrope(head_dim, base, divisors, factor, length):
    """A divisor of its own for each pair, found by search, and a scale √(1 + ln s / ln L).

    divisors  (D/2,)  positive: the published list for short or for long texts
    source    Ding et al., 2024; "longrope" in transformers (Phi-3)
    raises    ValueError if there are not D/2 positive divisors, naming both numbers
    """
    _check(factor, length)
    theta, divisors = frequencies(head_dim, base), np.asarray(divisors, dtype=np.float64)
    if divisors.shape != theta.shape or not (divisors > 0).all():
        smallest = divisors.min(initial=np.inf)
        raise ValueError(f"divisors must be {len(theta)} positive numbers, got shape {divisors.shape} with smallest {smallest}")
    return Spectrum(theta / divisors, math.sqrt(1 + math.log(factor) / math.log(length)))


def proportional(head_dim, base, share):
    """p-RoPE: the fastest share of the pairs turn as before, the others not at all. A choice for training, not a repair.

    share   of the pairs, 0 to 1; a fraction of a pair is dropped
    source  Barbero et al., 2025; "proportional" in transformers (Gemma 4)
    raises  ValueError if share is not between 0 and 1
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    theta = frequencies(head_dim, base)
    return Spectrum(np.where(np.arange(len(theta)) < int(share * head_dim // 2), theta, 0.0))


def _mixed(theta, factor, kept):
    """Frequencies of which a share is kept and the rest interpolated: both (D/2,)."""
    return (1 - kept) * theta / factor + kept * theta


def _check(factor, length=2, slow=1, fast=2):
    for name, value, least in (("factor", factor, 1), ("length", length, 2)):
        if not (math.isfinite(value) and value >= least):
            raise ValueError(f"{name} must be a number of at least {least}, got {value}")
    if not 0 < slow < fast:
        raise ValueError(f"slow must be above 0 and below fast, got slow {slow} and fast {fast}")

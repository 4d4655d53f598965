"""Longer texts: each method against transformers' own function and against what its paper says, on our code and on broken copies."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated
from rotation_claims import EPS, refuse
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from ropebook import extension, frequencies

EPS32 = 2.0**-24  # unit roundoff of float32
# head dim, base, factor, length: a middle setting, Llama 3.1 8B, Llama 3.2 1B, as DeepSeek-V2 but for its scale, then odd ones: a factor that
# is no power of two, a slowest pair that still turns at the end of the text, a text in which no pair turns once
GRID = [(128, 10_000.0, 8.0, 4096), (128, 500_000.0, 8.0, 8192), (64, 500_000.0, 32.0, 8192), (64, 10_000.0, 40.0, 4096),
        (10, 1_000_000.0, 3.7, 1000), (64, 30.0, 8.0, 5400), (64, 10_000.0, 2.0, 6), (256, 160_000.0, 1.0, 2048)]  # fmt: skip
TURNS = [(1.0, 32.0), (0.5, 20.0), (1.0, 4.0)]  # slow, fast


def theirs(kind, head_dim, base, length, seq_len=None, **given):
    """transformers' frequencies and scale, for a configuration that says no more than it must."""
    rope = {"rope_type": kind, "rope_theta": base, **given}
    if kind in ("yarn", "llama3", "longrope"):
        rope["original_max_position_embeddings"] = length
    config = LlamaConfig(hidden_size=head_dim, num_attention_heads=1, head_dim=head_dim, max_position_embeddings=length)
    config.rope_parameters = rope
    theta, scale = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=seq_len)
    return theta.double().numpy(), scale


def agree(ours, found, base, mixed=0.0):
    """Their float32 against our float64.

    The exponent 2i/D < 1 is off by 1 EPS32, the power by ln b times that and by at most 4 more for the base, a power of 1 ulp and the
    result; 4 more roundings for inverse, factor and mixing. A share γ that is off by ln b + 8 times its height, `mixed` at most,
    moves a mixed frequency by as much of θ.
    """
    theta, scale = found
    off = EPS32 * (math.log(base) + 8)
    unmixed = frequencies(2 * len(theta), base)
    assert ours.theta.shape == theta.shape and ours.theta.dtype == np.float64
    assert (np.abs(ours.theta - theta) <= off * (ours.theta + mixed * unmixed)).all()
    assert ours.scale == scale  # by the same operations in float64


# Claims about `lib`, the names of ropebook/extension.py.


def linear_is_transformers(lib):
    for d, base, factor, length in GRID:
        agree(lib.interpolated(d, base, factor), theirs("linear", d, base, length, factor=factor), base)


def dynamic_is_transformers(lib):
    for d, base, factor, length in GRID:
        for current in (1, length, length + 1, 2 * length, int(factor * length)):
            stretched = base * max(factor * current / length - (factor - 1), 1.0) ** (d / (d - 2))
            found = theirs("dynamic", d, base, length, seq_len=current, factor=factor)
            agree(lib.dynamic_ntk(d, base, factor, length, current), found, stretched)


def yarn_code_is_transformers(lib):
    """Without `mscale` and with `truncate`, as by default: DeepSeek sets the one, gpt-oss unsets the other.

    No text here is so short that even the fastest pair makes fewer than `slow` turns: then transformers keeps every pair, ours none.
    """
    for d, base, factor, length in GRID:
        agree(lib.yarn_code(d, base, factor, length), theirs("yarn", d, base, length, factor=factor), base, mixed=1)
        for slow, fast in TURNS:
            found = theirs("yarn", d, base, length, factor=factor, beta_slow=slow, beta_fast=fast)
            agree(lib.yarn_code(d, base, factor, length, slow, fast), found, base, mixed=1)


def llama3_is_transformers(lib):
    for d, base, factor, length in GRID:
        for slow, fast in TURNS:
            found = theirs("llama3", d, base, length, factor=factor, low_freq_factor=slow, high_freq_factor=fast)
            agree(lib.llama3(d, base, factor, length, slow, fast), found, base, mixed=fast / (fast - slow))
    found = theirs("llama3", 128, 500_000.0, 8192, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)  # Llama 3.1's own numbers
    agree(lib.llama3(128, 500_000.0, 8.0, 8192), found, 500_000, mixed=4 / 3)


def longrope_is_transformers(lib):
    for d, base, factor, length in GRID:
        short, long = np.linspace(1, 1.5, d // 2), np.geomspace(1, 60, d // 2)
        lists = {"short_factor": short.tolist(), "long_factor": long.tolist()}
        for seq_len, divisors in ((length, short), (length + 1, long)):
            found = theirs("longrope", d, base, length, seq_len=seq_len, factor=factor, **lists)
            agree(lib.longrope(d, base, divisors, factor, length), found, base)


def proportional_is_transformers(lib):
    for d, base, _, length in GRID:
        for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0):
            agree(lib.proportional(d, base, share), theirs("proportional", d, base, length, partial_rotary_factor=share), base)


def pi_divides_every_position(lib):
    """θ/s at position m turns as θ at m/s; exact, for 8 is a power of two."""
    np.testing.assert_array_equal(lib.interpolated(128, 10_000, 8).theta, frequencies(128) / 8)
    assert lib.interpolated(128, 10_000, 8).scale == 1


def ntk_slows_the_slowest_alone_by_the_whole_factor(lib):
    """b' = b·s^(D/(D−2)): 82,685 for D = 128, s = 8, as published. A power is off by ln b' + 2 roundings, the 64th by 64 times that."""
    for d, base, factor, _ in GRID:
        slowed, theta = lib.ntk_aware(d, base, factor).theta, frequencies(d, base)
        assert slowed[0] == theta[0] == 1 and lib.ntk_aware(d, base, factor).scale == 1
        assert abs(slowed[-1] * factor / theta[-1] - 1) <= 4 * EPS * (math.log(base * factor) + 4)
        assert factor == 1 or (np.diff(slowed / theta) < 0).all()  # the slower, the more
    assert round(lib.ntk_aware(128, 10_000, 8).theta[1] ** -64) == 82_685


def rebased_is_another_base(lib):
    np.testing.assert_array_equal(lib.rebased(128, 500_000).theta, frequencies(128, 500_000))
    np.testing.assert_array_equal(lib.unchanged(128).theta, frequencies(128, 10_000))
    assert lib.rebased(128, 500_000).scale == lib.unchanged(128).scale == 1


def parts_keep_the_fast_and_interpolate_the_slow(lib):
    """By hand, at a length at which pair 1 of base 10⁴, D = 4 (θ = 0.01) has turned r times: γ = (r − 1)/31."""
    for turns, kept in [(0.5, 0), (1, 0), (16.5, 0.5), (32, 1), (200, 1)]:
        theta = lib.by_parts(4, 10_000, 8, 2 * math.pi * turns / 0.01).theta
        np.testing.assert_allclose(theta, [1, 0.01 * (kept + (1 - kept) / 8)], rtol=40 * EPS)  # γ's rounding, 33/31 at most, times 8
    turned = 4096 * frequencies(128) / (2 * math.pi)
    slowing = frequencies(128) / lib.by_parts(128, 10_000, 8, 4096).theta
    assert ((turned < 1).sum(), (turned > 32).sum()) == (18, 21)
    np.testing.assert_allclose(slowing[turned < 1], 8, rtol=4 * EPS)
    np.testing.assert_allclose(slowing[turned > 32], 1, rtol=4 * EPS)
    assert ((slowing > 1.001) & (slowing < 7.999)).sum() == 25


def llama3_is_by_parts(lib):
    """With 1 and 4 turns. The shares round differently, r by 4 EPS and so γ by under 8 · 4/3."""
    for d, base, factor, length in GRID:
        ours, parts = lib.llama3(d, base, factor, length), lib.by_parts(d, base, factor, length, slow=1, fast=4)
        assert (np.abs(ours.theta - parts.theta) <= EPS * (4 * ours.theta + 12 * frequencies(d, base))).all()
        assert ours.scale == parts.scale == 1


def yarns_code_is_not_its_paper(lib):
    """PAPER: D = 128, base 10⁴, L = 4096, s = 8: pair 36 keeps 0.46 of its speed in code, 0.20 on paper, 2.3 times less. Printed digits."""
    theta = frequencies(128)
    paper, code = lib.yarn_paper(128, 10_000, 8, 4096), lib.yarn_code(128, 10_000, 8, 4096)
    ratio = code.theta / paper.theta
    assert (round(code.theta[36] / theta[36], 2), round(paper.theta[36] / theta[36], 2)) == (0.46, 0.20)
    assert ratio.argmax() == 36 and round(ratio.max(), 1) == 2.3
    assert np.flatnonzero(code.theta < theta * (1 - 1e-9))[[0, -1]].tolist() == [21, 63]  # pair 20 is the last one kept whole,
    assert np.flatnonzero(code.theta > theta / 8 * (1 + 1e-9))[-1] == 45  # pair 46 the first one interpolated
    np.testing.assert_array_equal(paper.theta, lib.by_parts(128, 10_000, 8, 4096).theta)


def yarn_sharpens(lib):
    """√(1/t) = 0.1 ln s + 1 on cosines and sines: 1.2079 for s = 8, 1.3466 for 32; logits get its square."""
    for function in (lib.yarn_paper, lib.yarn_code):
        assert [round(function(128, 10_000, s, 4096).scale, 4) for s in (1, 8, 32)] == [1, 1.2079, 1.3466]


def dynamic_changes_nothing_up_to_the_length(lib):
    """Exactly; s·L/L − (s − 1) rounds below 1 for s = 27/7, L = 1070. Beyond, s·L tokens ask for 1 + s·(s − 1)."""
    for factor in (1, 1.1, 27 / 7, 8):
        for length in (1070, 4096):
            for current in (1, length - 1, length):
                np.testing.assert_array_equal(lib.dynamic_ntk(128, 10_000, factor, length, current).theta, frequencies(128))
    np.testing.assert_array_equal(lib.dynamic_ntk(128, 10_000, 8, 4096, 8 * 4096).theta, lib.ntk_aware(128, 10_000, 57).theta)


def with_factor(lib, d, base, factor, length):
    """Every method that takes a factor; LongRoPE's divisors come from outside and are left out."""
    methods = [lib.by_parts, lib.yarn_paper, lib.yarn_code, lib.llama3]
    return [lib.interpolated(d, base, factor), lib.ntk_aware(d, base, factor), *(method(d, base, factor, length) for method in methods)]


def factor_1_changes_nothing(lib):
    """But for a mix's rounding, and for two: dynamic NTK stretches by s·current/L − (s − 1), at s = 1 by current/L, and LongRoPE still
    divides, its scale alone is 1. A new base and p-RoPE have no factor."""
    for d, base, _, length in GRID:
        np.testing.assert_array_equal(lib.dynamic_ntk(d, base, 1, length, 4 * length).theta, lib.ntk_aware(d, base, 4).theta)
        for spectrum in with_factor(lib, d, base, 1, length):
            np.testing.assert_allclose(spectrum.theta, frequencies(d, base), rtol=4 * EPS)
            assert spectrum.scale == 1
        assert lib.longrope(d, base, np.full(d // 2, 2.0), 1, length).scale == 1
        np.testing.assert_array_equal(lib.longrope(d, base, np.full(d // 2, 2.0), 1, length).theta, frequencies(d, base) / 2)


def nothing_is_sped_up_or_slowed_by_more_than_the_factor(lib):
    """θ/s ≤ θ' ≤ θ, within a mix's rounding, and the power's for NTK."""
    for d, base, factor, length in GRID:
        theta, near = frequencies(d, base), 1 + 4 * EPS * (math.log(base * factor) + 4)
        for spectrum in with_factor(lib, d, base, factor, length):
            assert (spectrum.theta <= theta * near).all() and (spectrum.theta * near >= theta / factor).all() and spectrum.scale >= 1
        assert (0 < lib.dynamic_ntk(d, base, factor, length, 3 * length).theta).all()
        assert (lib.dynamic_ntk(d, base, factor, length, 3 * length).theta <= theta).all()
        assert (lib.rebased(d, 2 * base).theta <= theta).all() and (lib.rebased(d, 2 * base).theta > 0).all()


def p_rope_stills_the_slow_pairs(lib):
    """0.25 of 64 pairs: 16 turn as before, 48 do not turn. Half of 5 pairs is 2."""
    spectrum = lib.proportional(128, 10_000, 0.25)
    np.testing.assert_array_equal(spectrum.theta[:16], frequencies(128)[:16])
    assert not spectrum.theta[16:].any() and spectrum.scale == 1
    assert [np.count_nonzero(lib.proportional(10, 10_000, share).theta) for share in (0, 0.19, 0.2, 0.5, 0.99, 1)] == [0, 0, 1, 2, 4, 5]


def bad_input_is_refused(lib):
    takes = [lib.by_parts, lib.yarn_paper, lib.yarn_code, lib.llama3]
    for factor in (0.5, 0, -2, math.nan, math.inf):
        calls = [lambda: lib.interpolated(8, 1e4, factor), lambda: lib.ntk_aware(8, 1e4, factor), lambda: lib.dynamic_ntk(8, 1e4, factor, 10, 20),
                 lambda: lib.longrope(8, 1e4, np.ones(4), factor, 10), *(lambda method=method: method(8, 1e4, factor, 10) for method in takes)]  # fmt: skip
        for call in calls:
            refuse(call, "factor must be", "at least 1", str(factor))
    for length in (1, 0, -5, math.nan):
        calls = [lambda: lib.dynamic_ntk(8, 1e4, 2, length, 20), lambda: lib.longrope(8, 1e4, np.ones(4), 2, length),
                 *(lambda method=method: method(8, 1e4, 2, length) for method in takes)]  # fmt: skip
        for call in calls:
            refuse(call, "length must be", "at least 2", str(length))
    for method in takes:
        for slow, fast in ((4, 4), (5, 2), (0, 4), (-1, 4)):
            refuse(lambda: method(8, 1e4, 2, 10, slow, fast), "slow must be", str(slow), str(fast))
    refuse(lambda: lib.ntk_aware(2, 1e4, 2), "head_dim", "at least 4", "2")
    refuse(lambda: lib.interpolated(7, 1e4, 2), "even", "7")
    refuse(lambda: lib.rebased(8, -1), "base", "-1")
    refuse(lambda: lib.longrope(8, 1e4, np.ones(3), 2, 10), "4 positive", "(3,)")
    for worst in (0.0, -2.0, math.nan):
        refuse(lambda: lib.longrope(8, 1e4, [1, 1, worst, 1], 2, 10), "4 positive", "smallest", str(worst))
    for share in (-0.1, 1.1, math.nan):
        refuse(lambda: lib.proportional(8, 1e4, share), "between 0 and 1", str(share))


CLAIMS = [linear_is_transformers, dynamic_is_transformers, yarn_code_is_transformers, llama3_is_transformers, longrope_is_transformers,
          proportional_is_transformers, pi_divides_every_position, ntk_slows_the_slowest_alone_by_the_whole_factor, rebased_is_another_base,
          parts_keep_the_fast_and_interpolate_the_slow, llama3_is_by_parts, yarns_code_is_not_its_paper, yarn_sharpens,
          dynamic_changes_nothing_up_to_the_length, factor_1_changes_nothing, nothing_is_sped_up_or_slowed_by_more_than_the_factor,
          p_rope_stills_the_slow_pairs, bad_input_is_refused]  # fmt: skip
SOURCE = Path(extension.__file__)
MUTANTS = [
    ("frequencies(head_dim, base) / factor", "frequencies(head_dim, base) * factor"),
    ("factor ** (head_dim / (head_dim - 2))", "factor"),  # the slowest pair slowed by less
    ("factor ** (head_dim / (head_dim - 2))", "factor ** ((head_dim - 2) / head_dim)"),
    ("1 + factor * (max(current, length) / length - 1)", "factor * max(current, length) / length"),
    ("1 + factor * (max(current, length) / length - 1)", "factor * max(current, length) / length - (factor - 1)"),  # falls below 1 by rounding
    ("max(current, length)", "current"),
    ("length * theta / (2 * np.pi) - slow", "length * theta - slow"),  # radians for turns
    ("- slow) / (fast - slow), 0, 1)", "- slow) / fast, 0, 1)"),
    ("(length * theta / (2 * np.pi) - slow) / (fast - slow), 0, 1)", "(length * theta / (2 * np.pi) - slow) / (fast - slow), 0, None)"),
    ("slow, fast).theta, 0.1 * math.log(factor) + 1)", "slow, fast).theta)"),  # the temperature forgotten
    ("slow, fast).theta, 0.1 * math.log(factor) + 1)", "slow, fast).theta, (0.1 * math.log(factor) + 1) ** 2)"),
    ("kept), 0.1 * math.log(factor) + 1)", "kept), 0.1 * math.log2(factor) + 1)"),
    ("/ (2 * math.log(base))", "/ math.log(base)"),
    ("math.floor(index(fast))", "index(fast)"),  # not truncated
    ("math.ceil(index(slow))", "math.floor(index(slow))"),
    ("max(math.floor(index(fast)), 0)", "math.floor(index(fast))"),
    (", head_dim - 1)", ", head_dim)"),
    ("kept = 1 - np.clip", "kept = np.clip"),
    ("max(last - first, 1)", "(last - first)"),
    ("fast=4.0", "fast=32.0"),
    ("wavelength > length / slow", "wavelength > length / fast"),
    ("smooth = (length / wavelength - slow)", "smooth = (wavelength / length - slow)"),
    ("theta / divisors", "theta * divisors"),
    ("1 + math.log(factor) / math.log(length)", "1 + math.log(factor) / math.log(length * factor)"),
    ("int(share * head_dim // 2)", "int(share * head_dim)"),
    ("int(share * head_dim // 2)", "round(share * head_dim / 2)"),
    ("theta, 0.0)", "theta, theta[-1])"),  # slow instead of still
    ("(1 - kept) * theta / factor + kept * theta", "theta / ((1 - kept) * factor + kept)"),  # wavelengths mixed instead
    ("value >= least", "value > least"),
    ("not 0 < slow < fast", "not 0 < slow"),
    ("not (divisors > 0).all()", "(divisors <= 0).any()"),  # NaN passes
    ("not 0 <= share <= 1", "share < 0 or share > 1"),
    ("if head_dim <= 2:", "if head_dim < 2:"),
    ("of at least {least}, got {value}", "of at least {least}"),
]  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim_holds(claim):
    claim(extension)


@pytest.mark.parametrize("old, new", MUTANTS, ids=[new for _, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(SimpleNamespace(**mutated(SOURCE, old, new)), CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    """The harness itself breaks nothing: an edit that changes no meaning fails no claim."""
    assert failures(SimpleNamespace(**mutated(SOURCE, "theta, 0.0)", "theta, 0)")), CLAIMS) == []

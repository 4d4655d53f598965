"""Scores against distance: the waves, the paper's Figure 2, and what the bound is worth, on our code and on broken copies."""

import cmath
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mutation import failures, mutated
from rotation_claims import EPS, normal, refuse, rounding

from ropebook import decay, frequencies, rotate
from ropebook.checks import ch10

D = 128
THETA = frequencies(D)
SOMEWHERE = np.array([0, 1, 2, 7, 10, 100, 333, 1000, 10_000, 100_000])
# The curve of J. Su's listing (kexue.fm/archives/8265), 1/64 Σ_{j=0}^{63} |Σ_{i=0}^{j} e^{imθ_i}|, at offsets up to 256; then beyond.
FIGURE_2 = {0: "32.5", 1: "31.54", 5: "20.85", 10: "17.95", 20: "15.24", 50: "12.63", 100: "10.23", 200: "7.24", 256: "6.54",
            1000: "4.47", 1001: "4.82", 10_000: "3.86", 29_999: "6.76", 30_000: "5.30", 733_995: "15.28", 1_000_000: "8.34"}  # fmt: skip


# Claims about `lib`, the names of ropebook/decay.py.


def scores_are_those_of_rotated_rows(lib):
    """Within the rounding of two turned rows and of one wave, at positions whose difference is the distance; not divided by √D."""
    q, k = normal(2, 50, D, seed=1)
    lengths = np.linalg.norm(q, axis=1) * np.linalg.norm(k, axis=1)
    for m, n in ((0, 0), (3, 0), (0, 3), (2000, 1), (7, 100_000)):
        turned = (rotate(q, np.full(50, m), THETA) * rotate(k, np.full(50, n), THETA)).sum(-1)
        got = lib.scores(lib.pair_products(q, k), [m - n], THETA)
        assert got.shape == (50, 1) and got.dtype == np.float64
        assert (np.abs(got[:, 0] - turned) <= lengths * (rounding(D, m + n) + rounding(D, abs(m - n)))).all(), (m, n)


def products_by_hand(lib):
    """(1 + 2i)(3 − 4i) = 11 + 2i, exactly; leading axes pass through and broadcast."""
    np.testing.assert_array_equal(lib.pair_products([1, 2, 0, 1], [3, 4, 1, 0]), [11 + 2j, 1j])
    assert lib.pair_products(np.ones((2, 1, 8)), np.ones((3, 8))).shape == (2, 3, 4)


def leading_axes_pass_through(lib):
    """One distance at a time and one h at a time give what all of them together give, within their rounding."""
    h = lib.pair_products(*normal(2, 2, 3, 8, seed=2))  # (2, 3, D/2)
    theta, size = frequencies(8), np.abs(h).sum(-1)
    for function in (lib.scores, lib.abel_bound):
        whole = function(h, SOMEWHERE, theta)
        assert whole.shape == (2, 3, len(SOMEWHERE))
        one = function(h[1, 2], SOMEWHERE[3:4], theta)
        np.testing.assert_allclose(one[0], whole[1, 2, 3], rtol=0, atol=20 * EPS * 10 * size[1, 2])
    assert lib.trivial_bound(h).shape == (2, 3)


def partial_sums_are_sums_of_the_first_waves(lib):
    """By loops. S_j has j waves, each off by its angle's rounding and 3 EPS, and j sums of at most j."""
    sums = lib.partial_sums(SOMEWHERE, THETA)
    assert sums.shape == (len(SOMEWHERE), D // 2)
    for m, row in zip(SOMEWHERE, sums):
        for j in (1, 2, 3, 33, 64):
            by_hand = sum(cmath.exp(1j * int(m) * speed) for speed in THETA[:j])
            assert abs(row[j - 1] - by_hand) <= 2 * EPS * j * (m + 2 * j + 3), (m, j)


def figure_2(lib):
    """To half a unit of the last digit."""
    for m, printed in FIGURE_2.items():
        digits = len(printed.split(".")[1])
        assert abs(lib.mean_partial_sum([m], THETA)[0] - float(printed)) <= 0.5 * 10.0**-digits, m


def figure_2_rises_115_times(lib):
    """Of 256 steps; the smallest is 0.003, far above rounding."""
    steps = np.diff(lib.mean_partial_sum(np.arange(257), THETA))
    assert (steps > 0).sum() == 115 and np.abs(steps).min() > 0.002


def no_score_is_above_a_bound(lib):
    """For random, ramped and constant h. A sum of D/2 waves is off by its angles' rounding and D/2 + 4 more; that of S by D times it."""
    h = np.concatenate([lib.pair_products(*normal(2, 200, D, seed=3)), [np.arange(64.0, 0, -1), np.ones(64), np.full(64, 1 - 2j)]])
    for at in (SOMEWHERE, np.arange(2000)):
        score, off = np.abs(lib.scores(h, at, THETA)), EPS * (at + D + 4)
        trivial = lib.trivial_bound(h)[:, None]
        assert (score <= trivial * (1 + off)).all()
        assert (score <= lib.abel_bound(h, at, THETA) + trivial * D * off).all()


def bounds_are_reached(lib):
    """Where all waves are in step: at distance 0 the trivial one by h ≥ 0, Abel's by a ramp; everywhere both, by a single pair."""
    ramp = np.arange(64.0, 0, -1)
    bounds = lib.trivial_bound(ramp), lib.abel_bound(ramp, [0], THETA)[0]
    np.testing.assert_allclose(bounds, lib.scores(ramp, [0], THETA)[0], rtol=2 * D * EPS)
    np.testing.assert_allclose(lib.trivial_bound(np.array([3 - 4j])), 5, rtol=4 * EPS)
    aligned = 5 * np.exp(-1j * SOMEWHERE)[:, None]  # the wave at each distance brings it back to 5
    for h, m in zip(aligned, SOMEWHERE):
        got = lib.scores(h, [m], [1.0])[0], lib.abel_bound(h, [m], [1.0])[0]
        np.testing.assert_allclose(got, 5, rtol=2 * EPS * (m + 8))


def a_ramp_gives_figure_2(lib):
    """h_i = 1 − 2i/D has steps of 2/D, also the last: Abel's bound is the curve, and of the trivial one, 32.5, its share of 32.5."""
    ramp = np.arange(64.0, 0, -1) / 64
    curve = lib.mean_partial_sum(SOMEWHERE, THETA)
    np.testing.assert_allclose(lib.abel_bound(ramp, SOMEWHERE, THETA), curve, rtol=4 * D * EPS)
    assert lib.trivial_bound(ramp) == 32.5 and abs(curve[0] - 32.5) <= 32.5 * D * EPS


def random_words_have_an_empty_bound(lib):
    """Abel's is the larger for all of 2,000, 151 to 18 times on average; it is a product, so this holds at every distance to 10,000."""
    h = lib.pair_products(*np.random.default_rng(0).standard_normal((2, 2000, D)))
    abel, trivial = lib.abel_bound(h, [0, 10_000], THETA), lib.trivial_bound(h)
    np.testing.assert_allclose(abel.mean(axis=0) / trivial.mean(), [151, 18], rtol=0, atol=0.5)
    curve = lib.mean_partial_sum(np.arange(10_001), THETA)
    assert (abel[:, 0] / trivial).min() * curve.min() / curve[0] > 1


def matching_words_score_twice_the_cosines(lib):
    """The mean over n draws: |q_i|² has variance 4, so Σ |q_i|² cos is off by 2 √(Σ cos²/n), times 5."""
    q = np.random.default_rng(4).standard_normal((4000, D))
    at = np.array([0, 10, 100, 1000, 5000])
    cosines = np.cos(np.outer(at, THETA))
    off = 5 * 2 * np.sqrt((cosines**2).sum(-1) / len(q))
    assert (np.abs(lib.scores(lib.pair_products(q, q), at, THETA).mean(axis=0) - 2 * cosines.sum(-1)) <= off).all()


def likeness_first_crosses_zero(lib):
    """For base 10000, at a distance from 0 of 0.06 and more, far above rounding."""
    for width, first in {32: 474, 64: 725, 128: 1707, 256: 2653}.items():
        sums = lib.scores(np.ones(width // 2), np.arange(first + 1), frequencies(width))
        assert sums[first] < -0.06 and sums[:first].min() > 0.06, width


def bad_input_is_refused(lib):
    refuse(lambda: lib.pair_products(np.ones(8), np.ones(6)), "(8,)", "(6,)")
    refuse(lambda: lib.pair_products(np.ones(7), np.ones(7)), "even", "(7,)")
    refuse(lambda: lib.pair_products(np.ones(()), np.ones(2)), "()")
    for function in (lib.scores, lib.abel_bound):
        refuse(lambda: function(np.ones(3), [0], THETA), "64", "(3,)")
        refuse(lambda: function(np.ones((64, 1)), [0], THETA), "64", "(64, 1)")
        refuse(lambda: function(np.float64(1), [0], THETA), "64", "()")
        refuse(lambda: function(np.ones(64), [np.nan], THETA), "nan")
    for function in (lib.partial_sums, lib.mean_partial_sum):
        refuse(lambda: function(3, THETA), "()")
        refuse(lambda: function([3], THETA[None]), "(1, 64)")
        refuse(lambda: function([np.inf], THETA), "inf")


CLAIMS = [scores_are_those_of_rotated_rows, products_by_hand, leading_axes_pass_through, partial_sums_are_sums_of_the_first_waves, figure_2,
          figure_2_rises_115_times, no_score_is_above_a_bound, bounds_are_reached, a_ramp_gives_figure_2, random_words_have_an_empty_bound,
          matching_words_score_twice_the_cosines, likeness_first_crosses_zero, bad_input_is_refused]  # fmt: skip
SOURCE = Path(decay.__file__)

MUTANTS = [
    ("* as_complex(k).conj()", "* as_complex(k)"),
    ("return as_complex(q) * as_complex(k).conj()", "return as_complex(q).conj() * as_complex(k)"),  # the sign of the distance
    ("x[..., 0::2] + 1j * x[..., 1::2]", "x[..., : x.shape[-1] // 2] + 1j * x[..., x.shape[-1] // 2 :]"),  # half-split
    ("x[..., 0::2] + 1j", "x[..., 0::2] - 1j"),
    ("q.shape[-1] % 2:", "q.shape[-1] % 1:"),  # odd widths pass
    ("q.shape[-1:] != k.shape[-1:]", "False"),
    ("return (h @ waves.T).real", "return (h @ waves.T).imag"),
    ("return (h @ waves.T).real", "return np.abs(h @ waves.T)"),
    ("return (h @ waves.T).real", "return (h @ waves.T).real / np.sqrt(2 * waves.shape[-1])"),
    ("waves = np.exp(1j * angles(distances, theta))", "waves = np.exp(-1j * angles(distances, theta))"),
    ("np.cumsum(np.exp(1j", "np.cumsum(np.exp(1"),  # no sum of waves
    ("np.cumsum(np.exp(1j * angles(distances, theta)), axis=-1)", "np.cumsum(np.exp(1j * angles(distances, theta)), axis=0)"),
    ("np.cumsum(np.exp(1j * angles(distances, theta)), axis=-1)", "np.cumsum(np.exp(1j * angles(distances, theta[::-1])), axis=-1)"),
    ("axis=-1, append=0", "axis=-1"),  # the last difference forgotten
    ("append=0", "prepend=0"),
    ("append=0)).max(axis=-1)", "append=0)).mean(axis=-1)"),
    ("np.abs(sums).sum(axis=-1)", "np.abs(sums).mean(axis=-1)"),
    ("np.abs(sums).sum(axis=-1)", "np.abs(sums[:, :-1]).sum(axis=-1)"),  # S_{D/2} dropped
    ("np.abs(sums).sum(axis=-1)", "np.abs(sums.sum(axis=-1))"),
    ("return np.abs(h).sum(axis=-1)", "return np.abs(h.sum(axis=-1))"),
    ("return np.abs(h).sum(axis=-1)", "return np.linalg.norm(h, axis=-1)"),
    ("theta)).mean(axis=-1)", "theta)).sum(axis=-1)"),
    ("np.abs(partial_sums(distances, theta)).mean(axis=-1)", "np.abs(partial_sums(distances, theta)[:, 1:]).mean(axis=-1)"),
    ("if np.shape(h)[-1:] != waves.shape[-1:]:", "if False:"),
    ("got shape {np.shape(h)}", "got another"),
]  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim_holds(claim):
    claim(decay)


@pytest.mark.parametrize("old, new", MUTANTS, ids=[new for _, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(SimpleNamespace(**mutated(SOURCE, old, new)), CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    """The harness itself breaks nothing: an edit that changes no meaning fails no claim."""
    assert failures(SimpleNamespace(**mutated(SOURCE, "append=0)).max(", "append=0.0)).max(")), CLAIMS) == []


@pytest.mark.parametrize("length, d", [*ch10.LENGTHS, ch10.LONG])
def test_the_checker_of_10_4_knows_its_bases(length, d):
    """With a first base that keeps all sums above 0 by 0.05, and each before it below 0 by as much: float32 would do."""
    least = lambda base: np.cos(np.outer(np.arange(length), frequencies(d, base))).sum(axis=1).min()
    right = ch10.smallest_base(length, d)
    assert least(right) > 0.05 and (right == 10 or least(right / 10) < -0.05)


def test_what_the_praise_of_10_4_says():
    first = np.array([ch10.first_at_most_zero(64, 10.0**e, 100_000) for e in range(2, 9)])
    steps = first[1:] / first[:-1]
    assert [round(step, 1) for step in (steps.min(), steps.max())] == [1.7, 7.3]


@pytest.mark.parametrize("base, r, s", ch10.PEAKS)
def test_the_queries_of_10_3_peak_where_the_statement_says(base, r, s):
    """Keys of the checker's own draw: the sum of two turned keys is 0.05 |q||k| higher at r and s than at 0 and halfway."""
    rng = np.random.default_rng(103)
    k = rng.standard_normal((len(ch10.PEAKS), 64))[ch10.PEAKS.index((base, r, s))]
    query = rotate(np.stack([k, k]), [-r, -s], frequencies(64, base)).sum(axis=0)
    at = decay.scores(decay.pair_products(query, k), [r, s, 0, (r + s) / 2], frequencies(64, base))
    at /= np.linalg.norm(query) * np.linalg.norm(k)
    assert abs(at[0] - at[1]) <= 2 * rounding(64, s) and at[0] > at[2:].max() + 0.05

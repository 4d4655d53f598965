"""Numbers that checkers know by heart, counted again here by brute force."""

from fractions import Fraction
from itertools import permutations

import mpmath
import numpy as np
import sympy as sp
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from ropebook.attention import attention
from ropebook.checks import ch01, ch02, ch04_boxes, ch07_layers, ch07b, ch09, ch09_boxes, ch12, ch12_configurations
from ropebook.encodings import ENCODINGS, random_weights
from ropebook.exercises import judge
from ropebook.frequencies import frequencies


def count(vectors):
    """How many of the vectors differ by more than rounding."""
    return len(np.unique(np.round(vectors, 9), axis=0))


def test_1_2_orders_told_apart():
    rng = np.random.default_rng(5)
    words, head = rng.standard_normal((4, 8)), rng.standard_normal((3, 8, 8)) / np.sqrt(8)
    texts = [words[list(order)] for order in sorted(set(permutations([0, 1, 2, 3, 0])))]  # the dog bites man the

    def stack(x, layers, causal):
        for _ in range(layers):
            x = x + attention(*(x @ w.T for w in head), causal=causal)
        return x

    assert len(texts) == 60
    for layers in (1, 2, 3):
        assert count([stack(x, layers, causal=False).mean(0) for x in texts]) == 1
    counted = 1, *(count([stack(x, layers, causal=True)[-1] for x in texts]) for layers in (1, 2))
    assert judge("1.2", counted).state == "right"


def test_1_4_first_confusion():
    """Confusions near each other and in other formats, with casts one by one; bfloat16, which NumPy lacks, from PyTorch."""
    half = next(m for m in range(1, 10**5) if np.float16(1 / m) == np.float16(1 / (m + 1)))
    assert judge("1.4", half).state == "right"
    brain = next(m for m in range(1, 10**5) if torch.equal(*(torch.tensor(1 / k, dtype=torch.float64).bfloat16() for k in (m, m + 1))))
    assert "bfloat16" in judge("1.4", brain).message
    single = int(ch01._confused(np.float32)[0])
    assert np.float32(1 / single) == np.float32(1 / (single + 1)) and "single precision" in judge("1.4", single).message


def test_1_5_boxes_are_what_they_are_said_to_be():
    rng = np.random.default_rng(1)
    for name, f, blind, _ in ch01.BOXES:
        gaps = []
        for T, C in ((1, 1), (1, 3), (2, 1), (2, 4), (3, 2), (5, 8), (9, 3), (40, 6)):
            x, order = rng.standard_normal((T, C)), rng.permutation(T)
            out = f(x.copy())
            assert out.shape[0] == T and out.ndim == 2 and np.isfinite(out).all(), name
            gaps.append(np.abs(f(x[order]) - out[order]).max())
        assert max(gaps) < 1e-10 if blind else max(gaps) > 0.005, (name, gaps)


def test_2_2_the_product_itself():
    m, n, r, theta = sp.symbols("m n r theta", real=True)
    p = lambda at: sp.Matrix([sp.sin(at * theta), sp.cos(at * theta)])
    product = (p(m).T * sp.Matrix([[0, 1], [-1, 0]]) * p(n))[0]
    assert sp.simplify(product - sp.sin((m - n) * theta)) == 0
    assert judge("2.2", product.subs({m: r, n: 0})).state == "right"


def test_2_5_keys_that_can_be_stored():
    """Scores of 60 words have rank D for the four, and more for the others; Transformer-XL's have rank C + D."""
    rng = np.random.default_rng(3)
    for C, D in ((8, 8), (8, 4)):
        w = random_weights(rng, width=C, head_dim=D, longest=64, reach=6)
        x, m = rng.standard_normal((60, C)), np.arange(60)
        rank = {name: np.linalg.matrix_rank(encoding(x, x, m, m, w)) for name, encoding in ENCODINGS.items()}
        assert judge("2.5", {name for name in rank if rank[name] <= D}).state == "right"
        assert rank["Transformer-XL"] <= C + D


def test_2_6_boxes_are_what_they_are_said_to_be():
    rng = np.random.default_rng(1)
    assert len({name for name, *_ in ch02.BOXES}) == len(ch02.BOXES) >= len(ENCODINGS) + 10
    for name, scores, alone, _ in ch02.BOXES:
        moved = []
        for _ in range(300):
            x, m, shift = rng.standard_normal((6, 8)), rng.integers(0, 21, 6), rng.integers(1, 21)
            handed = x.copy(), m.copy()
            before, after = scores(x, m), scores(x, m + shift)
            assert before.shape == (6, 6) and np.array_equal(x, handed[0]) and np.array_equal(m, handed[1]), name
            moved.append(np.abs(after - before).max())
        assert max(moved) < 1e-10 if alone else max(moved) > 0.3, (name, max(moved))


def test_what_the_praise_says():
    assert [round(np.log(1000) / slope) for slope in (1 / 2, 1 / 256)] == [14, 1768]
    assert np.finfo(np.float16).nmant + 1 == 11


def test_4_3_traces_of_rotations_in_space():
    rng = np.random.default_rng(3)
    for theta in (0.0, 0.4, 1.9, np.pi):
        P, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        G = np.eye(3)
        G[:2, :2] = [[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]]
        t = np.trace(P @ G @ P.T)
        assert abs(np.arccos(np.clip((t - 1) / 2, -1, 1)) - theta) < 1e-7


def test_4_5_boxes_turn_planes_and_their_spectra_come_from_traces():
    """Powers of G have traces 2 sum cos(n theta), in any basis: counted here without an eigenvalue."""
    for name, G, theta, _ in ch04_boxes.TURNERS:
        assert np.abs(G.T @ G - np.eye(len(G))).max() < 1e-12 and np.linalg.det(G) > 0, name
        assert len(theta) == len(G) / 2 and (np.diff(theta) >= 0).all() and theta.min() >= 0 and theta.max() <= np.pi, name
        for n in range(1, len(G) + 1):  # as many as there are unknowns
            assert abs(np.trace(np.linalg.matrix_power(G, n)) - 2 * np.cos(n * theta).sum()) < 1e-9, name


def test_4_6_no_case_is_on_the_edge():
    """What the statement promises: off the circle by 1 % or more, or bounded by 100, or far beyond it after 1000 steps."""
    for name, G, bounded, _ in ch04_boxes.POWERS:
        off = np.abs(np.abs(np.linalg.eigvals(G)) - 1).max()
        assert off < 1e-6 or off > 0.0099, name
        if abs(np.linalg.det(G)) < 1e-12:
            assert not bounded, name
            continue
        both = [np.linalg.norm(np.linalg.matrix_power(G, sign * n), 2) for sign in (1, -1) for n in (*range(1, 300), 1000)]
        assert max(both) < 50 if bounded else max(both) > 500, (name, max(both))


def test_7_5_layers_are_what_they_are_said_to_be():
    """Rows moved together, spread, and left alone, at 40 places each: gaps of rounding, or of a hundredth at least."""
    draw = torch.Generator().manual_seed(1)
    number = lambda top, *shape: torch.randint(top, shape, generator=draw)
    for right, layer, about in ch07_layers.LAYERS:
        moved, spread, strayed = [], [], []
        for _ in range(40):
            words = torch.randn(3, 5, 32, generator=draw, dtype=torch.float64)
            at, other = number(1024, 3, 5), number(1024, 5)
            changed = torch.stack([other, *at[1:]])
            here, there = layer(words, at), layer(words, changed)
            assert torch.equal(layer(words, other), layer(words, other.expand(3, 5))), about
            moved.append((here - layer(words, at + number(1024, 3, 1))).abs().max())
            spread.append((here - there)[0].abs().max())
            strayed.append((here - there)[1:].abs().max())
        relative = max(moved) < 1e-11 and min(spread) > 0.01 and max(strayed) < 1e-11
        assert relative or max(moved) > 0.01 or max(spread) < 1e-11 or max(strayed) > 0.01, about  # nothing in between
        assert relative == right, about
    assert sum(not right for right, *_ in ch07_layers.LAYERS) == 10  # as the chapter says


def test_7b_1_first_lost():
    """By counting, where that is short; in float32 and float64 by the numbers around."""
    counted = {torch.bfloat16: 257, torch.float16: 2049, torch.float8_e4m3fn: 17, torch.float8_e5m2: 9}
    for dtype, first in counted.items():
        assert next(n for n in range(1, 5000) if torch.tensor(float(n)).to(dtype).float() != n) == first
    assert np.array_equal(np.arange(2**24 + 1, dtype=np.float32).astype(np.int64), np.arange(2**24 + 1)) and np.float32(2**24 + 1) == 2**24
    assert float(2**53 + 1) == 2**53 and all(float(2**53 - n) == 2**53 - n for n in range(1000))
    counted |= {torch.float32: 2**24 + 1, torch.float64: 2**53 + 1}
    assert judge("7b.1", counted.get).state == "right"


def test_7b_2_float64_is_as_near_as_the_bound_says():
    """Cosines and sines of products in float64, against 40 digits."""
    theta, at = frequencies(64), [1, 127, 4001, 131071, 999_999, 1_000_000]
    angles = torch.tensor(np.outer(at, theta))
    with mpmath.workdps(40):
        exact = [[[f(m * mpmath.mpf(float(speed))) for speed in theta] for m in at] for f in (mpmath.cos, mpmath.sin)]
        for got, right in zip((angles.cos(), angles.sin()), exact):
            bound = ch07b.one_rounding(got, angles, torch.float64)
            assert all(abs(mpmath.mpf(got[t, i].item()) - right[t][i]) <= bound[t, i].item() for t in range(6) for i in range(32))


def test_9_2_reaches_are_those_of_exact_fractions():
    """Positions one by one, in fractions, up to the first that fails; of the three that never fail, every 97th."""
    for tolerance, _, theta in ch09.REACHES:
        right, speeds = ch09.reach(tolerance, theta), theta.astype(np.float32)
        fits = lambda at: all(abs(Fraction(float(np.float32(at) * speed)) - at * Fraction(float(speed))) <= tolerance for speed in speeds)
        assert all(fits(at) for at in range(0, right + 1, 97 if right > 10_000 else 1)) and fits(right)
        assert right == ch09.CAP or not fits(right + 1)


def test_9_4_boxes_are_what_they_are_said_to_be():
    """Right boxes change by less than the 1e-7 that the exercise promises, wrong ones by more than 1e-4 in a hundredth of all draws."""
    rng = np.random.default_rng(9)
    for name, score, invariant, _ in ch09_boxes.BOXES:
        changes = []
        for draw in range(2000):
            q, k = rng.standard_normal((2, 16))
            m, n = (int(10 ** rng.uniform(0, 5)) - 1 for _ in "mn")
            n, s = n if draw % 10 else m, int(10 ** rng.uniform(0, 5.9))
            changes.append(abs(score(q, k, m + s, n + s) - score(q, k, m, n)))
        assert max(changes) < 1e-7 if invariant else np.mean(np.array(changes) > 1e-4) > 0.01, (name, max(changes))


def test_12_1_no_case_is_on_the_edge():
    """Whether full turns are taken off or not, the cases have one answer, and rounding does not decide it; one has a pair just before a turn."""
    just_before = 0
    for theta, length, longer in ch12.ROUNDS:
        seen = (length - 1) * theta
        assert np.abs(seen / ch12.TURN - 1).min() > 1e-4  # float32 is off by 1e-6, and 6.28 for 2π by 5e-4
        beyond = np.arange(length, longer)[:, None] * theta  # (T, D/2)
        expected = ch12.new_angles(theta, length, longer)
        for angle in (beyond, beyond % ch12.TURN):
            assert np.array_equal((seen < ch12.TURN) & (angle > seen).any(axis=0), expected)
        just_before += ((seen < ch12.TURN) & (length * theta > ch12.TURN)).sum()
    assert just_before
    assert ch12.new_angles(frequencies(128), 4096, 4097).sum() == 18  # as the praise says


def test_12_2_the_base_slows_the_pair():
    """Each power is off by a few roundings of its exponent times a logarithm, which is below 200."""
    for i, s, d, b in ch12.BASES:
        slower = frequencies(d, ch12.slowing_base(i, s, d, b))[i]
        assert abs(slower * s / frequencies(d, b)[i] - 1) < 4 * 200 * 2**-53


def test_12_4_speeds_are_those_of_transformers():
    """In single precision: a power is off by its exponent's rounding times ln b and a few more, the ramp by at most four times as much."""
    for d, config in ch12_configurations.CONFIGS:
        longest = int(config.get(ch12_configurations.LENGTH, 4096) * config.get("factor", 1))
        theirs = LlamaRotaryEmbedding(LlamaConfig(hidden_size=d, num_attention_heads=1, max_position_embeddings=longest, rope_parameters=dict(config)))
        ours = ch12_configurations.asked_for(config, d)
        bound = 4 * (np.log(config["rope_theta"]) + 8) * 2**-24 * frequencies(d, config["rope_theta"])
        assert (np.abs(theirs.inv_freq.double().numpy() - ours.theta) <= bound).all(), config
        assert abs(theirs.attention_scaling - ours.scale) < 1e-12, config
    assert {config["rope_type"] for _, config in ch12_configurations.CONFIGS} == {"default", "linear", "llama3", "yarn"}

"""What the displayed equations say, in numbers: both sides at random words and positions, and a mutated side that must differ.

code/authoring/equations.toml names for each equation the test that would fail if it were wrong. SymPy has no part in these:
they read the equation anew. Rounding is bounded by `rounding` of rotation_claims.py, once for each side; that of scores by
the one of encoding_claims.py, which covers both sides.
"""

import cmath
import math
import random
import statistics
from itertools import product

import encoding_claims
import numpy as np
import pytest
import torch
from encoding_claims import HEAD, REACH, WIDTH, number_of_bucket, wave
from rotation_claims import EPS, normal, rounding

from ropebook import encodings, rotation_torch
from ropebook.attention import attention, weights
from ropebook.decay import abel_bound, pair_products, scores
from ropebook.extension import by_parts, interpolated, llama3, ntk_aware, yarn_paper
from ropebook.finetuning import MatcherTrainer, classification_scores, confusion
from ropebook.frequencies import frequencies
from ropebook.layouts import head_rows_to_half_split
from ropebook.linear import feature_map, prefix_summed, quadratic, sides, summed
from ropebook.roformer import Block, CrossAttention, RoFormerConfig
from ropebook.rotation import angles, rotate, rotate_half_split, rotation_matrix, to_half_split, to_interleaved
from ropebook.training import TrainingConfig
from ropebook.translation import END, beam_search, bleu, smoothed_loss

THETA, KAPPA = 0.7, 0.05  # radians per token, growth per token
X, Y = normal(2, 200, 2, seed=1)  # (T, 2) words of the plane
M, N, S = np.random.default_rng(2).integers(-20, 21, size=(3, 200)).astype(float)  # (T,) positions and shifts, tokens
LENGTHS = np.linalg.norm(X, axis=1) * np.linalg.norm(Y, axis=1)
QUARTER = np.array([[0, -1], [1, 0]])  # the turn that multiplies by the imaginary unit


def number(words):
    """Plane vectors (T, 2) as complex numbers (T,)."""
    return words[:, 0] + 1j * words[:, 1]


def turned(words, positions):
    return rotate(words, positions, [THETA])


def off(m, n, speed=THETA):
    """Rounding of one side, for words of length 1 whose angles or exponents are speed · m and speed · n."""
    return rounding(2, speed * (np.abs(m) + np.abs(n)))


def holds(left, right, mutant, bound):
    """The sides agree within the bound everywhere; the mutated right side is somewhere off by far more than rounding."""
    error, gap = np.abs(left - right), np.abs(left - mutant).max()
    assert (error <= bound).all(), f"the sides differ by up to {error.max():.1e}"
    assert gap > 0.1, f"the mutated side differs by {gap:.1e} only"


# ---- chapter 1: order ----------------------------------------------------------------------------

T = 7  # words
WORDS = normal(T, WIDTH, seed=4)  # (T, C)
W_Q, W_K, W_V = normal(3, HEAD, WIDTH, seed=5) / np.sqrt(WIDTH)  # (D, C)
CYCLE = np.roll(np.eye(T), 1, axis=0)  # (T, T), a shuffle that is not its own inverse


def attended(x, causal=False):
    """A(X): the words (T, C) through projections and attention."""
    return attention(x @ W_Q.T, x @ W_K.T, x @ W_V.T, causal)


def mean_rounding(q, k, v, before=0):
    """Rounding of one evaluation of (2), whose q, k and v may have gone through sums of `before` terms and are at most these.

    A score is a sum of D products of two such numbers; an error e of scores multiplies a weight by e^{2e} at most; then come
    an exponential and two sums of T terms.
    """
    score = (np.abs(q) @ np.abs(k).T).max() / np.sqrt(HEAD)
    return EPS * (2 * (HEAD + 2 * before + 3) * score + 2 * T + 8 + before) * np.abs(v).max()


SIZES = [np.abs(WORDS) @ np.abs(w).T for w in (W_Q, W_K, W_V)]
SHUFFLED = 2 * mean_rounding(*SIZES, before=WIDTH)  # bound on the difference of two outputs of `attended`


def test_attention_is_a_weighted_mean_of_the_values():
    """(2): the two sums term by term; without √d it is another mean, and so it is when the last word is left out below."""
    q, k, v = normal(3, T, HEAD, seed=6)

    def loop(root, below=T):
        share = lambda m, n: math.exp(sum(a * b for a, b in zip(q[m], k[n])) / root)
        return [sum(v[n] * share(m, n) for n in range(T)) / sum(share(m, n) for n in range(below)) for m in range(T)]

    for mutant in (loop(1), loop(math.sqrt(HEAD), below=T - 1)):
        holds(attention(q, k, v), loop(math.sqrt(HEAD)), mutant, 2 * mean_rounding(q, k, v))


def test_shuffled_scores_have_rows_and_columns_moved():
    """(1a): S(PX) = P S(X) Pᵀ; not if the columns stay, nor if they are moved back."""
    w, at = encoding_claims.weights(encodings), np.zeros(T)
    scores = lambda x: encodings.nope(x, x, at, at, w)
    bound = encoding_claims.rounding(WORDS, WORDS, w, 0).max()
    for mutant in (CYCLE @ scores(WORDS), CYCLE @ scores(WORDS) @ CYCLE):
        holds(scores(CYCLE @ WORDS), CYCLE @ scores(WORDS) @ CYCLE.T, mutant, bound)


def test_shuffled_words_give_shuffled_outputs():
    """(1b): A(PX) = P A(X); outputs neither stay nor move the other way, and a causal mask breaks it."""
    for mutant in (attended(WORDS), CYCLE.T @ attended(WORDS), CYCLE @ attended(WORDS, causal=True)):
        holds(attended(CYCLE @ WORDS), CYCLE @ attended(WORDS), mutant, SHUFFLED)


def test_the_sum_of_the_outputs_sees_a_bag_of_words():
    """(1c): 1ᵀ A(PX) = 1ᵀ A(X), sums of T numbers; with one word replaced by another it is another sum."""
    lost = CYCLE.copy()
    lost[1] = lost[0]
    sums = lambda x: np.ones(T) @ attended(x)
    bound = T * SHUFFLED + 2 * T * EPS * np.abs(attended(WORDS)).sum(0)
    holds(sums(CYCLE @ WORDS), sums(WORDS), sums(lost @ WORDS), bound)


def test_the_last_word_of_a_causal_layer_sees_a_bag():
    """(1d): its output stays when earlier words change places, of three words and of more; not when it moves itself."""
    for count in (3, T):
        swap, cycle = np.eye(count)[[1, 0, *range(2, count)]], np.roll(np.eye(count), 1, axis=0)
        last = lambda x: attended(x, causal=True)[-1]
        x = WORDS[:count]
        holds(last(swap @ x), last(x), last(cycle @ x), SHUFFLED)
        assert np.abs(attended(swap @ x, causal=True)[1] - attended(x, causal=True)[1]).max() > 0.1  # the second word's changes


def test_equal_scores_make_the_start_token_a_counter():
    """(1e): with all scores 0 and a causal mask the start token weighs 1/m at word m, exactly; 1/(m + 1) counts a word too many."""
    m, start, none = np.arange(1, T + 1), np.eye(T)[:, :1], np.zeros((T, HEAD))
    holds(weights(np.zeros((T, T)), causal=True)[:, 0], 1 / m, 1 / (m + 1), 0)
    holds(attention(none, none, start, causal=True)[:, 0], 1 / m, 1 / (m + 1), 0)


# ---- chapter 2: encodings ------------------------------------------------------------------------

CASE = encoding_claims.case(encodings)  # 9 words that ask, 7 that are asked, their positions, and weights
HERE = CASE[-1]
Q, K, R = HERE.w_q, HERE.w_k, HERE.w_r  # (D, C)


def each_pair(formula, x, y, m, n, *_):
    """formula(x, y, m, n) of one query's word at m and one key's at n, for all pairs: (M, N)."""
    return np.array([[formula(a, b, int(i), int(j)) for b, j in zip(y, n)] for a, i in zip(x, m)])


def scores_hold(encode, formula, *mutants, case=CASE):
    """The library's scores are the formula's, and no mutated formula's."""
    x, y, m, n, w = case
    bound = encoding_claims.rounding(x, y, w, max(*m, *n))
    for mutant in mutants:
        holds(encode(*case), each_pair(formula, *case), each_pair(mutant, *case), bound)


def offset_vector(offset):
    """p̃ of a clipped offset, its row counted from −r."""
    return HERE.relative[max(-REACH, min(REACH, offset)) + REACH]


def table(position):
    return HERE.table[position]


def test_each_word_makes_its_own_query_and_key():
    """(1): f_q of word and position m, f_k of word and position n, each made alone, score as the library; not f_q at n."""
    theta = frequencies(HEAD)
    makers = {
        encodings.sinusoidal: lambda W, x, at: W @ (x + wave(at)),
        encodings.learned: lambda W, x, at: W @ (x + table(at)),
        encodings.rope: lambda W, x, at: rotation_matrix(at, theta) @ (W @ x),
    }
    for encode, f in makers.items():
        scores_hold(encode, lambda x, y, m, n: f(Q, x, m) @ f(K, y, n), lambda x, y, m, n: f(Q, x, n) @ f(K, y, m))


def test_a_vector_for_each_position_is_added_before_projecting():
    """(3): W_t(x_i + p_i) with a learned table, for queries and keys; not with the other word's position, nor on one side only."""
    f = lambda W, x, p: W @ (x + p)
    scores_hold(encodings.learned, lambda x, y, m, n: f(Q, x, table(m)) @ f(K, y, table(n)),
                lambda x, y, m, n: f(Q, x, table(n)) @ f(K, y, table(m)),
                lambda x, y, m, n: f(Q, x, table(m)) @ f(K, y, 0))  # fmt: skip


def test_entries_are_sines_and_cosines_of_the_position():
    """(4): entries 2t and 2t + 1; with k for i, as the paper prints, all positions are one vector; half the exponent is wrong.

    An angle is a power, whose exponent is at most 4 roundings off times log 10000, and a product: under 12 EPS each side.
    """
    positions = np.array([0, 1, 2, 7, 40, 511])

    def by_hand(place, factor=2):
        speed = [10000 ** (-factor * t / WIDTH) for t in range(WIDTH // 2)]
        return np.array([[f(place(i) * s) for s in speed for f in (math.sin, math.cos)] for i in positions])

    bound = 2 * EPS * (12 * positions[:, None] + 2)
    for mutant in (by_hand(lambda i: 3), by_hand(lambda i: i, factor=1), by_hand(lambda i: -i)):
        holds(encodings.sinusoid(positions, WIDTH), by_hand(lambda i: i), mutant, bound)


def test_two_waves_multiply_to_the_cosine_of_the_offset():
    """(2a): for each speed, p_mᵀ p_n = cos(θ(m − n)), and m + n for m − n is another number. Speeds are rounded as in (4)."""
    theta = 10000.0 ** (-2 * np.arange(WIDTH // 2) / WIDTH)
    waves = lambda at: encodings.sinusoid(at, WIDTH).reshape(len(at), -1, 2)  # (T, C/2, 2)
    m, n = M[:, None], N[:, None]
    bound = 2 * rounding(2, 12 * (np.abs(m) + np.abs(n)))
    holds((waves(M) * waves(N)).sum(-1), np.cos(theta * (m - n)), np.cos(theta * (m + n)), bound)


def test_the_score_of_sums_has_four_terms():
    """(6): word and position ask word and position; three terms are not enough, and W_q, W_k are not exchanged in the last."""
    def four(x, y, m, n, last=lambda p, s: p @ Q.T @ K @ s):
        return x @ Q.T @ K @ y + x @ Q.T @ K @ table(n) + table(m) @ Q.T @ K @ y + last(table(m), table(n))

    scores_hold(encodings.learned, four, lambda *pair: four(*pair, last=lambda p, s: 0),
                lambda *pair: four(*pair, last=lambda p, s: p @ K.T @ Q @ s))  # fmt: skip


def shaw(x, y, offset, query=Q, key=K):
    return (query @ x) @ (key @ (y + offset_vector(offset)))


def test_the_query_is_the_projected_word():
    """(5q): of Shaw's two, the query knows no offset: W_q x_m, not W_k x_m, nor W_q(x_m + p̃)."""
    scores_hold(encodings.shaw, lambda x, y, m, n: shaw(x, y, m - n), lambda x, y, m, n: shaw(x, y, m - n, query=K),
                lambda x, y, m, n: shaw(x + offset_vector(m - n), y, m - n))  # fmt: skip


def test_the_key_has_the_vector_of_its_offset_added():
    """(5k): W_k(x_n + p̃_r) with r from m − n; not from n − m, not without p̃, not with W_q."""
    scores_hold(encodings.shaw, lambda x, y, m, n: shaw(x, y, m - n), lambda x, y, m, n: shaw(x, y, n - m),
                lambda x, y, m, n: shaw(x, y, m - n, query=Q, key=Q), lambda x, y, m, n: (Q @ x) @ (K @ y))  # fmt: skip


def test_the_value_has_the_vector_of_its_offset_added():
    """(5v): W_v(x_n + p̃_r) for every query m, looked up by the library; not with n − m, nor without p̃."""
    x, y, m, n, w = CASE
    values = encodings.shaw_values(y, m, n, W_V, w.relative)  # (M, N, D)
    by_hand = lambda vector: each_pair(lambda a, b, i, j: W_V @ (b + vector(i - j)), *CASE)
    bound = 2 * EPS * (WIDTH + 1) * (np.abs(y).max() + np.abs(w.relative).max()) * np.abs(W_V).sum(1)
    for mutant in (lambda u: offset_vector(-u), lambda u: 0):
        holds(values, by_hand(offset_vector), by_hand(mutant), bound)


def test_offsets_are_clipped_at_both_ends():
    """(5r): r = max(r_min, min(r_max, m − n)), exactly; not of n − m, and not with the two ends exchanged."""
    rows = np.arange(-REACH, REACH + 1)[:, None]
    clip = lambda low, high, sign=1: np.array([max(low, min(high, sign * u)) for u in M - N])
    for mutant in (clip(-REACH, REACH, sign=-1), clip(REACH, -REACH), M - N):
        holds(encodings.clipped(rows, M - N)[:, 0], clip(-REACH, REACH), mutant, 0)


def test_transformer_xl_asks_four_questions():
    """(7): waves of m − n through W̃_k, u and v for the asking position; not of n − m, nor with W_k, nor with u and v exchanged."""
    def terms(x, y, m, n, sign=1, other=R, u=HERE.u, v=HERE.v):
        asked = other @ wave(sign * (m - n))
        return x @ Q.T @ K @ y + x @ Q.T @ asked + u @ Q.T @ K @ y + v @ Q.T @ asked

    changes = (dict(sign=-1), dict(other=K), dict(u=HERE.v, v=HERE.u), dict(v=0 * HERE.v))
    scores_hold(encodings.transformer_xl, terms, *(lambda *pair, c=c: terms(*pair, **c) for c in changes))


def bias(offset):
    return HERE.bias[number_of_bucket(offset)]


def test_t5_adds_a_number_of_the_offset():
    """(8): the bare score plus b of m − n; not b of n − m, nor minus b, nor with W_k for W_q."""
    scores_hold(encodings.t5, lambda x, y, m, n: x @ Q.T @ K @ y + bias(m - n), lambda x, y, m, n: x @ Q.T @ K @ y + bias(n - m),
                lambda x, y, m, n: x @ Q.T @ K @ y - bias(m - n), lambda x, y, m, n: x @ K.T @ Q @ y + bias(m - n))  # fmt: skip


def test_tupe_lets_positions_ask_positions():
    """(9): through U_q and U_k, plus T5's number; not with the two exchanged, nor with the words' projections, nor without b."""
    def terms(x, y, m, n, left=HERE.u_q, right=HERE.u_k, b=bias):
        return x @ Q.T @ K @ y + table(m) @ left.T @ right @ table(n) + b(m - n)

    changes = (dict(left=HERE.u_k, right=HERE.u_q), dict(left=Q, right=K), dict(b=lambda u: 0))
    scores_hold(encodings.tupe, terms, *(lambda *pair, c=c: terms(*pair, **c) for c in changes))


def test_deberta_lets_words_and_offsets_ask_each_other():
    """(10): the same offset m − n in both middle terms; not n − m in the last, nor without it, nor with offsets asking offsets."""
    def terms(x, y, m, n, last=1, more=0):
        p, p_last = offset_vector(m - n), offset_vector(last * (m - n))
        return x @ Q.T @ K @ y + x @ Q.T @ K @ p + abs(last) * p_last @ Q.T @ K @ y + more * p @ Q.T @ K @ p

    changes = (dict(last=-1), dict(last=0), dict(more=1))
    scores_hold(encodings.deberta, terms, *(lambda *pair, c=c: terms(*pair, **c) for c in changes))


# ---- chapter 3: the plane ------------------------------------------------------------------------


def test_rotation_meets_the_wish_and_addition_does_not():
    """(11): moving both words by s changes no score; moving the query alone does, and so does adding vectors that turn."""
    score = lambda m, n: (turned(X, m) * turned(Y, n)).sum(-1)
    holds(score(M, N), score(M + S, N + S), score(M + S, N), LENGTHS * (off(M, N) + off(M + S, N + S)))
    waves = lambda at: turned(np.ones((200, 2)), at)
    added = lambda m, n: ((X + waves(m)) * (Y + waves(n))).sum(-1)
    assert np.abs(added(M + S, N + S) - added(M, N)).max() > 0.1


def test_the_real_part_is_the_dot_product():
    """(3a) and (3b): Re[x ȳ] = x₁y₁ + x₂y₂, not x₁y₁ − x₂y₂."""
    product = (number(X) * number(Y).conj()).real
    holds(product, X[:, 0] * Y[:, 0] + X[:, 1] * Y[:, 1], X[:, 0] * Y[:, 0] - X[:, 1] * Y[:, 1], LENGTHS * rounding(2, 0))


def test_the_score_is_a_turned_product():
    """(12): the score of the turned words is Re[x ȳ e^{iθ(m−n)}], and m + n for m − n is another number."""
    formula = lambda offset: (number(X) * number(Y).conj() * np.exp(1j * THETA * offset)).real
    score = (turned(X, M) * turned(Y, N)).sum(-1)
    holds(score, formula(M - N), formula(M + N), LENGTHS * (off(M, N) + off(M - N, 0)))


def test_the_matrix_of_one_pair():
    """(13): its columns are e^{imθ} and i e^{imθ}, its entries at 30° known by heart; the transpose is another matrix."""
    for m in M:
        z = np.exp(1j * m * THETA)
        error = np.abs(rotation_matrix(m, [THETA]) - [[z.real, -z.imag], [z.imag, z.real]]).max()
        assert error <= 2 * off(m, 0)
    by_heart = np.array([[np.sqrt(3), -1], [1, np.sqrt(3)]]) / 2
    holds(rotation_matrix(1, [np.pi / 6]), by_heart, by_heart.T, 2 * rounding(2, np.pi / 6))


def test_the_matrix_turns_as_the_complex_number_does():
    """(3c): R_m x has the real and the imaginary part of x e^{imθ}, and R_{−m} x has not."""
    by_matrix = lambda sign: np.array([number((rotation_matrix(sign * m, [THETA]) @ x)[None])[0] for x, m in zip(X, M)])
    product = number(X) * np.exp(1j * M * THETA)
    bound = np.abs(number(X)) * 2 * off(M, 0)
    holds(product, by_matrix(1), by_matrix(-1), bound)
    holds(number(turned(X, M)), product, number(turned(X, -M)), bound)


def boosted(m, n):
    """f_q(x, m) times the conjugate of f_k(y, n) of the boost, and the size of the terms."""
    squeeze = lambda at: np.exp(KAPPA * np.stack([-at, at], axis=1))  # (T, 2)
    product = number(X * squeeze(m)) * number(Y * squeeze(-n)).conj()
    size = (np.abs(X) * squeeze(m) * np.abs(Y) * squeeze(-n)).sum(-1)
    return product, size


def test_rotation_meets_the_complex_wish_and_the_boost_does_not():
    """(3d): the whole product knows m − n alone; of the boost's, only the real part does."""
    product = lambda m, n: number(turned(X, m)) * number(turned(Y, n)).conj()
    holds(product(M, N), product(M + S, N + S), product(M + S, N), LENGTHS * (off(M, N) + off(M + S, N + S)))
    (here, size), (there, _) = boosted(M, N), boosted(M + S, N + S)
    assert (np.abs((there - here).real) <= size * (off(M, N, KAPPA) + off(M + S, N + S, KAPPA))).all()
    assert np.abs((there - here).imag).max() > 0.1


def test_the_encoded_query_and_key():
    """(20): q_m is the query turned by its own position, k_n the key by its own; not by each other's."""
    pair = lambda m, n: np.stack([number(X) * np.exp(1j * THETA * m), number(Y) * np.exp(1j * THETA * n)])
    encoded = np.stack([number(turned(X, M)), number(turned(Y, N))])
    size = np.stack([np.linalg.norm(X, axis=1), np.linalg.norm(Y, axis=1)])
    holds(encoded, pair(M, N), pair(N, M), 2 * size * off(M, N))


def test_the_wish_with_the_offset_reversed():
    """(21): the score is the g of n − m that is read off with the query at 0 and the key at n − m; that g of m − n is not."""
    score = lambda m, n: (turned(X, m) * turned(Y, n)).sum(-1)
    g = lambda u: score(0 * u, u)
    holds(score(M, N), g(N - M), g(M - N), LENGTHS * (off(M, N) + off(0, N - M)))


def test_length_and_angle_make_the_number():
    """(23): f = R e^{iΘ} with its length and angle, which lie between −π and π; e^{−iΘ} makes its mirror image."""
    f = number(turned(X, M))
    holds(f, np.abs(f) * np.exp(1j * np.angle(f)), np.abs(f) * np.exp(-1j * np.angle(f)), np.abs(f) * rounding(2, 2 * np.pi))


def test_lengths_multiply_and_angles_subtract():
    """(24): f_q times the conjugate of f_k; with the sum of the angles it is another number."""
    f_q, f_k = number(turned(X, M)), number(turned(Y, N))
    formula = lambda angle: np.abs(f_q) * np.abs(f_k) * np.exp(1j * angle)
    holds(f_q * f_k.conj(), formula(np.angle(f_q) - np.angle(f_k)), formula(np.angle(f_q) + np.angle(f_k)), LENGTHS * rounding(2, 6 * np.pi))


def test_position_zero_leaves_words_alone():
    """(22), exactly; a rotation that counts from 1 turns them."""
    holds(turned(X, 0 * M), X, turned(X, 0 * M + 1), 0)


def test_the_word_is_its_length_and_its_angle():
    """(25): the length by Pythagoras, the angle by the arctangent of both coordinates; its negative makes the conjugate."""
    length, angle = np.sqrt((X**2).sum(1)), np.arctan2(X[:, 1], X[:, 0])
    start = number(turned(X, 0 * M))
    holds(start, length * np.exp(1j * angle), length * np.exp(-1j * angle), length * rounding(2, 2 * np.pi))


def grown(m, n):
    """f_q(x, m) and f_k(y, n) of the family of (3e), as complex numbers, and the bound on the rounding of their product per size."""
    return number(X) * np.exp(m * (KAPPA + 1j * THETA)), number(Y) * np.exp(n * (-KAPPA + 1j * THETA)), off(m, n, KAPPA + THETA)


def test_lengths_multiply_to_the_same_at_equal_positions():
    """(26a): even where the query grows and the key shrinks; with the key at 0 the product is another one."""
    product = lambda m, n: np.abs(grown(m, n)[0]) * np.abs(grown(m, n)[1])
    holds(product(M, M), product(0 * M, 0 * M), product(M, 0 * M), LENGTHS * (grown(M, M)[2] + rounding(2, 0)))


def test_angles_differ_by_the_same_at_equal_positions():
    """(26b): up to full turns, so as directions; with the key at 0 the difference is another one."""
    direction = lambda z: z / np.abs(z)
    between = lambda m, n: direction(number(turned(X, m))) * direction(number(turned(Y, n))).conj()
    holds(between(M, M), between(0 * M, 0 * M), between(M, 0 * M), off(M, M) + 2 * rounding(2, 0))


def test_an_angle_is_the_word_s_own_plus_one_of_the_position():
    """(28): up to full turns, with one φ for queries and keys; φ minus the word's angle is another direction."""
    phi = angles(M, [THETA])[:, 0]
    for words in (X, Y):
        z, own = number(turned(words, M)), np.angle(number(words))
        holds(z / np.abs(z), np.exp(1j * (phi + own)), np.exp(1j * (phi - own)), 3 * off(M, 0) + rounding(2, 5 * np.pi))


def test_the_angle_s_step_is_the_same_everywhere():
    """(29): of the library's angles and of those measured on a turned arrow, up to full turns; two places are another step."""
    phi = lambda m: angles(m, [THETA])[:, 0]
    zero = 0 * M
    holds(phi(M + 1) - phi(M), phi(zero + 1) - phi(zero), phi(M + 2) - phi(M), 2 * EPS * THETA * (2 * np.abs(M) + 2))
    arrow = lambda m: number(turned(np.tile([1.0, 0.0], (len(m), 1)), m))
    step = lambda far: arrow(M + far) * arrow(M).conj()
    holds(step(1), arrow(zero + 1) * arrow(zero).conj(), step(2), off(M + 1, M) + off(1, 0))


def test_angles_grow_by_the_same_step():
    """(30): the angle of (1, 0), followed round the circle, is θm, and θ(m + 1) starts at the wrong place.

    Following adds up to m full turns, each sum rounded; the arctangent is off by 2 units of at most π, the turn as ever.
    """
    m = np.arange(100.0)
    followed = np.unwrap(np.angle(number(turned(np.tile([1.0, 0.0], (100, 1)), m))))
    bound = EPS * (m + 3) * THETA * m + rounding(2, 4 * np.pi)
    holds(followed, THETA * m, THETA * (m + 1), bound)
    holds(angles(m, [THETA])[:, 0], THETA * m, THETA * m**2, 0)


def test_growing_encoders_meet_the_wish_with_a_fading_score():
    """(3e): x e^{m(κ+iθ)} and y e^{n(−κ+iθ)} score e^{κ(m−n)} Re[x ȳ e^{iθ(m−n)}], and m + n for m − n is another number."""
    f_q, f_k, error = grown(M, N)
    formula = lambda u: np.exp(KAPPA * u) * (number(X) * number(Y).conj() * np.exp(1j * THETA * (M - N))).real
    bound = LENGTHS * np.exp(KAPPA * (M - N)) * (error + off(M - N, 0, KAPPA + THETA))
    holds((f_q * f_k.conj()).real, formula(M - N), formula(M + N), bound)


def test_lengths_are_kept():
    """(27): the turned word is as long as the word; with e^{κm} it grows."""
    length = np.linalg.norm(X, axis=1)
    holds(np.linalg.norm(turned(X, M), axis=1), length, length * np.exp(KAPPA * M), 2 * length * rounding(2, 0))


def test_the_encoded_word_is_the_word_turned():
    """(31): the word's length, its angle and mθ together are the library's rotation, which is not the one turned back."""
    made = np.abs(number(X)) * np.exp(1j * (THETA * M + np.angle(number(X))))
    bound = np.abs(number(X)) * (3 * off(M, 0) + rounding(2, 5 * np.pi))
    for turn in (lambda sign: number(turned(X, sign * M)), lambda sign: np.exp(1j * sign * M * THETA) * number(X)):
        holds(made, turn(1), turn(-1), bound)


def turned_score(query, m, key, n):
    """Re[q k̄ e^{iθ(m − n)}] summed over the planes of (D,) vectors."""
    q, k = query[0::2] + 1j * query[1::2], key[0::2] + 1j * key[1::2]
    return (q * k.conj() * np.exp(1j * frequencies(len(query)) * (m - n))).sum().real


def test_at_position_zero_stand_the_projected_words():
    """(32): RoPE turns W_q x_m and W_k x_n; W_q x_n, as the paper prints, is another query, and W_k x_m, W_q x_n are another pair."""
    scores_hold(encodings.rope, lambda x, y, m, n: turned_score(Q @ x, m, K @ y, n), lambda x, y, m, n: turned_score(Q @ y, m, K @ y, n),
                lambda x, y, m, n: turned_score(K @ x, m, Q @ y, n))  # fmt: skip
    x, y, _, _, w = CASE
    scores_hold(encodings.rope, lambda x, y, m, n: (Q @ x) @ (K @ y), lambda x, y, m, n: (Q @ y) @ (K @ y),
                case=(x, y, np.zeros(len(x)), np.zeros(len(y)), w))  # fmt: skip


def test_the_projected_word_is_turned_as_a_complex_number():
    """(33): e^{imθ} times W_q x_m of the plane, θ = 1 radian; turned before the projection or backward it is another score."""
    w = encodings.random_weights(np.random.default_rng(8), width=2, head_dim=2, longest=4, reach=1)
    (x, y), (m, n) = normal(2, 8, 2, seed=9), np.random.default_rng(10).integers(0, 40, (2, 8))
    read = lambda v: complex(v[0], v[1])
    turn = lambda z, at: cmath.exp(1j * at) * z
    before = lambda v, at: np.array([turn(read(v), at).real, turn(read(v), at).imag])
    after = lambda x, y, m, n: (turn(read(w.w_q @ x), m) * turn(read(w.w_k @ y), n).conjugate()).real
    scores_hold(encodings.rope, after, lambda x, y, m, n: (w.w_q @ before(x, m)) @ (w.w_k @ before(y, n)),
                lambda x, y, m, n: after(x, y, -m, -n), case=(x, y, m, n, w))  # fmt: skip


def test_the_boost_meets_the_wish():
    """(3f): the boost's score, whose terms fade and grow with the offset, and do not with the offset reversed."""
    score, size = boosted(M, N)
    terms = X * Y
    formula = lambda u: terms[:, 0] * np.exp(-KAPPA * u) + terms[:, 1] * np.exp(KAPPA * u)
    holds(score.real, formula(M - N), formula(N - M), size * (off(M, N, KAPPA) + off(M - N, 0, KAPPA)))


# ---- chapter 4: the theorem ----------------------------------------------------------------------

PLANES = np.array([1.0, 0.3, 0.05, 0.002])  # (D/2,) radians per token
SQUARE = encodings.random_weights(np.random.default_rng(11), width=HEAD, head_dim=HEAD, longest=4, reach=1)  # C = D
ASK, ASKED = normal(2, 12, HEAD, seed=12)  # (T, C)
AT, ASKED_AT = np.random.default_rng(13).integers(0, 40, (2, 12))


def test_one_matrix_after_the_projection():
    """(14): R_m W_q x is what the library's rotation makes of W_q x; W_q R_m x, turned before, is not."""
    by_matrix = lambda apply: np.array([apply(rotation_matrix(m, PLANES), x) for x, m in zip(ASK, AT)])
    size = np.linalg.norm(np.abs(ASK) @ np.abs(SQUARE.w_q).T, axis=1)[:, None]
    bound = 2 * size * (rounding(HEAD, AT[:, None]) + HEAD * EPS)
    holds(rotate(ASK @ SQUARE.w_q.T, AT, PLANES), by_matrix(lambda turn, x: turn @ SQUARE.w_q @ x),
          by_matrix(lambda turn, x: SQUARE.w_q @ turn @ x), bound)  # fmt: skip


@pytest.mark.parametrize("m", [1.0, -7.0, 2.5, 300.0])
def test_the_matrix_is_orthogonal(m):
    """(4a): R_mᵀ R_m is the identity, R_m R_m is not. cos² + sin² of one computed angle: the angle's own rounding has no part."""
    turn = rotation_matrix(m, PLANES)
    holds(turn.T @ turn, np.eye(HEAD), turn @ turn, rounding(HEAD, 0))


def test_positions_meet_between_the_learned_matrices():
    """(4b): xᵀ W_qᵀ R_{n−m} W_k y; without the transpose, as the paper prints, or with m − n it is another score."""
    def score(x, y, m, n, left=SQUARE.w_q.T, sign=1):
        return x @ left @ rotation_matrix(sign * (n - m), frequencies(HEAD)) @ SQUARE.w_k @ y

    scores_hold(encodings.rope, score, lambda *pair: score(*pair, left=SQUARE.w_q), lambda *pair: score(*pair, sign=-1),
                case=(ASK, ASKED, AT, ASKED_AT, SQUARE))  # fmt: skip


def test_the_waves_are_one_vector_turned_backward():
    """(4c): (sin mθ, cos mθ) is R_{−m} (0, 1) for each speed of the sinusoidal encoding; R_m (0, 1) it is not."""
    turn = lambda sign: rotate(np.tile([0.0, 1.0], (len(M), WIDTH // 2)), sign * M, frequencies(WIDTH))
    holds(encodings.sinusoid(M, WIDTH), turn(-1), turn(1), 2 * rounding(2, np.abs(M))[:, None])


def whole(seed):
    """A random matrix of whole numbers whose inverse is whole, too, and that inverse: products of such are exact."""
    lower, upper = np.random.default_rng(seed).integers(-1, 2, (2, 3, 3))
    matrix = (np.tril(lower, -1) + np.eye(3, dtype=int)) @ (np.triu(upper, 1) + np.eye(3, dtype=int))
    inverse = np.rint(np.linalg.inv(matrix)).astype(int)
    assert (matrix @ inverse == np.eye(3)).all()
    return matrix, inverse


def power(matrix, inverse, exponent):
    return np.linalg.matrix_power(matrix if exponent >= 0 else inverse, abs(exponent))


PLACES = range(-3, 4)


def family(seed):
    """{m: A_m}, {n: B_n} that grant (4d), built from a step J in a hidden basis S; G is no part of it."""
    (J, back), (S, S_inverse), (left, _), (right, _) = (whole(seed + i) for i in (0, 10, 20, 30))
    A = {m: (left @ power(J, back, -m) @ S_inverse).T for m in range(-4, 5)}
    return A, {n: S @ power(J, back, n) @ right for n in range(-4, 5)}


def found(A, B):
    """G and its inverse, read off positions 0 and 1 of the keys; the queries' give the same."""
    inverse = lambda matrix: np.rint(np.linalg.inv(matrix)).astype(int)
    G, G_inverse = B[1] @ inverse(B[0]), B[0] @ inverse(B[1])
    assert (G @ G_inverse == np.eye(3)).all() and (inverse(A[1].T) @ A[0].T == G).all()
    return G, G_inverse


FAMILIES = pytest.mark.parametrize("seed", [100, 200, 300])


@FAMILIES
def test_families_that_follow_the_offset(seed):
    """(4d), exactly: A_mᵀ B_n stays when both positions move, not when the query's alone does; C(0) is invertible."""
    A, B = family(seed)
    product = lambda step, both: np.array([A[m + step].T @ B[n + step * both] for m in PLACES for n in PLACES])
    for step in (1, -1):
        holds(product(0, True), product(step, True), product(step, False), 0)
    assert round(abs(np.linalg.det(A[2].T @ B[2]))) == 1


@FAMILIES
def test_keys_are_moved_by_powers_of_one_matrix(seed):
    """(4e), exactly: two positions give G, and G^n B_0 gives the others; B_0 G^n does not."""
    A, B = family(seed)
    powers = [power(*found(A, B), n) for n in PLACES]
    holds(np.array([B[n] for n in PLACES]), np.array([g @ B[0] for g in powers]), np.array([B[0] @ g for g in powers]), 0)


@FAMILIES
def test_queries_are_moved_by_its_inverse_transposed(seed):
    """(4f), exactly: (G^{−m})ᵀ A_0; neither (G^m)ᵀ A_0 nor G^{−m} A_0."""
    A, B = family(seed)
    G = found(A, B)
    by = lambda move: np.array([move(m) @ A[0] for m in PLACES])
    for mutant in (lambda m: power(*G, m).T, lambda m: power(*G, -m)):
        holds(np.array([A[m] for m in PLACES]), by(lambda m: power(*G, -m).T), by(mutant), 0)


@FAMILIES
def test_powers_of_any_matrix_grant_the_wish(seed):
    """(4g), exactly: A_mᵀ B_n = A_0ᵀ G^{n−m} B_0, for the families above and for random G, A_0 and B_0; not with n + m."""
    A, B = family(seed)
    G, A_0, B_0 = whole(seed + 40), whole(seed + 50)[0], whole(seed + 60)[0]
    built = {m: power(*G, -m).T @ A_0 for m in PLACES}, {n: power(*G, n) @ B_0 for n in PLACES}
    for (A, B), G in (((A, B), found(A, B)), (built, G)):
        scores = np.array([A[m].T @ B[n] for m in PLACES for n in PLACES])
        formula = lambda sign: np.array([A[0].T @ power(*G, n - sign * m) @ B[0] for m in PLACES for n in PLACES])
        holds(scores, formula(1), formula(-1), 0)


def test_a_query_that_loses_a_direction_lets_keys_run_wild():
    """(4h), exactly: the product does not know n, and B_n is no power of a matrix; on the other side the loss hides nothing."""
    blind = np.array([[1.0, 0], [0, 0]])
    wild = {n: np.array([[1, 0], [np.sin(n**2), 1 + n**3]]) for n in range(6)}
    products = lambda apply: np.array([apply(b) for b in wild.values()])
    holds(products(lambda b: blind @ b), blind[None], products(lambda b: b @ blind), 0)
    steps = [wild[n + 1] @ np.linalg.inv(wild[n]) for n in range(5)]
    assert np.abs(steps[1] - steps[0]).max() > 0.1


def test_lengths_determine_dot_products():
    """(4i): 2 xᵀy from three squared lengths, with + |y|² another number; rounded: sums of D terms, then two differences."""
    x, y = ASK, ASKED
    square = lambda v: (v**2).sum(-1)
    bound = EPS * (HEAD + 5) * 2 * (square(np.abs(x) + np.abs(y)) + square(x) + square(y))
    holds(2 * (x * y).sum(-1), square(x + y) - square(x) - square(y), square(x + y) - square(x) + square(y), bound)


def test_the_square_of_a_complex_vector():
    """(4j): vᵀv = aᵀa − bᵀb + 2i aᵀb, and with + bᵀb, which conjugating gives, it is another number.

    It is 0 for the eigenvector a + ib of a turned plane, whose two parts are perpendicular and of one length.
    """
    a, b = ASK, ASKED
    v = a + 1j * b
    dot = lambda p, q: (p * q).sum(-1)
    bound = 2 * EPS * (HEAD + 4) * (np.abs(a) + np.abs(b)).max() ** 2 * HEAD
    holds(dot(v, v), dot(a, a) - dot(b, b) + 2j * dot(a, b), dot(a, a) + dot(b, b) + 2j * dot(a, b), bound)
    v = np.array([1, 1j])
    holds(rotation_matrix(1, [THETA]) @ v, np.exp(-1j * THETA) * v, np.exp(1j * THETA) * v, 2 * rounding(2, THETA))
    assert v @ v == 0


def exponential(generator, t):
    """exp(tL) of a 2×2 matrix by its series, for |tL| ≤ 4, and the bound on its error.

    Term k is a product of k matrices, each step a sum of two products and a division: 4k roundings of a^k/k! where a bounds |tL|;
    together 4a e^a, and the 60 sums add 60 e^a. What is cut off is below 4^61/61! e^4, far less.
    """
    a = np.abs(t * generator).sum(1).max()
    assert a <= 4
    term = total = np.eye(2)
    for k in range(1, 61):
        term = term @ (t * generator) / k
        total = total + term
    return total, EPS * (4 * a + 61) * np.exp(a)


@pytest.mark.parametrize("t", [1.0, -0.5, 2.5, 4.0])
def test_the_exponential_of_the_generator_is_the_turn(t):
    """(4k): exp(t [[0, −θ], [θ, 0]]) = R_t, and R_{−t} it is not."""
    left, error = exponential(np.array([[0, -THETA], [THETA, 0]]), t)
    holds(left, rotation_matrix(t, [THETA]), rotation_matrix(-t, [THETA]), error + rounding(2, abs(t) * THETA))


@pytest.mark.parametrize("t", [1.0, -1.5, 2.5, -3.0])
def test_growth_on_the_diagonal_multiplies_the_turn(t):
    """(4l): e^{κt} R_t, and e^{−κt} R_t or e^{2κt} R_t it is not."""
    kappa = 0.3
    left, error = exponential(np.array([[kappa, -THETA], [THETA, kappa]]), t)
    grow = lambda rate: np.exp(rate * t) * rotation_matrix(t, [THETA])
    for rate in (-kappa, 2 * kappa):
        holds(left, grow(kappa), grow(rate), error + np.exp(kappa * t) * rounding(2, abs(t) * (THETA + kappa)))


def test_a_shear_is_the_penalty_of_alibi():
    """(4m): the product of the sheared entries is −a(m − n), not a(m − n) or −a(m + n); ALiBi's loss for n ≤ m, not beyond.

    Two products and a sum on each side; the library multiplies by the root of D, which is divided out again.
    """
    a, (m, n) = 0.3, (grid.ravel() for grid in np.meshgrid(np.arange(10), np.arange(10), indexing="ij"))
    query = lambda m: np.array([[1, 0], [-m, 1]]) @ [a, 0]
    key = lambda n: np.array([[1, n], [0, 1]]) @ [0, 1]
    sheared, bound = np.array([query(i) @ key(j) for i, j in zip(m, n)]), 8 * EPS * a * (m + n)
    for mutant in (a * (m - n), -a * (m + n)):
        holds(sheared, -a * (m - n), mutant, bound)
    places, nothing = np.arange(10), np.zeros((10, WIDTH))
    penalty = encodings.alibi(nothing, nothing, places, places, encoding_claims.bare(encodings, slope=a)).ravel() / math.sqrt(HEAD)
    behind = n <= m
    holds(penalty[behind], sheared[behind], -sheared[behind], bound[behind])
    holds(penalty[~behind], -sheared[~behind], sheared[~behind], bound[~behind])  # ahead, the shear rewards distance


# ---- chapter 5: many planes ----------------------------------------------------------------------


@pytest.mark.parametrize("base", [10000.0, 500.0, 0.5])
def test_frequencies_fall_by_the_same_factor(base):
    """(5a): log θ_i = −(2i/d) log b, and −(i/d) log b is another spectrum; exponent and logarithm are rounded, six times in all."""
    spectrum = lambda step: np.exp(-step * np.arange(4) / 8 * np.log(base))
    theta = frequencies(8, base)
    holds(theta, spectrum(2), spectrum(1), theta * EPS * 6 * (np.abs(np.log(theta)) + 1))


@pytest.mark.parametrize("m", [1.0, -7.0, 2.5, 300.0])
def test_the_matrix_has_a_block_for_each_pair(m):
    """(15): cosines on the diagonal and a quarter turn of each neighbour by the sine, zeros elsewhere; not pairs (i, i + d/2)."""
    z = np.exp(1j * m * PLANES)
    blocks = np.kron(np.diag(z.real), np.eye(2)) + np.kron(np.diag(z.imag), QUARTER)
    half_split = np.kron(np.eye(2), np.diag(z.real)) + np.kron(QUARTER, np.diag(z.imag))
    matrix = rotation_matrix(m, PLANES)
    holds(matrix, blocks, half_split, 2 * rounding(2, abs(m)))
    assert np.count_nonzero(matrix) == 16


def test_the_gradient_is_turned_back():
    """(5b): the slope of g·R_m x along each entry of x is R_{−m} g; the slope is exact for steps of 1, since the loss is linear."""
    x, g = normal(8, seed=11), normal(8, seed=12)
    theta = frequencies(8)
    for m in (1.0, -7.0, 2.5, 300.0):
        turn = lambda v, sign=1, m=m: rotate(v[None], [sign * m], theta)[0]
        slopes = np.array([(g @ turn(x + e) - g @ turn(x - e)) / 2 for e in np.eye(8)])
        bound = 2 * np.linalg.norm(g) * (np.linalg.norm(x) + 1) * rounding(8, m)
        holds(slopes, turn(g, -1), turn(g), bound)


def test_cosine_times_here_plus_sine_times_a_quarter_turn():
    """(34): x ∘ cos + quarter ∘ sin is what the matrix and the library make of x; the quarter turn of other pairs is not."""
    x, positions = normal(20, 8, seed=3), np.arange(20.0) * 3
    angle = np.repeat(positions[:, None] * PLANES, 2, axis=1)  # (T, D)
    form = lambda quarter: x * np.cos(angle) + quarter * np.sin(angle)
    neighbours, halves = np.kron(np.eye(4), QUARTER), np.kron(QUARTER, np.eye(4))  # (D, D)
    by_matrix = np.array([rotation_matrix(m, PLANES) @ row for m, row in zip(positions, x)])
    bound = 2 * np.linalg.norm(x, axis=1, keepdims=True) * rounding(8, positions[:, None])
    for turn in (by_matrix, rotate(x, positions, PLANES)):
        holds(turn, form(x @ neighbours.T), form(x @ halves.T), bound)


# ---- chapter 6: two layouts ----------------------------------------------------------------------

EVENS_FIRST = np.eye(8)[[0, 2, 4, 6, 1, 3, 5, 7]]  # P
SEVERAL_POSITIONS = pytest.mark.parametrize("m", [1.0, -7.0, 2.5, 300.0])


@SEVERAL_POSITIONS
def test_half_split_renames_turns_and_renames_back(m):
    """(6a): R^half_m = P R_m P^T, and P^T R_m P is another matrix; its entry (0, 4) belongs to the pair (0, d/2)."""
    half = rotate_half_split(np.eye(8), np.full(8, m), PLANES).T
    matrix = rotation_matrix(m, PLANES)
    holds(half, EVENS_FIRST @ matrix @ EVENS_FIRST.T, EVENS_FIRST.T @ matrix @ EVENS_FIRST, 2 * rounding(2, abs(m)))
    assert half[0, 4] == -np.sin(m * PLANES[0])


@SEVERAL_POSITIONS
def test_a_flipped_sign_turns_the_other_way(m):
    """(6b): flipped before and after, the second entries of all pairs make R_m into R_{−m}; flipped once they do not."""
    flip, matrix = np.diag([1.0, -1.0] * 4), rotation_matrix(m, PLANES)
    holds(rotation_matrix(-m, PLANES), flip @ matrix @ flip, matrix @ flip, 2 * rounding(2, abs(m)))


def test_a_score_survives_renaming_both():
    """(6c): renamed queries and keys have the scores they had; a renamed key alone has others."""
    q, k = (rotate(normal(20, 8, seed=seed), np.arange(20.0) * step, PLANES) for seed, step in ((13, 3), (14, 5)))
    lengths = np.linalg.norm(q, axis=1) * np.linalg.norm(k, axis=1)
    renamed = to_half_split(q) * to_half_split(k)
    holds(renamed.sum(axis=1), (q * k).sum(axis=1), (q * to_half_split(k)).sum(axis=1), 2 * 8 * EPS * lengths)


@pytest.mark.parametrize("d", [6, 8, 52, 96, 128])
def test_a_riffle_doubles_the_place(d):
    """(6d): after r riffles the card of place j lies at 2^r j mod (d − 1), and not mod d + 1; the last card stays."""
    deck, cards = np.arange(d), np.arange(d - 1)
    for r in range(1, 6):
        deck = to_interleaved(deck)
        places = np.argsort(deck)  # of the cards, by their number
        holds(places[:-1], 2**r * cards % (d - 1), 2**r * cards % (d + 1), 0)
        assert places[-1] == d - 1


def test_reordered_rows_make_reordered_turned_queries():
    """(6e): the half-split turn of (P W_q) x is P times the interleaved turn of W_q x, head by head; without reordering it is not."""
    weight, words, positions = normal(16, 5, seed=15), normal(20, 5, seed=16), np.arange(20.0) * 3
    heads = lambda rows: (words @ rows.T).reshape(20, 2, 8).swapaxes(0, 1)  # (H, T, D)
    asked = to_half_split(rotate(heads(weight), positions, PLANES))
    turn = lambda rows: rotate_half_split(heads(rows), positions, PLANES)
    bound = 2 * np.linalg.norm(heads(weight), axis=-1, keepdims=True) * (rounding(2, positions[:, None]) + 5 * EPS * np.linalg.norm(words))
    holds(turn(head_rows_to_half_split(weight, 2)), asked, turn(weight), bound)


# ---- chapter 8: a race ---------------------------------------------------------------------------


class Counted(float):
    """A number that counts the products and sums that it enters."""

    done = 0

    def _count(self, result):
        Counted.done += 1
        return Counted(result)

    __mul__ = lambda self, other: self._count(float(self) * float(other))
    __add__ = lambda self, other: self._count(float(self) + float(other))
    __sub__ = lambda self, other: self._count(float(self) - float(other))


@pytest.mark.parametrize("size", [2, 4, 8])
def test_three_operations_for_two_trips(size):
    """(8a): the loop over the pairs of a row, counted: 3 operations a number, which travels in and out once; 3/s counts one way."""
    row, (cos, sin), Counted.done = [Counted(v) for v in normal(8, seed=17)], (0.6, 0.8), 0
    out = [turned for a, b in zip(row[0::2], row[1::2]) for turned in (a * cos - b * sin, a * sin + b * cos)]
    intensity = Counted.done / (size * (len(row) + len(out)))
    holds(intensity, 3 / (2 * size), 3 / size, 0)


@pytest.mark.parametrize("compute, move", [(5.0, 2.0), (2.0, 5.0), (3.0, 3.0)])
def test_the_copy_sets_the_least_time(compute, move):
    """(8b): piece by piece, each fetched while the one before is computed, work ends at the larger of the two times, a piece late."""
    pieces, fetched, ready = 1000, 0.0, 0.0
    for _ in range(pieces):
        fetched += move / pieces
        ready = max(ready, fetched) + compute / pieces
    holds(ready, max(compute, move), compute + move, min(compute, move) / pieces * (1 + pieces * pieces * EPS))


# ---- chapter 9: invariance -----------------------------------------------------------------------


@pytest.mark.parametrize("m, n, s", [(3.0, -7.0, 11.0), (2.5, 300.0, -41.0), (1.0, 4.0, 100_000.0)])
def test_a_shift_of_both_positions_leaves_the_product(m, n, s):
    """(9a): R_{m+s}ᵀ R_{n+s} = R_mᵀ R_n, as matrices and in the scores of both libraries; not if one is shifted, nor by s and 2s.

    Entries are products of two cosines or sines, whose angles may err by the sum of their roundings.
    """
    product = lambda m, n: rotation_matrix(m, PLANES).T @ rotation_matrix(n, PLANES)
    bound = 2 * rounding(2, abs(m) + abs(n) + abs(m + s) + abs(n + s))
    q, k = normal(2, 200, 8, seed=22)
    lengths = np.linalg.norm(q, axis=1) * np.linalg.norm(k, axis=1)
    tensors = lambda turn: lambda x, at: turn(torch.from_numpy(x), [at] * 200, PLANES).numpy()
    for turn in (lambda x, at: rotate(x, [at] * 200, PLANES), tensors(rotation_torch.rotate)):
        score = lambda m, n, turn=turn: (turn(q, m) * turn(k, n)).sum(-1)
        for mutant in (score(m, n + s), score(m + s, n), score(m + s, n + 2 * s)):
            holds(score(m + s, n + s), score(m, n), mutant, lengths * (bound + 2 * rounding(8, 0)))
    for mutant in (product(m, n + s), product(m + s, n), product(m + s, n + 2 * s), rotation_matrix(m, PLANES) @ rotation_matrix(n, PLANES)):
        holds(product(m + s, n + s), product(m, n), mutant, bound)


# ---- chapter 10: decay ---------------------------------------------------------------------------


def test_a_score_is_a_sum_of_waves():
    """(35): the score of the turned words is Σ Re[h_i e^{iθ_i(m−n)}], and n − m for m − n is another number; so the library."""
    q, k = normal(2, 200, 8, seed=18)
    h = pair_products(q, k)  # (T, D/2)
    score = (rotate(q, M, PLANES) * rotate(k, N, PLANES)).sum(-1)
    waves = lambda offset: sum((number(q[:, 2 * i : 2 * i + 2]) * number(k[:, 2 * i : 2 * i + 2]).conj() * np.exp(1j * offset * speed)).real
                               for i, speed in enumerate(PLANES))
    bound = np.linalg.norm(q, axis=1) * np.linalg.norm(k, axis=1) * (rounding(8, np.abs(M) + np.abs(N)) + rounding(8, np.abs(M - N)))
    holds(score, waves(M - N), waves(N - M), bound)
    holds(score, np.array([scores(h[t], [M[t] - N[t]], PLANES)[0] for t in range(200)]), waves(N - M), bound)


def test_sums_and_differences_change_places():
    """(36): Σ h_i (S_{i+1} − S_i) = −Σ S_{i+1} (h_{i+1} − h_i), of any length, if S_0 = 0 and an h of 0 ends the list; else not.

    A term is a difference and a product of complex numbers, under 4 EPS of its size, and there are at most as many sums.
    """
    for pairs in (3, 64):
        h, S = (number(normal(pairs, 2, seed=seed)) for seed in (19, 20))
        left = (h * np.diff(S, prepend=0)).sum()
        right = lambda sums, ends=(0,): -(sums * np.diff(np.append(h, ends))).sum()
        bound = 2 * EPS * (4 + pairs) * 2 * np.abs(h).sum() * np.abs(S).max()  # two terms of h S a step
        for mutant in (right(np.append(0, S[:-1])), right(S, ends=(1,)), right(-S)):
            holds(left, right(S), mutant, bound)


def test_the_bound_is_the_largest_step_times_the_sums():
    """(37): by loops; without the last step, with the sums of one pair less, or with the mean of the sums it is another number.

    S_j has j waves, each off by its angle's rounding and 3 EPS, and j sums of at most j: under j (|m| + 2j + 3) EPS.
    """
    ramp_up, random = np.arange(1.0, 17) + 0j, number(normal(16, 2, seed=21))
    theta = frequencies(32)

    def by_hand(h, m, last=True, shorter=0, over=1):
        steps = [abs((h[i + 1] if i < 15 else 0) - h[i]) for i in range(16 if last else 15)]
        S = [sum(cmath.exp(1j * m * theta[i]) for i in range(j)) for j in range(1, 17 - shorter)]
        return max(steps) * sum(map(abs, S)) / over

    for h, mutants in ((ramp_up, ({"last": False}, {"shorter": 1}, {"over": 16})), (random, ({"shorter": 1}, {"over": 16}))):
        for m in (0, 3, -40, 1000):
            bound = 2 * EPS * (np.abs(np.diff(h, append=0)).max() * sum(j * (abs(m) + 2 * j + 3) for j in range(1, 17)) + 20 * by_hand(h, m))
            for mutant in mutants:
                holds(abel_bound(h, [m], theta), by_hand(h, m), by_hand(h, m, **mutant), bound)


# ---- chapter 11: linear attention ----------------------------------------------------------------

BOTH = normal(2, 12, 8, seed=22)  # queries and keys (T, D)
VALUES = normal(12, 5, seed=23)  # (T, E)
ALONG = np.arange(12.0) * 2.5  # positions


def sums_off(a, b, v, total):
    """Rounding of two evaluations of Σ (a·b) v / total, a sum of positive terms: 2 (T + F + 4) EPS of the sizes of the terms."""
    return 2 * EPS * 2 * (len(v) + a.shape[1] + 4) * np.abs(a) @ np.abs(b).T @ np.abs(v) / np.reshape(total, (-1, 1))


def weighted(above, below, v, seen=12):
    """Σ_n v_n above(m, n) / Σ_n below(m, n), term by term: (T, E)."""
    return np.array([sum(v[n] * above(m, n) for n in range(12)) / sum(below(m, n) for n in range(seen)) for m in range(12)])


def test_any_positive_similarity_makes_a_weighted_mean():
    """(17): both sums term by term; not with a word left out below, nor with the sum over queries."""
    a, b = np.exp(BOTH)
    sim = lambda m, n: math.fsum(a[m] * b[n])
    for mutant in (weighted(sim, sim, VALUES, seen=11), weighted(sim, lambda m, n: sim(n, m), VALUES)):
        holds(quadratic(a, b, a, b, VALUES), weighted(sim, sim, VALUES), mutant, sums_off(a, b, VALUES, (a @ b.T).sum(1)))


def test_the_similarity_is_a_product_of_features():
    """(18): features of each alone, then a sum of D products, each off by 4 EPS and its sum; a feature of the product is no such thing."""
    q, k = BOTH
    phi = lambda x: x + 1 if x > 0 else math.exp(x)
    a, b, *_ = sides(q, k, ALONG, PLANES, "plain")
    by_hand = np.array([[sum(phi(x) * phi(y) for x, y in zip(row, other)) for other in k] for row in q])
    for mutant in (feature_map(q @ k.T), feature_map(q[:, None] * k).sum(-1)):
        holds(a @ b.T, by_hand, mutant, 2 * (4 + 8) * EPS * by_hand)


def test_features_are_turned_above_and_bare_below():
    """(19): by matrices, term by term; not with turned ones below, nor turned before the features, nor turned back."""
    q, k = BOTH
    c, d = feature_map(q), feature_map(k)
    R = [rotation_matrix(m, PLANES) for m in ALONG]
    bare, turn = lambda m, n: c[m] @ d[n], lambda m, n: (R[m] @ c[m]) @ (R[n] @ d[n])
    first, back = lambda m, n: feature_map(R[m] @ q[m]) @ feature_map(R[n] @ k[n]), lambda m, n: (R[m].T @ c[m]) @ (R[n].T @ d[n])
    total = (c @ d.T).sum(1, keepdims=True)
    lengths = np.linalg.norm(c, axis=1)[:, None] * np.linalg.norm(d, axis=1)
    bound = sums_off(c, d, VALUES, total) + 2 * rounding(8, 2 * ALONG.max()) * lengths @ np.abs(VALUES) / total
    for mutant in (weighted(turn, turn, VALUES), weighted(bare, bare, VALUES), weighted(first, bare, VALUES), weighted(back, bare, VALUES)):
        holds(quadratic(*sides(q, k, ALONG, PLANES), VALUES), weighted(turn, bare, VALUES), mutant, bound)


def test_three_matrices_multiply_in_two_orders():
    """(11a): the table first, or keys and values first, denominators of 1; without the transpose, or with A for B, it is another product."""
    (a, b), v = normal(2, 8, 8, seed=24), normal(8, 5, seed=25)  # T = F, so that the mutants have shapes that fit
    one, each = np.ones((8, 1)), np.full((8, 1), 1 / 8)  # c·d adds up to 1
    for mutant in (a @ (b @ v), b @ (a.T @ v)):
        holds(quadratic(a, b, one, each, v), summed(a, b, one, each, v), mutant, sums_off(a, b, v, 1))


def test_turned_features_meet_at_the_offset():
    """(11b): φ(q) against φ(k) turned by n − m, and m − n is another number; turned before the features it is another, too."""
    q, k = normal(2, 200, 8, seed=26)
    (a, *_), (_, b, *_) = sides(q, q, M, PLANES), sides(k, k, N, PLANES)
    phi_q, phi_k = feature_map(q), feature_map(k)
    at_offset = lambda offset: (phi_q * rotate(phi_k, offset, PLANES)).sum(-1)
    lengths = np.linalg.norm(phi_q, axis=1) * np.linalg.norm(phi_k, axis=1)
    bound = lengths * (rounding(8, np.abs(M) + np.abs(N)) + rounding(8, np.abs(N - M)))
    for mutant in (at_offset(M - N), (phi_q * feature_map(rotate(k, N - M, PLANES))).sum(-1)):
        holds((a * b).sum(-1), at_offset(N - M), mutant, bound)


def test_the_state_grows_by_one_outer_product():
    """(11c): row t mod F of S_t, which a query with a single 1 reads; not of what the word adds, nor of the sum before it is added."""
    b, a, c, d = normal(12, 4, seed=27), np.eye(4)[np.arange(12) % 4], np.ones((12, 1)), np.eye(12)[:, :1]  # denominators of 1
    S, rows = np.zeros((4, 5)), ([], [], [])
    for t in range(12):
        share = np.array([[b[t, f] * VALUES[t, e] for e in range(5)] for f in range(4)])
        for kept, matrix in zip(rows, (S + share, share, S)):
            kept.append(matrix[t % 4])
        S = S + share
    states, shares, late = map(np.array, rows)
    for mutant in (shares, late):
        holds(prefix_summed(a, b, c, d, VALUES, chunk=1), states, mutant, sums_off(a, b, VALUES, 1))


# ---- chapter 12: longer texts --------------------------------------------------------------------


def test_a_wavelength_brings_a_pair_round():
    """(12a): after 2π/θ tokens a word is back, for each speed; after π/θ it is not. The angle is rounded four times."""
    for speed in frequencies(8):
        turned_by = lambda tokens: rotate(X, np.full(len(X), tokens), [speed])
        bound = 2 * np.linalg.norm(X, axis=1, keepdims=True) * rounding(2, 4 * 2 * np.pi)
        holds(turned_by(2 * np.pi / speed), X, turned_by(np.pi / speed), bound)


@pytest.mark.parametrize("s", [2.0, 2.5, 8.0])
def test_slower_speeds_squeeze_the_positions(s):
    """(12b): at s·m the slowed pairs stand where the others stand at m; unslowed they do not. Three roundings of the angle."""
    x = normal(200, 8, seed=22)
    bound = 2 * np.linalg.norm(x, axis=1, keepdims=True) * rounding(8, 3 * np.abs(M[:, None]))
    holds(rotate(x, s * M, interpolated(8, 10000.0, s).theta), rotate(x, M, frequencies(8)), rotate(x, s * M, frequencies(8)), bound)


@pytest.mark.parametrize("d", [4, 8, 128])
def test_the_new_base_slows_the_last_pair_by_s(d):
    """(12c): by s and not by s^((d − 2)/d), which the base b·s gives, and the first pair not at all; so the library.

    Each power is off by its exponent's rounding times a logarithm, and by one of its own; ln b' < 30.
    """
    s, b = 64.0, 10000.0
    last = lambda base: base ** (-(d - 2) / d)
    slowed, bound = last(b) / last(b * s ** (d / (d - 2))), 4 * 32 * EPS * s
    holds(slowed, s, last(b) / last(b * s), bound)
    new = ntk_aware(d, b, s).theta
    holds(frequencies(d, b)[-1] / new[-1], slowed, last(b) / last(b * s), 2 * bound)
    assert new[0] == 1.0


RAMP = {"head_dim": 64, "base": 10000.0, "factor": 4.0, "length": 64, "slow": 2.0, "fast": 8.0}
TURNS = RAMP["length"] / (2 * np.pi / frequencies(64))  # of each pair in a training text, by its wavelength: 10.2 down to 0.0014
ROUNDED = 16 * EPS * RAMP["factor"] * TURNS.max()  # under 16 roundings, of numbers up to s · r


def test_the_share_that_is_kept_rises_evenly_with_the_turns():
    """(12d): from 0 at α turns to 1 at β, a straight line between, read off the library's speeds; not in the logarithm of the turns."""
    ends = RAMP["slow"], RAMP["fast"]
    share = (by_parts(**RAMP).theta / frequencies(64) * 4 - 1) / (4 - 1)
    for mutant in (np.interp(TURNS, ends, (1, 0)), np.interp(np.log(TURNS), np.log(ends), (0, 1)), np.interp(2 * np.pi * TURNS, ends, (0, 1))):
        holds(share, np.interp(TURNS, ends, (0, 1)), mutant, ROUNDED)
    between = (TURNS > ends[0]) & (TURNS < ends[1])
    assert between.sum() > 3
    holds(share[between], (TURNS[between] - 2) / 6, TURNS[between] / 8, ROUNDED)


def test_new_speeds_lie_between_slowed_and_kept():
    """(12e): as far along from θ/s to θ as γ says; the wavelengths' mixture, or γ the other way round, is another speed."""
    theta, share = frequencies(64), np.interp(TURNS, (RAMP["slow"], RAMP["fast"]), (0, 1))
    between = np.array([np.interp(kept, (0, 1), (speed / 4, speed)) for kept, speed in zip(share, theta)])
    for mutant in (theta / ((1 - share) * 4 + share), share * theta / 4 + (1 - share) * theta):
        holds(by_parts(**RAMP).theta, between, mutant, ROUNDED)


def test_wavelengths_and_turns_say_the_same():
    """(12f): the share by L/λ is the share by r, and not with the ends swapped or λ for r; Llama 3's speeds are those of by parts."""
    wavelength, (a, b) = 2 * np.pi / frequencies(64), (RAMP["slow"], RAMP["fast"])
    turns = 64 * frequencies(64) / (2 * np.pi)
    for mutant in ((turns - b) / (a - b), (wavelength - a) / (b - a)):
        holds((64 / wavelength - a) / (b - a), (turns - a) / (b - a), mutant, ROUNDED)
    wider = by_parts(**RAMP | {"fast": 2 * b})
    slowed = lambda spectrum: frequencies(64) / spectrum.theta  # by a factor of 1 to 4
    holds(slowed(llama3(**RAMP)), slowed(by_parts(**RAMP)), slowed(wider), 4 * ROUNDED)


def test_the_scale_grows_by_a_tenth_for_each_power_of_e():
    """(12g): 1 for s = 1, 1.1 for e, 1.2 for e², as the library has it; base 2, or no 1, is another scale."""
    powers = np.arange(6)
    scale = np.array([yarn_paper(8, 10000.0, math.exp(k), 64).scale for k in powers])
    for mutant in (1 + powers / (10 * math.log(2)), powers / 10):
        holds(scale, 1 + powers / 10, mutant, 8 * EPS)


# ---- chapter 13: the place of the norm -----------------------------------------------------------

STREAM = 3 * normal(40, 4, seed=28) + 1  # (T, C); C is small, so that C and C − 1 differ


def normed(x, deviation=statistics.pstdev, mean=statistics.fmean):
    """(13a) row by row."""
    return np.array([[(entry - mean(row)) / deviation(row) for entry in row] for row in x.tolist()])


def normed_off(x, error=0.0):
    """(T, 1): how far two evaluations of (13a) lie apart, for rows x that are off by up to `error` each.

    A mean is off by C + 2 roundings of the largest entry at most, and by the error. Both move x − μ by twice as much, σ by as
    much, and a quotient, √C at most, by both over σ; C + 8 roundings, relative, come from the squares, the root and the division.
    """
    C, sigma = x.shape[1], x.std(1, keepdims=True)
    moved = error + (C + 2) * EPS * np.abs(x).max(1, keepdims=True)
    return 2 * ((2 + np.sqrt(C)) * moved / sigma + np.sqrt(C) * (C + 8) * EPS)


def layer_norm(x):
    return torch.nn.LayerNorm(x.shape[1], eps=0.0, elementwise_affine=False)(torch.from_numpy(x)).numpy()


class Wave(torch.nn.Module):
    """A sublayer that passes errors on no larger than they are."""

    def forward(self, x, places=None):
        return x.sin()


def through_block(kind):
    """STREAM through the library's block with waves for attention and feed-forward net, norms without weights or epsilon."""
    block = Block(RoFormerConfig(2, width=4, heads=1, norm=kind, epsilon=0.0)).double()
    block.attention, block.feed_forward = Wave(), torch.nn.Sequential(block.feed_forward[0], Wave())
    return block(torch.from_numpy(STREAM), None).detach().numpy()


def test_a_norm_makes_the_mean_0_and_the_deviation_1():
    """(13a): not with C − 1 for C, nor with the variance for σ, nor with the mean left in."""
    for mutant in (normed(STREAM, statistics.stdev), normed(STREAM, statistics.pvariance), normed(STREAM, mean=lambda row: 0.0)):
        holds(layer_norm(STREAM), normed(STREAM), mutant, normed_off(STREAM))
    bound = normed_off(STREAM)[:, 0]
    assert (np.abs(layer_norm(STREAM).mean(1)) <= bound).all() and (np.abs(layer_norm(STREAM).std(1) - 1) <= bound).all()


def test_post_ln_normalises_each_sum():
    """(13b), twice: not with the norm inside, around f alone, or without the sum."""
    twice = lambda step: step(step(STREAM))
    right = lambda x: normed(x + np.sin(x))
    middle = right(STREAM)
    first = normed_off(STREAM + np.sin(STREAM), 2 * EPS * (np.abs(STREAM).max() + 1))
    bound = normed_off(middle + np.sin(middle), 2 * first + 2 * EPS * 3)  # a normed entry is √C at most, a wave 1
    for mutant in (lambda x: x + np.sin(normed(x)), lambda x: x + normed(np.sin(x)), lambda x: normed(np.sin(x))):
        holds(through_block("post-LN"), twice(right), twice(mutant), bound)


def test_pre_ln_normalises_what_a_sublayer_reads():
    """(13c), twice: not with the norm around the sum, around f, or with the normed x in the sum."""
    twice = lambda step: step(step(STREAM))
    right = lambda x: x + np.sin(normed(x))
    middle = right(STREAM)
    first = normed_off(STREAM) + 2 * EPS * (np.abs(STREAM).max() + 1)
    bound = first + normed_off(middle, first) + 2 * EPS * (np.abs(middle).max() + 1)
    for mutant in (lambda x: normed(x + np.sin(x)), lambda x: x + normed(np.sin(x)), lambda x: normed(x) + np.sin(normed(x))):
        holds(through_block("pre-LN"), twice(right), twice(mutant), bound)


@pytest.mark.parametrize("a", [1e-3, 0.3, 7.0, 1e6])
def test_a_norm_lets_no_size_through(a):
    """(13d): not for −a, which turns the sign, nor with the size outside; a·x is off by one rounding."""
    bound = normed_off(STREAM, EPS * np.abs(STREAM).max())
    for mutant in (layer_norm(-a * STREAM), a * normed(STREAM)):
        holds(layer_norm(a * STREAM), normed(STREAM), mutant, bound)


# ---- chapter 15: scores and a loss for whole texts -----------------------------------------------


def macro_f1(labels, guesses, classes, f1=lambda right, present, guessed: 2 * right / (present + guessed) if present + guessed else 0.0):
    """(15a), class by class."""
    right = [sum(a == b == k for a, b in zip(labels, guesses)) for k in range(classes)]
    return statistics.fmean(f1(right[k], labels.count(k), guesses.count(k)) for k in range(classes))


def test_macro_f1_gives_each_class_the_same_weight():
    """(15a): as a loop, by precision and recall, and as scikit-learn has it; not one of the two, nor over all pieces or present classes.

    Of six classes one is guessed and never present, and one is neither. A few roundings each, and a sum of K.
    """
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    labels = [0] * 60 + [1] * 21 + [2] * 9 + [3] * 6
    guesses = [0] * 36 + [4] * 24 + [1] * 7 + [4] * 14 + [2] * 3 + [4] * 6 + [3] * 2 + [4] * 4
    found = classification_scores(confusion(torch.tensor(labels), torch.tensor(guesses), 6))["macro_f1"]
    harmonic = lambda right, present, guessed: 2 / (guessed / right + present / right) if right else 0.0
    theirs = f1_score(labels, guesses, labels=range(6), average="macro", zero_division=0)
    present = f1_score(labels, guesses, labels=sorted(set(labels)), average="macro", zero_division=0)
    recall = macro_f1(labels, guesses, 6, lambda right, present, guessed: right / max(present, 1))
    precision = macro_f1(guesses, labels, 6, lambda right, guessed, present: right / max(guessed, 1))
    for right in (macro_f1(labels, guesses, 6), macro_f1(labels, guesses, 6, harmonic), theirs):
        for mutant in (sum(a == b for a, b in zip(labels, guesses)) / len(labels), present, recall, precision):
            holds(found, right, mutant, 32 * EPS)


class Given(torch.nn.Module):
    """In a matcher's place: the vectors of a batch's texts, whose tokens are their rows in a table."""

    def __init__(self, vectors):
        super().__init__()
        self.vectors = torch.nn.Parameter(vectors)  # (3 B, C)

    def forward(self, tokens, positions, present=None):
        return self.vectors[tokens[:, 0]]


def test_an_anchor_tells_its_own_positive_from_all_candidates():
    """(15b), the mean: both sums term by term; not without negatives, other positives or the temperature, nor with i's negative alone.

    The library's scores are float32: products of C numbers, of rows of length 1, over τ, are off by C + 2 of its roundings. An
    error of scores moves a logarithm of their sum by as much, and the own score by as much again; the loss is rounded last.
    """
    B, C = 5, 16
    rows = torch.nn.functional.normalize(torch.from_numpy(normal(3 * B, C, seed=29)), dim=1).float()
    places, there = torch.arange(3 * B).view(3, B, 1), torch.ones(B, 1, dtype=bool)
    trainer = MatcherTrainer(Given(rows), [], None, TrainingConfig(), "float32")
    found = trainer.total_loss(*(part for side in places for part in (side, there))).item() / B
    a, p, n = rows.double().view(3, B, C).numpy()

    def loss(candidates, temperature=0.05):
        score = lambda x, y: math.exp(math.fsum(x * y) / temperature)
        return -statistics.fmean(math.log(score(a[i], p[i]) / sum(score(a[i], y) for y in candidates(i))) for i in range(B))

    everything = lambda i: [*p, *n]
    bound = (2 * (C + 2) / 0.05 + 4 * found) * 2.0**-24
    for mutant in (loss(lambda i: p), loss(lambda i: [p[i], *n]), loss(lambda i: [*p, n[i]]), loss(everything, 1.0), B * loss(everything)):
        holds(found, loss(everything), mutant, bound)


# ---- chapter 16: translation ---------------------------------------------------------------------


def test_cross_attention_scores_words_and_no_positions():
    """(16a): weights from qᵀk/√D; source words may change places, and outputs move with the target's. Not without √D, nor if turned."""
    cross = CrossAttention(RoFormerConfig(2, width=HEAD, heads=1)).double()
    cross.output = torch.nn.Identity()
    for seed, part in enumerate(cross.parameters(), 30):
        part.data = torch.from_numpy(normal(*part.shape, seed=seed) / np.sqrt(HEAD))
    x, source = normal(T, HEAD, seed=28), normal(T, HEAD, seed=29)
    through = lambda x, source: cross(*(torch.from_numpy(words)[None] for words in (x, source)), None)[0].detach().numpy()
    layers = cross.query, cross.key_value
    weight, bias = (torch.cat([getattr(layer, part) for layer in layers]).detach().numpy() for part in ("weight", "bias"))
    w_q, w_k, w_v = weight.reshape(3, HEAD, HEAD)
    b_q, b_k, b_v = bias.reshape(3, HEAD)

    def by_hand(x, source, root=math.sqrt(HEAD), turn=lambda words: words):
        q, k, v = turn(x @ w_q.T + b_q), turn(source @ w_k.T + b_k), source @ w_v.T + b_v
        share = [[math.exp(sum(a * b for a, b in zip(q_m, k_n)) / root) for k_n in k] for q_m in q]
        return np.array([sum(s * v_n for s, v_n in zip(row, v)) / sum(row) for row in share])

    sizes = [np.abs(words) @ np.abs(w).T + np.abs(b) for words, w, b in ((x, w_q, b_q), (source, w_k, b_k), (source, w_v, b_v))]
    bound = 2 * mean_rounding(*sizes, before=HEAD + 1)
    turned = lambda x, source: by_hand(x, source, turn=lambda words: rotate(words, np.arange(T), PLANES))
    for mutant in (by_hand(x, source, root=1), turned(x, source)):
        holds(through(x, source), by_hand(x, source), mutant, bound)
    holds(through(x, CYCLE @ source), through(x, source), turned(x, CYCLE @ source), bound)
    holds(through(CYCLE @ x, source), CYCLE @ through(x, source), turned(CYCLE @ x, source), bound)


def test_the_smoothed_loss_gives_each_token_a_share():
    """(16b): not with ε spread over the V − 1 others, nor with all of 1 for the right token, nor without the sum.

    In float32, whose unit roundoff is 2⁻²⁴: a log p is a score less a logarithm of a sum of V terms, V of them are added up.
    """
    V, epsilon = 6, 0.3
    logits = (3 * normal(200, V, seed=31)).astype(np.float32)
    wanted = np.random.default_rng(32).integers(1, V, 200)  # 0 is padding
    place = lambda scores, token: smoothed_loss(torch.from_numpy(scores)[None, None], torch.tensor([[token]]), epsilon).item()
    left = np.array([place(*pair) for pair in zip(logits, wanted)])
    log_p = [[math.log(math.exp(score) / sum(map(math.exp, row))) for score in row] for row in logits.tolist()]
    loss = lambda first, share, rest: np.array([-first * row[w] - share * (sum(row) - rest * row[w]) for row, w in zip(log_p, wanted)])
    bound = 2.0**-24 * (2 * V + 16) * (2 * np.abs(logits).max() + math.log(V))
    for mutant in (loss(1 - epsilon, epsilon / (V - 1), 1), loss(1, epsilon / V, 0), loss(1, 0, 0)):
        holds(left, loss(1 - epsilon, epsilon / V, 0), mutant, bound)


class Languages(torch.nn.Module):
    """A translator of made-up languages: the source names the language, and what was written so far gives the scores of what comes next."""

    WORDS, LONGEST = (3, 4), 4

    def next(self, language, words):
        """log p of END and of each word, by token."""
        scores = np.random.default_rng([language, *words]).standard_normal(3) + (0, 0.5, 0.5)
        return dict(zip((END, *self.WORDS), scores - math.log(sum(map(math.exp, scores)))))

    def read(self, source, present):
        return source

    def write(self, tokens, memory, present, last):
        scores = torch.full((len(tokens), 1, 5), -torch.inf)
        for row, (language, (_, *words)) in enumerate(zip(memory[:, 0].tolist(), tokens.tolist())):
            for token, log_p in self.next(language, words).items():
                scores[row, 0, token] = log_p
        return scores

    def sentences(self, language):
        """{words: log p} of all that have ended within LONGEST tokens, and of all of LONGEST words that have not."""
        def log_p(tokens):
            return sum(self.next(language, tokens[:at])[token] for at, token in enumerate(tokens))

        found = [(*words, END) for length in range(self.LONGEST) for words in product(self.WORDS, repeat=length)]
        return {tokens: log_p(tokens) for tokens in found + list(product(self.WORDS, repeat=self.LONGEST))}


def test_the_search_ranks_by_log_probability_over_a_power_of_the_length():
    """(16c): with a beam that forgets nothing the search returns the first by rank, END counted in ℓ, in each of 25 languages.

    By log p alone, with ℓ without END, with ℓ^α for a factor, or with p for log p, another sentence comes first in some. The search's
    ranks are float32: a log p of up to four terms of a few nats each is off by under 1e-5, and the first is ahead of the second by more.
    """
    model, alpha = Languages(), 0.6
    found = [beam_search(model, torch.tensor([[language]]), torch.ones(1, 1, dtype=bool), 64, alpha, model.LONGEST)[0] for language in range(25)]
    spoken = [model.sentences(language) for language in range(25)]

    def first(rank):
        best = [max(sentences, key=lambda tokens: rank(sentences[tokens], tokens)) for sentences in spoken]
        return [[token for token in tokens if token != END] for tokens in best]

    right = lambda log_p, tokens: log_p / len(tokens) ** alpha
    for sentences in spoken:
        one, two = sorted((right(log_p, tokens) for tokens, log_p in sentences.items()), reverse=True)[:2]
        assert one - two > 1e-5
    assert found == first(right)
    for mutant in (lambda log_p, tokens: log_p, lambda log_p, tokens: log_p / max(1, len(tokens) - (tokens[-1] == END)) ** alpha,
                   lambda log_p, tokens: log_p * len(tokens) ** alpha, lambda log_p, tokens: math.exp(log_p) / len(tokens) ** alpha):
        assert found != first(mutant)


def corpus(seed):
    """Eight references and translations: words left out, put in and exchanged, now too few and now too many."""
    draw = random.Random(seed)
    word = lambda: draw.choice(("house", "tree", "is", "the", "old", "green"))
    references = [[word() for _ in range(draw.randint(6, 14))] for _ in range(8)]
    changed = lambda old: draw.choices(([old], [], [old, word()], [word()]), (16, 2 + seed % 3, 2, 1))[0]
    return [sum(map(changed, text), []) for text in references], references


def precisions(translations, references, clipped=True):
    """p_1 to p_4; clipped: an n-gram that matches is crossed out in its reference."""
    shares = []
    for n in (1, 2, 3, 4):
        matches = total = 0
        for one, other in zip(translations, references):
            own, left = ([tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for text in (one, other))
            total += len(own)
            for gram in own:
                if gram in left:
                    matches += 1
                    if clipped:
                        left.remove(gram)
        shares.append(matches / total)
    return shares


def test_bleu_is_a_penalty_times_the_mean_of_four_precisions():
    """(16d): on 30 test sets; not unclipped, nor with an arithmetic mean, no penalty, or a reward for length.

    A few dozen roundings of a number up to 100: four logarithms, their mean, two exponentials, four products.
    """
    sets = [corpus(seed) for seed in range(30)]
    lengths = [[sum(map(len, texts)) for texts in pair] for pair in sets]
    assert min(h - r for h, r in lengths) < 0 < max(h - r for h, r in lengths)
    left = np.array([bleu(*([" ".join(text) for text in texts] for texts in pair))[0] for pair in sets])

    def by_hand(factor=lambda h, r: min(1, math.exp(1 - r / h)), mean=lambda p: math.prod(p) ** 0.25, **options):
        return np.array([100 * factor(*length) * mean(precisions(*pair, **options)) for length, pair in zip(lengths, sets)])

    for mutant in (by_hand(clipped=False), by_hand(mean=statistics.fmean), by_hand(factor=lambda h, r: 1), by_hand(lambda h, r: math.exp(1 - r / h)),
                   by_hand(factor=lambda h, r: min(1, math.exp(1 - h / r))), by_hand(mean=lambda p: math.prod(p[:3]) ** (1 / 3))):
        holds(left, by_hand(), mutant, 100 * 40 * EPS)

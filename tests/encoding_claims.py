"""What ten position encodings have to do, each claim a function of the code under test.

`lib` has the names of `ropebook.encodings`; `test_encodings.py` hands in the book's module and asks for no failure, then
broken copies of its source and asks for at least one.

Letters of shapes as in `ropebook.encodings`; here C = 12, D = 8, L = 64 rows in the tables, r = 4 and 32 buckets.
"""

import cmath
import dataclasses
import math
from bisect import bisect_right

import numpy as np
from rotation_claims import EPS, refuse

import ropebook

WIDTH, HEAD, LONGEST, REACH = 12, 8, 64, 4
OF_THE_OFFSET = ("NoPE", "Shaw", "Transformer-XL", "T5", "DeBERTa", "ALiBi", "RoPE")
OF_EACH_POSITION = ("sinusoidal", "learned", "TUPE")
TABLES = ("learned", "Shaw", "T5", "TUPE", "DeBERTa")  # those that know whole positions or offsets only
CLEAR = 0.1  # scores of these sizes are of order 1 to 10; what differs by more than this differs


def weights(lib, seed=0):
    return lib.random_weights(np.random.default_rng(seed), width=WIDTH, head_dim=HEAD, longest=LONGEST, reach=REACH)


def case(lib, M=9, N=7, seed=0):
    """Random words at random positions, more keys' worth of offsets than ±r, and weights: x, y, m, n, w."""
    rng = np.random.default_rng(seed + 1)
    x, y = rng.standard_normal((M, WIDTH)), rng.standard_normal((N, WIDTH))
    return x, y, rng.integers(0, 40, M), rng.integers(0, 40, N), weights(lib, seed)


def bare(lib, **values):
    """Weights that are all zero but for `values`; W_q and W_k hand the first D of C features on. Makes scores readable."""
    w, first = weights(lib), np.eye(HEAD, WIDTH)
    zeros = {f.name: np.zeros_like(getattr(w, f.name)) for f in dataclasses.fields(w) if f.name != "slope"}
    return dataclasses.replace(w, **(zeros | {"w_q": first, "w_k": first, "slope": 0.0} | values))


def word(*features):
    """One word (1, C) with the named features 1 and the others 0."""
    return np.isin(np.arange(WIDTH), features)[None].astype(float)


def rounding(x, y, w, farthest):
    """Bound (M, N) on the difference of two float64 ways to one score, with positions and offsets up to `farthest`.

    Every score is a sum of at most four products of a row beside x and a row beside y, each through a projection, plus a
    number: all terms together are at most `size`, turned pairs included. Its longest chain of roundings is two sums of C, one of
    D and fewer than 20 steps; a wave's or a turn's angle errs by less than 12 EPS of `farthest` (the power, its exponent, a product).
    """
    D, C = w.w_q.shape
    beside = np.max([np.ones(C), *np.abs([w.u, w.v]), *np.abs(w.table), *np.abs(w.relative)], axis=0)
    ask = (np.abs(x) + beside) @ np.maximum(np.abs(w.w_q), np.abs(w.u_q)).T
    asked = (np.abs(y) + beside) @ np.max(np.abs([w.w_k, w.w_r, w.u_k]), axis=0).T
    size = np.outer(ask.sum(1), asked.sum(1)) + np.abs(w.bias).max() + 2 * farthest * w.slope * math.sqrt(D)
    return 2 * EPS * (2 * C + D + 20 + 12 * farthest) * size


# ---- the paper's equations, one pair of words at a time -------------------------------------------


def wave(position):
    return np.array([f(position * 10000 ** (-2 * t / WIDTH)) for t in range(WIDTH // 2) for f in (math.sin, math.cos)])


def number_of_bucket(offset):
    """T5's rule as a list: the first distance of each bucket, 8 · 16^(i/8) rounded up from the ninth on."""
    first = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    return bisect_right(first, abs(offset)) - 1 + 16 * (offset < 0)


def equations(x, y, m, n, w):
    """Every score of one query (C,) at m and one key (C,) at n by the equation as it is printed: name -> function."""
    Q, K, R = w.w_q, w.w_k, w.w_r
    p = lambda position: w.table[int(position)]
    p_offset = lambda: w.relative[int(min(max(m - n, -REACH), REACH)) + REACH]
    b = lambda: w.bias[number_of_bucket(m - n)]
    pair = lambda z, i: complex(z[2 * i], z[2 * i + 1])
    turned = lambda i: pair(Q @ x, i) * pair(K @ y, i).conjugate() * cmath.exp(1j * (m - n) * 10000 ** (-2 * i / HEAD))
    return {
        "NoPE": lambda: x @ Q.T @ K @ y,
        "sinusoidal": lambda: (x + wave(m)) @ Q.T @ K @ (y + wave(n)),  # eqs. 3 and 4
        "learned": lambda: (x + p(m)) @ Q.T @ K @ (y + p(n)),  # eq. 3
        "Shaw": lambda: x @ Q.T @ K @ (y + p_offset()),  # eq. 5
        "Transformer-XL": lambda: x @ Q.T @ K @ y + x @ Q.T @ R @ wave(m - n) + w.u @ Q.T @ K @ y + w.v @ Q.T @ R @ wave(m - n),  # eq. 7
        "T5": lambda: x @ Q.T @ K @ y + b(),  # eq. 8
        "TUPE": lambda: x @ Q.T @ K @ y + p(m) @ w.u_q.T @ w.u_k @ p(n) + b(),  # eq. 9
        "DeBERTa": lambda: x @ Q.T @ K @ y + x @ Q.T @ K @ p_offset() + p_offset() @ Q.T @ K @ y,  # eq. 10
        "ALiBi": lambda: x @ Q.T @ K @ y - w.slope * math.sqrt(HEAD) * abs(m - n),
        "RoPE": lambda: sum(turned(i) for i in range(HEAD // 2)).real,  # eq. 35
    }


def by_the_equation(name, x, y, m, n, w):
    return np.array([[equations(a, b, i, j, w)[name]() for b, j in zip(y, n)] for a, i in zip(x, m)])


def scores_are_the_printed_equations(lib):
    assert list(lib.ENCODINGS) == list(equations(*[None] * 4, weights(lib)))
    x, y, m, n, w = case(lib)
    for name, encode in lib.ENCODINGS.items():
        error = np.abs(encode(x, y, m, n, w) - by_the_equation(name, x, y, m, n, w))
        assert (error <= rounding(x, y, w, 40)).all(), (name, error.max())


def names_are_the_functions(lib):
    functions = [lib.nope, lib.sinusoidal, lib.learned, lib.shaw, lib.transformer_xl, lib.t5, lib.tupe, lib.deberta, lib.alibi, lib.rope]
    assert list(lib.ENCODINGS.values()) == functions


def fractions_of_a_token_are_positions_where_no_table_is(lib):
    x, y, m, n, w = case(lib)
    for name in set(lib.ENCODINGS) - set(TABLES):
        error = np.abs(lib.ENCODINGS[name](x, y, m + 0.25, n / 3, w) - by_the_equation(name, x, y, m + 0.25, n / 3, w))
        assert (error <= rounding(x, y, w, 41)).all(), (name, error.max())


# ---- who depends on what ---------------------------------------------------------------------------


def some_scores_depend_on_the_offset_alone(lib):
    """All positions moved by the same number of tokens: seven encodings give the same scores, at any place."""
    for seed in range(3):
        x, y, m, n, w = case(lib, seed=seed)
        for name in OF_THE_OFFSET:
            encode = lib.ENCODINGS[name]
            for shift in (1, 13, 100_000, -1000):
                moved = np.abs(encode(x, y, m + shift, n + shift, w) - encode(x, y, m, n, w))
                assert (moved <= rounding(x, y, w, 40 + 2 * abs(shift))).all(), (name, shift)


def the_others_depend_on_each_position(lib):
    x, y, m, n, w = case(lib)
    for name in OF_EACH_POSITION:
        for shift in (1, 13):  # the tables have 64 rows
            moved = np.abs(lib.ENCODINGS[name](x, y, m + shift, n + shift, w) - lib.ENCODINGS[name](x, y, m, n, w))
            assert moved.max() > CLEAR, (name, shift)


def one_word_everywhere_gives_diagonals(lib):
    """The same word at every position: the matrix is constant along its diagonals for the seven, and for no other."""
    x, _, _, _, w = case(lib)
    same, places = np.repeat(x[:1], 20, axis=0), np.arange(20)
    bound = rounding(same, same, w, 20)[0, 0]
    for name, encode in lib.ENCODINGS.items():
        scores = encode(same, same, places, places, w)
        step = np.abs(scores[1:, 1:] - scores[:-1, :-1]).max()
        assert step <= bound if name in OF_THE_OFFSET else step > CLEAR, (name, step)


def all_but_one_depend_on_positions(lib):
    x, y, m, n, w = case(lib)
    for name, encode in lib.ENCODINGS.items():
        change = np.abs(encode(x, y, m[::-1], n, w) - encode(x, y, m, n, w)).max()
        assert change == 0 if name == "NoPE" else change > CLEAR, (name, change)


def two_cannot_tell_left_from_right(lib):
    """The offset's sign changes nothing for NoPE and ALiBi; the other five of the offset tell a key behind from a key ahead."""
    x, y, m, n, w = case(lib)
    for name in OF_THE_OFFSET:
        change = np.abs(lib.ENCODINGS[name](x, y, -m, -n, w) - lib.ENCODINGS[name](x, y, m, n, w))
        assert (change <= rounding(x, y, w, 40)).all() if name in ("NoPE", "ALiBi") else change.max() > CLEAR, name


def four_are_a_product_of_one_vector_each(lib):
    """With 40 words and D = 8: a vector of D numbers for each query and each key makes all scores of four encodings."""
    rng, places = np.random.default_rng(1), np.arange(40)
    (x, y), w = rng.standard_normal((2, 40, WIDTH)), weights(lib)
    error = np.linalg.norm(rounding(x, y, w, 40))
    for name, encode in lib.ENCODINGS.items():
        values = np.linalg.svd(encode(x, y, places, places, w), compute_uv=False)
        if name in ("NoPE", "sinusoidal", "learned", "RoPE"):
            assert values[HEAD] <= error < values[HEAD - 1], (name, values[: HEAD + 1])
        else:
            assert values[HEAD] > CLEAR, (name, values[: HEAD + 1])
        if name == "Transformer-XL":  # sin and cos of m − n are sums of products: D numbers for the words, C for the waves
            assert values[HEAD + WIDTH] <= error, values
        elif name not in ("NoPE", "sinusoidal", "learned", "RoPE"):
            assert values[HEAD + WIDTH] > 1e-3, (name, values)


def each_score_knows_its_own_pair_only(lib):
    """Any positions in any order, more queries than keys: each entry is the score of its two words alone."""
    x, y, m, n, w = case(lib)
    for name, encode in lib.ENCODINGS.items():
        whole = encode(x, y, m, n, w)
        assert whole.shape == (9, 7) and whole.dtype == np.float64, name
        alone = [[encode(x[[i]], y[[j]], m[[i]], n[[j]], w)[0, 0] for j in range(7)] for i in range(9)]
        assert (np.abs(whole - alone) <= rounding(x, y, w, 40)).all(), name
        assert encode(x[:0], y, m[:0], n, w).shape == (0, 7), name


def positions_are_numbers_whatever_holds_them(lib):
    """Lists, floats and the small unsigned integers of token arrays, whose differences would wrap around."""
    x, y, m, n, w = case(lib)
    for name, encode in lib.ENCODINGS.items():
        scores = encode(x, y, m, n, w)
        for hold in (list, np.float64, np.uint8):
            assert (np.abs(encode(x, y, hold(m), hold(n), w) - scores) <= rounding(x, y, w, 40)).all(), (name, hold)


def input_is_left_alone(lib):
    x, y, m, n, w = case(lib)
    arrays = [x, y, m, n] + [getattr(w, f.name) for f in dataclasses.fields(w) if f.name != "slope"]
    before = [a.copy() for a in arrays]
    for encode in lib.ENCODINGS.values():
        encode(x, y, m, n, w)
    for now, then in zip(arrays, before):
        np.testing.assert_array_equal(now, then)


# ---- by hand -----------------------------------------------------------------------------------------


def sinusoid_by_hand(lib):
    """(sin 1, cos 1, sin 0.01, cos 0.01) at position 1: pins order, exponent and index; the cosine does not know the sign."""
    s1, c1, s2, c2 = np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)
    expected = [[0, 1, 0, 1], [s1, c1, s2, c2], [-s1, c1, -s2, c2]]
    np.testing.assert_allclose(lib.sinusoid([0, 1, -1], 4), expected, rtol=0, atol=16 * EPS)
    np.testing.assert_allclose(lib.sinusoid([[0.5], [2]], 4, base=100.0)[:, 0, 2], np.sin([0.05, 0.2]), rtol=0, atol=16 * EPS)
    assert lib.sinusoid(3, 6).shape == (6,) and lib.sinusoid(np.zeros((2, 3)), 6).shape == (2, 3, 6)


def waves_multiply_to_cosines_of_the_offset(lib):
    """p_m · p_n is the sum of cos((m − n) θ_t): the dot product of two sinusoids depends on m − n, their attention score does not."""
    m, n = np.array([0, 3, 17, 500]), np.array([1, 40, 2])
    theta = 10000.0 ** (-2 * np.arange(WIDTH // 2) / WIDTH)
    cosines = np.cos(np.subtract.outer(m, n)[..., None] * theta).sum(-1)
    bound = EPS * (WIDTH + 12) * WIDTH + 24 * EPS * 500 * theta.sum()
    np.testing.assert_allclose(lib.sinusoid(m, WIDTH) @ lib.sinusoid(n, WIDTH).T, cosines, rtol=0, atol=bound)


def equation_6_has_four_terms(lib):
    """Words ask words, words ask positions, positions ask words, positions ask positions."""
    x, y, m, n, w = case(lib)
    tables = {"sinusoidal": (lib.sinusoid(m, WIDTH), lib.sinusoid(n, WIDTH)), "learned": (w.table[m], w.table[n])}
    for name, (p, s) in tables.items():
        score = lambda ask, asked: ask @ w.w_q.T @ w.w_k @ asked.T
        terms = score(x, y) + score(x, s) + score(p, y) + score(p, s)
        assert (np.abs(lib.ENCODINGS[name](x, y, m, n, w) - terms) <= rounding(x, y, w, 40)).all(), name


def learned_by_hand(lib):
    """Row m for the query and row n for the key, from 0; the same rows wherever the words stand in the input."""
    w = bare(lib, table=np.outer(np.arange(LONGEST), word(0)))
    assert lib.learned(word(), word(), [0], [5], w) == 0 and lib.learned(word(), word(), [63], [5], w) == 63 * 5


def offsets_by_hand(lib):
    """The row of p̃ is the offset m − n plus r: keys behind the query look at the upper half, and beyond ±r all are r."""
    offsets, rows = np.arange(-7, 8), [-4] * 4 + [-3, -2, -1, 0, 1, 2, 3] + [4] * 4
    w = bare(lib, relative=np.outer(np.arange(-REACH, REACH + 1), word(0)))
    nothing = np.zeros((15, WIDTH))
    np.testing.assert_array_equal(lib.clipped(w.relative, offsets)[:, 0], rows)
    np.testing.assert_array_equal(lib.shaw(np.repeat(word(0), 15, 0), word(), offsets + 20, [20], w)[:, 0], rows)
    np.testing.assert_array_equal(lib.shaw(nothing, word(0), offsets + 20, [20], w)[:, 0], 0)  # offsets are asked, they do not ask
    for x, y in ((np.repeat(word(0), 15, 0), word()), (nothing, word(0))):  # equation 10: m − n in both terms
        np.testing.assert_array_equal(lib.deberta(x, y, offsets + 20, [20], w)[:, 0], rows)


def deberta_projects_offsets_both_ways(lib):
    """W_k makes offsets keys, W_q makes them queries: with one of the two zero, only the other term is left."""
    features = np.eye(HEAD, WIDTH)
    relative = np.repeat(word(1), 2 * REACH + 1, 0)
    one = lambda **w: lib.deberta(word(0), word(0), [3], [1], bare(lib, relative=relative, **w))[0, 0]
    swap = features[[1, 0, *range(2, HEAD)]]  # feature 1 where feature 0 was
    assert one() == 1 and one(w_k=swap) == one(w_q=swap) == 2  # x·y, or x·p̃ and p̃·y


def transformer_xl_by_hand(lib):
    """Sines of m − n are positive for keys behind; u asks words, v asks offsets, both through W_q."""
    see_sine, places = np.outer(np.eye(HEAD)[0], word(0)), np.array([0, 1, 2, 3])
    v_only = bare(lib, w_r=see_sine, v=word(0)[0])
    behind = lib.transformer_xl(np.zeros((4, WIDTH)), word(), places, [0], v_only)[:, 0]
    np.testing.assert_allclose(behind, np.sin(places), atol=8 * EPS)
    ahead = lib.transformer_xl(word(0), np.zeros((4, WIDTH)), [0], places, bare(lib, w_r=see_sine))[0]
    np.testing.assert_allclose(ahead, -np.sin(places), atol=8 * EPS)
    u_only = bare(lib, u=word(2)[0])
    assert lib.transformer_xl(word(), word(2), [9], [1], u_only) == 1 and lib.transformer_xl(word(), word(3), [9], [1], u_only) == 0


def buckets_by_hand(lib):
    """Distances 0 to 7 alone, then 8 to 11, 12 to 15, 16 to 22, …, 91 and more; 16 higher where the key is ahead (m < n)."""
    distances = [0, 1, 7, 8, 11, 12, 15, 16, 22, 23, 31, 32, 45, 46, 63, 64, 90, 91, 127, 128, 129, 100_000]
    expected = [0, 1, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15, 15, 15, 15]
    np.testing.assert_array_equal(lib.bucket(distances), expected)
    np.testing.assert_array_equal(lib.bucket([-d for d in distances[1:]]), [b + 16 for b in expected[1:]])
    np.testing.assert_array_equal(lib.bucket([0, 1, 2, 3, 4, 5, 100, -1, -2, -3, -100], buckets=8, longest=8),
                                  [0, 1, 2, 2, 3, 3, 3, 5, 6, 6, 7])  # fmt: skip
    assert set(lib.bucket(np.arange(-300, 300)).tolist()) == set(range(32)) - {16}  # no distance 0 ahead: bucket 16 stays empty
    assert lib.bucket([[3]]).shape == (1, 1) and lib.bucket([3]).dtype.kind == "i"


def t5_adds_the_bucket_s_number(lib):
    w = bare(lib, bias=np.arange(32.0))
    np.testing.assert_array_equal(lib.t5(np.zeros((3, WIDTH)), word(), [5, 0, 900], [3], w)[:, 0], [2, 19, 15])
    half = bare(lib, bias=np.arange(16.0))  # as many buckets as there are numbers
    np.testing.assert_array_equal(lib.t5(np.zeros((3, WIDTH)), word(), [5, 0, 900], [3], half)[:, 0], [2, 11, 7])


def tupe_is_t5_and_a_product_of_positions(lib):
    x, y, m, n, w = case(lib)
    positions = w.table[m] @ w.u_q.T @ w.u_k @ w.table[n].T
    error = np.abs(lib.tupe(x, y, m, n, w) - lib.t5(x, y, m, n, w) - positions)
    assert (error <= rounding(x, y, w, 40)).all()


def alibi_by_hand(lib):
    """After the division by √D the score falls by the slope per token, on both sides of the query."""
    w, places = bare(lib, slope=0.25), np.arange(10)
    fall = lib.alibi(word(), np.zeros((10, WIDTH)), [4], places, w)[0] / math.sqrt(HEAD)
    np.testing.assert_allclose(fall, -0.25 * np.abs(places - 4), rtol=8 * EPS)
    assert (lib.alibi(*case(lib)[:4], dataclasses.replace(case(lib)[4], slope=0.0)) == lib.nope(*case(lib))).all()


def rope_is_the_rotation_between(lib):
    """q · R_{n−m} k with the rotation written out as a matrix, equation 16; sin(m − n) where q is e_0 and k is e_1."""
    x, y, m, n, w = case(lib)
    theta = ropebook.frequencies(HEAD)
    turn = lambda i, j: ropebook.rotation_matrix(n[j] - m[i], theta)
    between = [[w.w_q @ x[i] @ turn(i, j) @ w.w_k @ y[j] for j in range(7)] for i in range(9)]
    assert (np.abs(lib.rope(x, y, m, n, w) - between) <= rounding(x, y, w, 40)).all()
    np.testing.assert_allclose(lib.rope(word(0), word(1), [3], [1], bare(lib)), np.sin(2), atol=16 * EPS)


# ---- weights and refusals ----------------------------------------------------------------------------


def random_weights_have_their_shapes(lib):
    w = lib.random_weights(np.random.default_rng(0), width=6, head_dim=4, longest=10, reach=3, buckets=8)
    shapes = {"w_q": (4, 6), "w_k": (4, 6), "table": (10, 6), "relative": (7, 6), "bias": (8,), "w_r": (4, 6),
              "u": (6,), "v": (6,), "u_q": (4, 6), "u_k": (4, 6)}  # fmt: skip
    assert {name: getattr(w, name).shape for name in shapes} == shapes and w.slope == 0.25
    assert len({getattr(w, name).ravel()[0] for name in shapes}) == len(shapes)  # ten independent draws
    again = lib.random_weights(np.random.default_rng(0), width=6, head_dim=4, longest=10, reach=3, buckets=8)
    assert all((getattr(w, name) == getattr(again, name)).all() for name in shapes)
    assert len(weights(lib).bias) == 32


def random_weights_keep_the_size(lib):
    """Entries of variance 1/C in projections, 1 elsewhere: a sample of k of them is within 5 standard errors, √(2/k)."""
    w = lib.random_weights(np.random.default_rng(0), width=64, head_dim=32, longest=100, reach=50, buckets=400)
    for name in ("w_q", "w_k", "w_r", "u_q", "u_k", "table", "relative", "bias"):
        values = getattr(w, name)
        size = (values**2).mean() * (64 if name[1] == "_" else 1)
        assert abs(size - 1) < 5 * math.sqrt(2 / values.size), (name, size)


def shapes_that_do_not_fit_are_refused(lib):
    """Every encoding names what it was given and what it expected, and broadcasts nothing."""
    x, y, m, n, w = case(lib)
    for encode in lib.ENCODINGS.values():
        refuse(lambda: encode(x[:, :11], y, m, n, w), "x", "(T, 12)", "(9, 11)")
        refuse(lambda: encode(x, y[:, :1], m, n, w), "y", "(T, 12)", "(7, 1)")
        refuse(lambda: encode(x[0], y, m, n, w), "x", "(T, 12)", "(12,)")
        refuse(lambda: encode(x, y, m[:8], n, w), "x", "9", "(8,)")
        refuse(lambda: encode(x, y, m, n[:1], w), "y", "7", "(1,)")
        refuse(lambda: encode(x[:1], y, m, n, w), "x", "1", "(9,)")
        refuse(lambda: encode(x, y, m, n[:, None], w), "y", "7", "(7, 1)")


def positions_without_a_row_are_refused(lib):
    x, y, m, n, w = case(lib)
    for name in ("learned", "TUPE"):
        for wrong in (64, -1):
            there = np.r_[m[:-1], wrong]
            refuse(lambda: lib.ENCODINGS[name](x, y, there, n, w), "0 to 63", str(wrong))
            refuse(lambda: lib.ENCODINGS[name](y, x, n, there, w), "0 to 63", str(wrong))
    for name in TABLES:
        refuse(lambda: lib.ENCODINGS[name](x, y, m + 0.5, n, w), "whole", ".5")
        refuse(lambda: lib.ENCODINGS[name](x, y, np.r_[m[:-1], np.nan], n, w), "finite", "nan")
    refuse(lambda: lib.clipped(w.relative, [1.5]), "whole", "1.5")
    refuse(lambda: lib.bucket([2, -0.25]), "whole", "-0.25")


def buckets_that_do_not_halve_twice_are_refused(lib):
    for wrong in (30, 2, 0, -4):
        refuse(lambda: lib.bucket([1], buckets=wrong), "multiple of 4", str(wrong))
    x, y, m, n, w = case(lib)
    refuse(lambda: lib.t5(x, y, m, n, dataclasses.replace(w, bias=w.bias[:6])), "multiple of 4", "6")
    refuse(lambda: lib.sinusoid([1], 5), "even", "5")


CLAIMS = [
    scores_are_the_printed_equations, names_are_the_functions, fractions_of_a_token_are_positions_where_no_table_is,
    some_scores_depend_on_the_offset_alone, the_others_depend_on_each_position, one_word_everywhere_gives_diagonals,
    all_but_one_depend_on_positions, two_cannot_tell_left_from_right, four_are_a_product_of_one_vector_each,
    each_score_knows_its_own_pair_only, positions_are_numbers_whatever_holds_them, input_is_left_alone,
    sinusoid_by_hand, waves_multiply_to_cosines_of_the_offset, equation_6_has_four_terms, learned_by_hand, offsets_by_hand,
    deberta_projects_offsets_both_ways, transformer_xl_by_hand, buckets_by_hand, t5_adds_the_bucket_s_number,
    tupe_is_t5_and_a_product_of_positions, alibi_by_hand, rope_is_the_rotation_between, random_weights_have_their_shapes,
    random_weights_keep_the_size, shapes_that_do_not_fit_are_refused, positions_without_a_row_are_refused,
    buckets_that_do_not_halve_twice_are_refused,
]  # fmt: skip

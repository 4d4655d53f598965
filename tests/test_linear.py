"""Linear attention with RoPE: both orders of the sums, what is relative, the denominators; on our code and on broken copies."""

import math
import subprocess
import sys
import tracemalloc
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated
from rotation_claims import EPS, normal, refuse, rounding

from ropebook import frequencies, linear, linear_torch
from ropebook.rotation_torch import rotation_table

torch.set_num_threads(1)
D, E, T = 8, 5, 90
THETA = frequencies(D)
HERE = np.arange(T) * 1.5 - 7  # positions
Q, K = normal(2, T, D, seed=1)
V = normal(T, E, seed=2)
LARGEST = np.abs(HERE).max() * THETA[0]  # angle, radians
RELATIVE = [form for form in linear.FORMS if form != "rotate first"]


def off(a, b, c, d, v, out, causal=False):
    """Bound on the difference of two evaluations of `out`, whose sums are of F products and of T terms, in any order and in chunks.

    Each numerator and denominator is off by 2T + F roundings of the sizes of its terms; a quotient by both, relative to the
    denominator, and by one more.
    """
    weights, parts = np.abs(a) @ np.abs(b).swapaxes(-1, -2), np.abs(c) @ np.abs(d).swapaxes(-1, -2)
    total = c @ d.swapaxes(-1, -2)
    if causal:
        weights, parts, total = np.tril(weights), np.tril(parts), np.tril(total)
    above, below = weights @ np.abs(v), parts.sum(-1, keepdims=True)
    return 2 * EPS * (2 * v.shape[-2] + a.shape[-1] + 4) * (above + np.abs(out) * below) / np.abs(total.sum(-1, keepdims=True))


def elu_plus_one(x):
    return x + 1 if x > 0 else math.exp(x)


def turned(row, position):
    """R_m times one row, pair by pair."""
    out = []
    for i, speed in enumerate(THETA):
        first, second, angle = row[2 * i], row[2 * i + 1], position * speed
        out += [first * math.cos(angle) - second * math.sin(angle), first * math.sin(angle) + second * math.cos(angle)]
    return out


def dot(x, y):
    return math.fsum(p * r for p, r in zip(x, y))


@cache
def by_loops(turn, causal):
    """(17) with the similarity φ(q)·φ(k), or (19): two sums, term by term, for each word."""
    phi_q, phi_k = ([[elu_plus_one(x) for x in row] for row in rows] for rows in (Q, K))
    a, b = ([turned(row, at) if turn else row for row, at in zip(rows, HERE)] for rows in (phi_q, phi_k))
    out = np.empty((T, E))
    for m in range(T):
        seen = range(m + 1 if causal else T)
        below = math.fsum(dot(phi_q[m], phi_k[n]) for n in seen)
        for e in range(E):
            out[m, e] = math.fsum(V[n, e] * dot(a[m], b[n]) for n in seen) / below
    return out


# Claims about `lib`, the names of ropebook/linear.py.


def the_table_gives_17_and_19(lib):
    """A turned product is off by `rounding` of its lengths, on each side, and elu + 1 by one unit."""
    for form in ("plain", "equation 19"):
        a, b, c, d = lib.sides(Q, K, HERE, THETA, form)
        lengths = np.linalg.norm(c, axis=1)[:, None] * np.linalg.norm(d, axis=1)  # (T, T)
        for causal in (False, True):
            got, right = lib.quadratic(a, b, c, d, V, causal), by_loops(form == "equation 19", causal)
            seen = np.tri(T) if causal else np.ones((T, T))
            products = 2 * (rounding(D, 2 * LARGEST) + 2 * EPS) * (seen * lengths) @ np.abs(V) / (seen * (c @ d.T)).sum(1, keepdims=True)
            assert (np.abs(got - right) <= off(a, b, c, d, V, right, causal) + products).all(), (form, causal)


def sums_give_what_the_table_gives(lib):
    for form in linear.FORMS:
        sides = lib.sides(Q, K, HERE, THETA, form)
        table = lib.quadratic(*sides, V)
        assert (np.abs(lib.summed(*sides, V) - table) <= off(*sides, V, table)).all(), form


def chunks_give_what_the_causal_table_gives(lib):
    for form in linear.FORMS:
        sides = lib.sides(Q, K, HERE, THETA, form)
        table = lib.quadratic(*sides, V, causal=True)
        for chunk in (1, 7, 64, T, 10 * T):
            assert (np.abs(lib.prefix_summed(*sides, V, chunk) - table) <= off(*sides, V, table, causal=True)).all(), (form, chunk)
        assert np.array_equal(lib.prefix_summed(*sides, V), lib.prefix_summed(*sides, V, 64))


def leading_axes_pass_through(lib):
    """Two texts of three heads at once, and each alone."""
    q, k = normal(2, 2, 3, 10, D, seed=3)
    v, at = normal(2, 3, 10, E, seed=4), np.arange(10.0)
    for form in linear.FORMS:
        sides = lib.sides(q, k, at, THETA, form)
        for attend, causal in ((lib.quadratic, False), (lambda *x: lib.quadratic(*x, causal=True), True), (lib.summed, False),
                               (lambda *x: lib.prefix_summed(*x, 4), True)):  # fmt: skip
            whole = attend(*sides, v)
            assert whole.shape == v.shape
            alone = lib.sides(q[1, 2], k[1, 2], at, THETA, form)
            one = attend(*alone, v[1, 2])
            assert (np.abs(whole[1, 2] - one) <= off(*alone, v[1, 2], one, causal)).all(), form


def no_word_sees_a_later_one(lib):
    """Causal outputs do not change by a bit when later words do, in the table and in chunks of one word."""
    other_k, other_v = K.copy(), V.copy()
    other_k[40:], other_v[40:] = normal(T - 40, D, seed=5), 100.0
    for form in linear.FORMS:
        for attend in (lambda *x: lib.quadratic(*x, causal=True), lambda *x: lib.prefix_summed(*x, 1)):
            one, other = (attend(*lib.sides(Q, k, HERE, THETA, form), v) for k, v in ((K, V), (other_k, other_v)))
            assert np.abs(one - other)[:40].max() <= 1e-12 and np.abs(one - other)[40:].max() > 0.1, form


def weights_know_the_offset_alone(lib):
    """All positions moved by 1000.5: a weight changes by the rounding of four angles; turned before the features it changes by far more.

    The features of 1 + cos are divided by a length, D + 2 roundings more.
    """
    shift = 1000.5
    for form in linear.FORMS:
        (a, b, *_), (moved_a, moved_b, *_) = (lib.sides(Q, K, HERE + by, THETA, form) for by in (0, shift))
        change = np.abs(moved_a @ moved_b.T - a @ b.T)
        lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
        bound = lengths * (rounding(D, 2 * LARGEST) + rounding(D, 2 * (LARGEST + shift)) + 2 * (D + 2) * EPS)
        assert (change <= bound).all() == (form in RELATIVE), form
        assert form in RELATIVE or change.max() > 1
    a, b, *_ = lib.sides(Q, K, HERE, THETA)
    stretched = lib.sides(Q, K, 2 * HERE, THETA)
    assert np.abs(a @ b.T - stretched[0] @ stretched[1].T).max() > 1  # position is in it


def bare_denominators_are_positive_and_turned_ones_are_not(lib):
    """A head that uses its fastest pair: one large feature, all others e^−6; every word sees itself and those before it."""
    fast = np.full((200, 32), -6.0)
    fast[:, 0] = 4.0
    here, theta = np.arange(200), frequencies(32)
    below = lambda form: np.tril((sides := lib.sides(fast, fast, here, theta, form))[2] @ sides[3].T).sum(axis=1)
    assert (below("rotated denominator") < 0).mean() > 0.1
    for form in ("equation 19", "plain", "rotate first"):
        assert below(form).min() > 0, form
    for form in ("rotated denominator", "equation 19"):
        a, b, c, d = lib.sides(fast, fast, here, theta, form)
        assert (np.abs(lib.quadratic(a, b, c, d, np.ones((200, 1)), causal=True) - 1).max() > 0.5) == (form == "equation 19")


def shares_add_up_to_one_but_in_equation_19(lib):
    """Values of 1 have the mean 1."""
    ones = np.ones((T, 1))
    for form in linear.FORMS:
        sides = lib.sides(Q, K, HERE, THETA, form)
        near = np.abs(lib.quadratic(*sides, ones) - 1) <= off(*sides, ones, ones)
        assert near.all() == (form != "equation 19"), form


def one_plus_cosine_is_never_negative(lib):
    """Also where a key is the opposite of the query: two sums of D products of rows that are one long, each off by D + 4 roundings."""
    a, b, c, d = lib.sides(Q, -K, HERE, THETA, "one plus cosine")
    assert a.shape == b.shape == (T, D + 1) and a is c and b is d
    turned_q = np.array([turned(row, at) for row, at in zip(Q, HERE)])
    a, b, *_ = lib.sides(np.concatenate([Q, Q]), np.concatenate([K, -Q]), np.tile(HERE, 2), THETA, "one plus cosine")
    weights = a[:T] @ b.T
    assert weights.min() >= -2 * (D + 4) * EPS and np.abs(np.diag(weights[:, T:])).max() <= 2 * (D + 4) * EPS
    by_hand = 1 - dot(turned_q[3], turned_q[8]) / math.hypot(*Q[3]) / math.hypot(*Q[8])
    assert abs(weights[3, T + 8] - by_hand) <= 2 * rounding(D, 2 * LARGEST)


def features_are_elu_plus_one(lib):
    """Positive down to where e^x is rounded to 0, at −745; by hand to two units."""
    x = np.concatenate([np.linspace(-740, 30, 500), [0.0, -1e-9, 1e-9]])
    got = lib.feature_map(x)
    np.testing.assert_allclose(got, [elu_plus_one(value) for value in x], rtol=4 * EPS)
    assert (got > 0).all() and (lib.feature_map(np.array([-746, -1e9, 1e300])) == [0, 0, 1e300]).all()
    assert np.array_equal(lib.feature_map(np.float32([-103, -105])) > 0, [True, False])


def single_precision_stays(lib):
    q, k, v = (x.astype(np.float32) for x in (Q, K, V))
    assert lib.feature_map(q).dtype == np.float32
    for form in linear.FORMS:
        sides = lib.sides(q, k, HERE, THETA, form)
        outputs = lib.quadratic(*sides, v), lib.quadratic(*sides, v, causal=True), lib.summed(*sides, v), lib.prefix_summed(*sides, v)
        assert {x.dtype for x in (*sides, *outputs)} == {np.dtype(np.float32)}, form


def memory_of_the_sums_grows_like_the_text(lib):
    """At most four arrays of T rows and E numbers, and nothing of T²: 20,000 words in 26 MB. The first length stops a table early."""
    peaks = []
    for length in (2_000, 10_000, 20_000):
        a, b, c, d = normal(4, length, 8, seed=6) ** 2
        v = normal(length, 40, seed=7)
        tracemalloc.start()
        try:
            lib.summed(a, b, c, d, v)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert peaks[-1] <= 4 * v.nbytes
    assert peaks[2] <= 2.1 * peaks[1]


def bad_input_is_refused(lib):
    refuse(lambda: lib.sides(Q, K, HERE, THETA, "rotate second"), "rotate second", *linear.FORMS)
    refuse(lambda: lib.sides(Q, K, HERE[:-1], THETA), "90", "89")
    refuse(lambda: lib.sides(Q, K, HERE, THETA[:-1]), "8", "6")
    for chunk in (0, -3):
        refuse(lambda: lib.prefix_summed(*lib.sides(Q, K, HERE, THETA), V, chunk), str(chunk))


CLAIMS = [the_table_gives_17_and_19, sums_give_what_the_table_gives, chunks_give_what_the_causal_table_gives, leading_axes_pass_through,
          no_word_sees_a_later_one, weights_know_the_offset_alone, bare_denominators_are_positive_and_turned_ones_are_not,
          shares_add_up_to_one_but_in_equation_19, one_plus_cosine_is_never_negative, features_are_elu_plus_one, single_precision_stays,
          memory_of_the_sums_grows_like_the_text, bad_input_is_refused]  # fmt: skip
SOURCE = Path(linear.__file__)

MUTANTS = [
    ("np.where(x > 0, x + 1,", "np.where(x > 0, x,"),
    ("np.where(x > 0, x + 1,", "np.where(x > 1, x + 1,"),
    ("np.exp(np.minimum(x, 0)))", "np.expm1(np.minimum(x, 0)))"),
    ("np.exp(np.minimum(x, 0)))", "np.exp(np.minimum(x, 0), dtype=np.float64))"),  # float32 becomes float64
    ("rotate(x, positions, theta)\n", "rotate(x, -positions, theta)\n"),
    ("return turn(c), turn(d), c, d", "return turn(c), d, c, d"),
    ("return turn(c), turn(d), c, d", "return turn(d), turn(c), c, d"),
    ("return turn(c), turn(d), c, d", "return turn(c), turn(d), turn(c), turn(d)"),
    ("return turn(c), turn(d), c, d", "return c, d, turn(c), turn(d)"),
    ("return turn(c), turn(d), c, d", "return feature_map(turn(q)), feature_map(turn(k)), c, d"),
    ("a, b = feature_map(turn(q)), feature_map(turn(k))", "a, b = turn(feature_map(q)), turn(feature_map(k))"),
    ("a, b = turn(feature_map(q)), turn(feature_map(k))", "a, b = feature_map(turn(q)), feature_map(turn(k))"),
    ("_with_one(turn(q)), _with_one(turn(k))", "_with_one(turn(q)), _with_one(k)"),
    ("unit = x / np.linalg.norm(x, axis=-1, keepdims=True)", "unit = x"),
    ("np.ones_like(unit[..., :1])", "np.zeros_like(unit[..., :1])"),
    ("raise ValueError(f\"form", "a = b = q  # raise ValueError(f\"form"),
    ("np.tri(v.shape[-2], dtype=bool)", "np.tri(v.shape[-2], k=-1, dtype=bool)"),
    ("np.tri(v.shape[-2], dtype=bool)", "np.tri(v.shape[-2], dtype=bool).T"),
    ("np.where(seen, weights, 0), np.where(seen, parts, 0)", "np.where(seen, weights, 0), parts"),
    ("parts.sum(axis=-1, keepdims=True)\n\n\ndef summed", "parts.sum(axis=-2, keepdims=True).swapaxes(-1, -2)\n\n\ndef summed"),
    ("d.sum(axis=-2, keepdims=True).swapaxes(-1, -2)  # (..., F, 1)", "b.sum(axis=-2, keepdims=True).swapaxes(-1, -2)"),
    ("return a @ state / (c @ total)", "return a @ state / (a @ total)"),
    ("return a @ state / (c @ total)", "return a @ b.swapaxes(-1, -2) @ v / (c @ total)"),  # the table after all
    ("if chunk < 1:", "if chunk < 0:"),
    ("np.tril(A @ B.swapaxes(-1, -2)), np.tril(C @", "np.tril(A @ B.swapaxes(-1, -2)), (C @"),
    ("keepdims=True) + C @ total", "keepdims=True)"),
    ("(weights @ V + A @ state) / sums", "(weights @ V) / sums"),
    ("state += B.swapaxes(-1, -2) @ V", "state = B.swapaxes(-1, -2) @ V"),
    ("total += D.sum", "total += B.sum"),
    ("np.zeros((*a.shape[:-2], a.shape[-1], v.shape[-1]), out.dtype)", "np.zeros((a.shape[-1], v.shape[-1]), out.dtype)"),
    ("np.result_type(a, v)", "float"),
]  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim_holds(claim):
    claim(linear)


@pytest.mark.parametrize("old, new", MUTANTS, ids=[f"{old} → {new}" for old, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(SimpleNamespace(**mutated(SOURCE, old, new)), CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    """The harness itself breaks nothing: an edit that changes no meaning fails no claim."""
    assert failures(SimpleNamespace(**mutated(SOURCE, "np.where(x > 0, x + 1,", "np.where(x > 0, 1 + x,")), CLAIMS) == []


def test_numpy_takes_no_torch():
    code = "import sys, ropebook.linear; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


# ---- torch ---------------------------------------------------------------------------------------
# Claims about `lib`, the names of ropebook/linear_torch.py.

TABLE = rotation_table(HERE, THETA, torch.float64)


def tensors(*arrays):
    return [torch.from_numpy(x) for x in arrays]


def torch_makes_the_same_features(lib):
    """torch's elu is expm1, whose 1 is added after rounding: off by one unit of 1, times the length √D of such errors."""
    x = np.concatenate([np.linspace(-800, 30, 300), [0.0]])
    got = lib.feature_map(torch.from_numpy(x)).numpy()
    assert (np.abs(got - linear.feature_map(x)) <= 2 * EPS * np.maximum(1, got)).all()
    for dtype, least in ((torch.float32, -17), (torch.float64, -37)):
        assert (lib.feature_map(torch.tensor([least, least - 1], dtype=dtype)) > 0).tolist() == [True, False]
    for form in linear.FORMS:
        got, right = lib.sides(*tensors(Q, K), TABLE, form), linear.sides(Q, K, HERE, THETA, form)
        for one, other in zip(got, right, strict=True):
            bound = 2 * rounding(D, LARGEST) * (1 + np.linalg.norm(other, axis=-1, keepdims=True))
            assert one.shape == other.shape and (np.abs(one.numpy() - other) <= bound).all(), form


def torch_sums_as_numpy_does(lib):
    for form in linear.FORMS:
        sides = linear.sides(Q, K, HERE, THETA, form)
        for causal in (False, True):
            right = linear.quadratic(*sides, V, causal)
            got = lib.quadratic(*tensors(*sides, V), causal).numpy()
            assert (np.abs(got - right) <= off(*sides, V, right, causal)).all(), (form, causal)


def torch_refuses_another_form(lib):
    refuse(lambda: lib.sides(*tensors(Q, K), TABLE, "rotate second"), "rotate second", *linear.FORMS)


TORCH_CLAIMS = [torch_makes_the_same_features, torch_sums_as_numpy_does, torch_refuses_another_form]

TORCH_MUTANTS = [
    ("F.elu(x) + 1", "F.elu(x)"),
    ("F.elu(x) + 1", "F.relu(x) + 1"),
    ("apply_table(x, table)\n", "apply_table(x, table.conj())\n"),
    ("return turn(c), turn(d), c, d", "return turn(c), turn(d), turn(c), turn(d)"),
    ("return turn(c), turn(d), c, d", "return turn(c), d, c, d"),
    ("feature_map(turn(q)), feature_map(turn(k))", "turn(feature_map(q)), turn(feature_map(k))"),
    ("turn(feature_map(q)), turn(feature_map(k))", "feature_map(turn(q)), feature_map(turn(k))"),
    ("(1, 0), value=1.0", "(0, 1), value=1.0"),
    ("(1, 0), value=1.0", "(1, 0)"),
    ("F.normalize(turn(x), dim=-1)", "F.normalize(turn(x), dim=-2)"),
    ("a, b = feature_map(q), feature_map(k)", "a, b = q, k"),
    ("return a, b, a, b", "return a, b, b, a"),
    ("weights.tril(), parts.tril()", "weights.tril(), parts"),
    ("weights.tril(), parts.tril()", "weights.triu(), parts.triu()"),
    ("parts.sum(dim=-1, keepdim=True)", "parts.sum(dim=-2, keepdim=True).mT"),
    ("parts.sum(dim=-1, keepdim=True)", "weights.sum(dim=-1, keepdim=True)"),
]


@pytest.mark.parametrize("claim", TORCH_CLAIMS, ids=lambda claim: claim.__name__)
def test_claim_holds_in_torch(claim):
    claim(linear_torch)


@pytest.mark.parametrize("old, new", TORCH_MUTANTS, ids=[f"{old} → {new}" for old, new in TORCH_MUTANTS])
def test_torch_mutant_is_caught(old, new):
    lib = SimpleNamespace(**mutated(Path(linear_torch.__file__), old, new))
    assert failures(lib, TORCH_CLAIMS), f"no claim notices {new!r} for {old!r}"


@pytest.mark.parametrize("form", linear.FORMS)
def test_gradients_are_finite_and_reach_every_argument(form):
    q, k, v = (x.requires_grad_() for x in tensors(Q.copy(), K.copy(), V.copy()))
    linear_torch.quadratic(*linear_torch.sides(q, k, TABLE, form), v, causal=True).square().sum().backward()
    for x in (q, k, v):
        assert x.grad.isfinite().all() and x.grad.abs().sum() > 0


def test_gradients_of_equation_19_are_those_of_its_differences():
    q, k, v = (torch.from_numpy(x[:3]).clone().requires_grad_() for x in (Q, K, V))
    table = rotation_table(HERE[:3], THETA, torch.float64)
    attend = lambda q, k, v: linear_torch.quadratic(*linear_torch.sides(q, k, table), v, causal=True)
    assert torch.autograd.gradcheck(attend, (q, k, v))

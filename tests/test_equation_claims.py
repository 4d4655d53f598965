"""What the displayed equations say, in numbers: both sides at random words and positions, and a mutated side that must differ.

code/authoring/equations.toml names for each equation the test that would fail if it were wrong. SymPy has no part in these:
they read the equation anew. Rounding is bounded by `rounding` of rotation_claims.py, once for each side.
"""

import numpy as np
import pytest
from rotation_claims import EPS, normal, rounding

from ropebook.frequencies import frequencies
from ropebook.rotation import angles, rotate, rotation_matrix

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
    f_q, f_k = number(X) * np.exp(M * (KAPPA + 1j * THETA)), number(Y) * np.exp(N * (-KAPPA + 1j * THETA))
    formula = lambda u: np.exp(KAPPA * u) * (number(X) * number(Y).conj() * np.exp(1j * THETA * (M - N))).real
    speed = KAPPA + THETA
    holds((f_q * f_k.conj()).real, formula(M - N), formula(M + N), LENGTHS * np.exp(KAPPA * (M - N)) * (off(M, N, speed) + off(M - N, 0, speed)))


def test_lengths_are_kept():
    """(27): the turned word is as long as the word; with e^{κm} it grows."""
    length = np.linalg.norm(X, axis=1)
    holds(np.linalg.norm(turned(X, M), axis=1), length, length * np.exp(KAPPA * M), 2 * length * rounding(2, 0))


def test_the_boost_meets_the_wish():
    """(3f): the boost's score, whose terms fade and grow with the offset, and do not with the offset reversed."""
    score, size = boosted(M, N)
    terms = X * Y
    formula = lambda u: terms[:, 0] * np.exp(-KAPPA * u) + terms[:, 1] * np.exp(KAPPA * u)
    holds(score.real, formula(M - N), formula(N - M), size * (off(M, N, KAPPA) + off(M - N, 0, KAPPA)))


# ---- chapter 5: many planes ----------------------------------------------------------------------


@pytest.mark.parametrize("base", [10000.0, 500.0, 0.5])
def test_frequencies_fall_by_the_same_factor(base):
    """(5a): log θ_i = −(2i/d) log b, and −(i/d) log b is another spectrum; exponent and logarithm are rounded, six times in all."""
    spectrum = lambda step: np.exp(-step * np.arange(4) / 8 * np.log(base))
    theta = frequencies(8, base)
    holds(theta, spectrum(2), spectrum(1), theta * EPS * 6 * (np.abs(np.log(theta)) + 1))


PLANES = np.array([1.0, 0.3, 0.05, 0.002])  # (D/2,) radians per token


@pytest.mark.parametrize("m", [1.0, -7.0, 2.5, 300.0])
def test_the_matrix_has_a_block_for_each_pair(m):
    """(15): cosines on the diagonal and a quarter turn of each neighbour by the sine, zeros elsewhere; not pairs (i, i + d/2)."""
    z = np.exp(1j * m * PLANES)
    blocks = np.kron(np.diag(z.real), np.eye(2)) + np.kron(np.diag(z.imag), QUARTER)
    half_split = np.kron(np.eye(2), np.diag(z.real)) + np.kron(QUARTER, np.diag(z.imag))
    matrix = rotation_matrix(m, PLANES)
    holds(matrix, blocks, half_split, 2 * rounding(2, abs(m)))
    assert np.count_nonzero(matrix) == 16


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

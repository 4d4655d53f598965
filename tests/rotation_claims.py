"""What a rotary embedding has to do, each claim a function of the code under test.

`lib` has `frequencies`, `rotate` and `rotate_half_split` on NumPy arrays; `test_rotation.py` hands in the book's NumPy and
torch code and asks for no failure, `test_mutants.py` hands in broken copies and asks for at least one.
"""

import numpy as np

EPS = 2.0**-53  # unit roundoff of float64
BASE = 10000.0


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def rounding(dim, angle):
    """Bound on the rounding error of one rotated row of norm 1, or of a dot product of two, in float64.

    An angle position * theta is rounded once, relative 1 EPS, and moves a unit vector by no more than the angle's error;
    cos and sin (1 ulp each), two products and a sum a coordinate, then a sum of `dim` products: under (dim + 12) EPS.
    """
    return EPS * (angle + dim + 12)


def theta_by_hand(lib):
    np.testing.assert_allclose(lib.frequencies(4), [1.0, 0.01], rtol=4 * EPS)  # pins the exponent: 2i/d, not i/d
    np.testing.assert_allclose(lib.frequencies(4, base=100.0), [1.0, 0.1], rtol=4 * EPS)
    np.testing.assert_allclose(lib.frequencies(6, base=8.0), [1.0, 0.5, 0.25], rtol=4 * EPS)


def one_hot_by_hand(lib):
    """(1, 0, 0, 0) at position 1 becomes (cos 1, sin 1, 0, 0): pins the pairing and the sign."""
    theta = np.array([1.0, 0.01])
    c1, s1, c2, s2 = np.cos(1), np.sin(1), np.cos(0.01), np.sin(0.01)
    expected = [[c1, s1, 0, 0], [-s1, c1, 0, 0], [0, 0, c2, s2], [0, 0, -s2, c2]]
    for i in range(4):
        got = lib.rotate(np.eye(4)[i][None], [1], theta)[0]
        np.testing.assert_allclose(got, expected[i], atol=rounding(4, 1.0))


def one_hot_by_hand_half_split(lib):
    theta = np.array([1.0, 0.01])
    c1, s1, c2, s2 = np.cos(1), np.sin(1), np.cos(0.01), np.sin(0.01)
    expected = [[c1, 0, s1, 0], [0, c2, 0, s2], [-s1, 0, c1, 0], [0, -s2, 0, c2]]
    for i in range(4):
        got = lib.rotate_half_split(np.eye(4)[i][None], [1], theta)[0]
        np.testing.assert_allclose(got, expected[i], atol=rounding(4, 1.0))


def position_zero_changes_nothing(lib):
    x, theta = normal(3, 8), lib.frequencies(8)
    for turn in (lib.rotate, lib.rotate_half_split):
        np.testing.assert_array_equal(turn(x, np.zeros(3), theta), x)


def score_depends_on_the_offset_alone(lib):
    """Shift both positions by up to a million tokens: q·k stays, within the rounding of the four angles."""
    dim = 16
    theta = lib.frequencies(dim)
    q, k = normal(2, 50, dim)
    pair_norms = np.hypot(q[:, 0::2], q[:, 1::2]) @ np.diag(theta), np.hypot(k[:, 0::2], k[:, 1::2])
    halves = np.hypot(q[:, :8], q[:, 8:]) @ np.diag(theta), np.hypot(k[:, :8], k[:, 8:])
    norms = np.linalg.norm(q, axis=1) * np.linalg.norm(k, axis=1)
    for turn, (weighted, other) in ((lib.rotate, pair_norms), (lib.rotate_half_split, halves)):
        score = lambda m, n: (turn(q, np.full(50, m), theta) * turn(k, np.full(50, n), theta)).sum(-1)
        for m, n in ((0, 0), (7, 2), (3, 40)):
            for shift in (1, 1000, 1_000_000, -1_000_000):
                turned = sum(map(abs, (m, n, m + shift, n + shift)))  # tokens whose angles were rounded
                bound = EPS * turned * (weighted * other).sum(-1) + 2 * rounding(dim, 0) * norms
                assert (np.abs(score(m + shift, n + shift) - score(m, n)) <= bound).all(), (turn.__name__, m, n, shift)


def offset_matters(lib):
    """The score does change with the offset: position is in it, and so is the base."""
    q, k = normal(2, 1, 8)
    for turn in (lib.rotate, lib.rotate_half_split):
        score = lambda m, n, theta: float((turn(q, [m], theta) * turn(k, [n], theta)).sum())
        near = score(1, 0, lib.frequencies(8))
        assert abs(near - score(2, 0, lib.frequencies(8))) > 1e-3
        assert abs(near - score(1, 0, lib.frequencies(8, base=100.0))) > 1e-3


def norms_are_kept(lib):
    x, theta = normal(100, 32), lib.frequencies(32)
    norms = np.linalg.norm(x, axis=-1)
    for turn in (lib.rotate, lib.rotate_half_split):
        turned = np.linalg.norm(turn(x, np.arange(100) * 1000.0, theta), axis=-1)
        np.testing.assert_allclose(turned, norms, rtol=2 * rounding(32, 0))


def turns_add_up(lib):
    """R_a R_b = R_{a+b}, and R_{-a} undoes R_a."""
    x, theta = normal(5, 8), lib.frequencies(8)
    a, b = np.array([1.0, 2.5, -3.0, 100.0, 0.0]), np.array([4.0, 0.5, 3.0, -7.0, 11.0])
    atol = 5 * rounding(8, 200.0)
    for turn in (lib.rotate, lib.rotate_half_split):
        np.testing.assert_allclose(turn(turn(x, a, theta), b, theta), turn(x, a + b, theta), atol=atol)
        np.testing.assert_allclose(turn(turn(x, a, theta), -a, theta), x, atol=atol)


def each_row_has_its_own_position(lib):
    x, theta, positions = normal(2, 3, 4, 8), lib.frequencies(8), np.array([0.0, 5.0, 1.0, 30.0])
    for turn in (lib.rotate, lib.rotate_half_split):
        whole = turn(x, positions, theta)
        assert whole.shape == x.shape
        for t, position in enumerate(positions):
            np.testing.assert_array_equal(whole[1, 2, t], turn(x[1, 2, t][None], [position], theta)[0])


def input_is_left_alone(lib):
    x = normal(4, 8)
    before = x.copy()
    for turn in (lib.rotate, lib.rotate_half_split):
        turn(x, np.arange(4), lib.frequencies(8))
        np.testing.assert_array_equal(x, before)


def tables_are_made_in_float64(lib):
    """float32 rows at position 131072: float32 angles would err by 4.9e-3, a cast table by float32's rounding alone."""
    x, theta, positions = normal(4, 64), lib.frequencies(64), np.array([131069.0, 131070, 131071, 131072])
    for turn in (lib.rotate, lib.rotate_half_split):
        exact, single = turn(x, positions, theta), turn(x.astype(np.float32), positions, theta)
        assert single.dtype == np.float32
        bound = 6 * 2.0**-24 * np.abs(x).max() * np.sqrt(2)  # x, table, two products, a sum: six roundings
        assert np.abs(single - exact).max() <= bound


def bad_input_is_refused(lib):
    """Every refusal is a ValueError that names what was given and, for lengths, what was expected."""
    x, theta = normal(3, 8), lib.frequencies(8)
    refuse(lambda: lib.frequencies(7), "7")
    refuse(lambda: lib.frequencies(0), "0")
    refuse(lambda: lib.frequencies(8.5), "8.5")
    refuse(lambda: lib.frequencies(8, base=np.nan), "nan")
    refuse(lambda: lib.frequencies(8, base=np.inf), "inf")
    refuse(lambda: lib.frequencies(8, base=0.0), "0.0")
    for turn in (lib.rotate, lib.rotate_half_split):
        refuse(lambda: turn(x[:, :7], np.arange(3), theta), "7")
        refuse(lambda: turn(x, np.arange(3), lib.frequencies(6)), "8", "6")
        refuse(lambda: turn(x, np.arange(4), theta), "3", "4")
        refuse(lambda: turn(x, np.arange(1), theta), "3", "1")
        refuse(lambda: turn(x, [0, 1, np.nan], theta), "nan")
        refuse(lambda: turn(x, np.arange(3), theta[:, None]), "(4, 1)")
        refuse(lambda: turn(x.astype(int), np.arange(3), theta), "int64")
        refuse(lambda: turn(x[0], [1], theta), "(8,)")


def refuse(call, *named):
    try:
        call()
    except ValueError as error:
        missing = [text for text in named if text not in str(error)]
        assert not missing, f"{error} does not name {missing}"
    else:
        raise AssertionError(f"not refused; expected a ValueError that names {named}")


CLAIMS = [theta_by_hand, one_hot_by_hand, one_hot_by_hand_half_split, position_zero_changes_nothing, score_depends_on_the_offset_alone,
          offset_matters, norms_are_kept, turns_add_up, each_row_has_its_own_position, input_is_left_alone, tables_are_made_in_float64,
          bad_input_is_refused]

"""The black boxes of chapter 04: encoders for exercise 4.5, matrices for exercise 4.6, each with what it should teach."""

import numpy as np

from ropebook.rotation import rotation_matrix


def _basis(d, seed):
    """An orthonormal basis of R^d that nobody would guess."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def _turns(theta, P=None):
    """G = P R_1 P^T with speeds theta."""
    R = rotation_matrix(1, np.asarray(theta, dtype=np.float64))
    return R if P is None else P @ R @ P.T


def encoder(G):
    """The encoder f(x, m) that moves x by G^m, whole m only."""

    def f(x, m):
        if m != np.floor(m):
            raise ValueError(f"this encoder knows whole positions only, got m = {m}")
        x = np.asarray(x, dtype=np.float64)
        if x.shape[-1:] != (len(G),):
            raise ValueError(f"this encoder takes vectors of {len(G)} numbers, got shape {x.shape}")
        return x @ np.linalg.matrix_power(G, int(m)).T

    return f


def folded(theta):
    """Angles brought into [0, π]: what a plane's speed can be told from."""
    return np.abs(np.angle(np.exp(1j * np.asarray(theta))))


def _turner(name, theta, P, advice):
    return name, _turns(theta, P), np.sort(folded(theta)), advice


EIGENVALUES = "A plane that turns by θ has the eigenvalues e^(iθ) and e^(−iθ) in G, whose columns are f(e_j, 1)."
HIDDEN = "Its planes do not lie along the axes: use what no basis can hide, the eigenvalues of G, whose columns are f(e_j, 1)."
STILL = "Two eigenvalues 1 make one plane that stands still, θ = 0."
EVENS = np.eye(6)[[0, 2, 4, 1, 3, 5]]  # pair i of the half-split layout is (x[i], x[i + 3])
TURNERS = (
    _turner("RoPE with the paper's speeds", [1, 0.01], None, EIGENVALUES),
    _turner("one plane", [2.4], None, EIGENVALUES),
    _turner("three planes in the half-split layout", [0.3, 1.1, 2.5], EVENS, HIDDEN),
    _turner("three planes in a hidden basis", [0.02, 0.9, 2.2], _basis(6, 0), HIDDEN),
    _turner("RoPE that turns by −θ", [-1, -0.1, -0.01], None, "θ and −θ are one and the same plane, seen from its two sides: give the angle in [0, π]."),
    _turner("no position at all (NoPE)", [0, 0], None, STILL),
    _turner("a plane that stands still, hidden", [0, 0.4, 1.7], _basis(6, 1), STILL),
    _turner("two planes of the same speed, hidden", [0.8, 0.8, 0.3], _basis(6, 2), "Equal angles of two planes count twice."),
    _turner("a plane that turns by π", [np.pi, 0.5], None, "Two eigenvalues −1 make one plane that turns by π."),
    _turner("turns by π and 0, hidden", [np.pi, 0, np.pi, 1.2], _basis(8, 3), "Two eigenvalues −1 make one plane that turns by π, two eigenvalues 1 one that stands still."),
    _turner("speeds above π, hidden", [5, 2 * np.pi + 0.3, 0.7], _basis(6, 4), "On whole tokens a turn by 5 is a turn by 2π − 5 the other way."),
    _turner("RoPE for d = 64, hidden", 10000.0 ** -np.arange(0, 1, 1 / 32), _basis(64, 5), HIDDEN),
)  # fmt: skip


# ---- matrices whose powers stay bounded, or not ------------------------------


def _inside(*blocks):
    """The blocks on the diagonal of one matrix."""
    blocks = [np.atleast_2d(np.asarray(b, dtype=np.float64)) for b in blocks]
    out = np.zeros((sum(map(len, blocks)),) * 2)
    at = 0
    for b in blocks:
        out[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return out


def _seen_from(S, G):
    return S @ G @ np.linalg.inv(S)


SKEWED = np.array([[1.0, 6.0], [0.0, 1.0]])
SKEWED_4 = np.array([[1.0, 2, 0, -1], [0, 1, 3, 0], [0, 0, 1, 2], [0, 0, 0, 1]])
JORDAN = np.block([[_turns([0.7]), np.eye(2)], [np.zeros((2, 2)), _turns([0.7])]])
ON_CIRCLE = "All its eigenvalues have size 1, and still it grows, like n: that happens when there are not enough eigenvectors for a basis."
SPLIT = "Rounding may split a double eigenvalue, so that eigenvectors are only nearly the same."
NOT_ORTHOGONAL = "It is no orthogonal matrix, and lengths change; but it is S R S⁻¹ with a rotation or signs R, so its powers S Rⁿ S⁻¹ stay bounded."
BACKWARD = "Forward its powers shrink, and backward they grow: n runs over both signs."
SINGULAR = "A singular G has no inverse and so no negative powers: False."
POWERS = tuple((name, np.asarray(G, dtype=np.float64), bounded, advice) for name, G, bounded, advice in (
    ("a turn", _turns([0.3]), True, "Its powers are turns."),
    ("the identity", np.eye(3), True, "All its powers are the identity."),
    ("a mirror", np.diag([1, -1]), True, "Its powers are itself and the identity."),
    ("growth in one direction, shrinking in the other", np.diag([1.25, 0.8]), False, "Its determinant is 1 and areas stay, but one direction grows at every step."),
    ("a turn that grows by 1 % at each step", 1.01 * _turns([0.3]), False, "1 % for each token is a factor of 20 000 after 1000 tokens."),
    ("a turn that shrinks by 1 % at each step", 0.99 * _turns([0.3]), False, BACKWARD),
    ("a shear", [[1, 1], [0, 1]], False, ON_CIRCLE),
    ("a shear that flips", [[-1, 0], [2, -1]], False, ON_CIRCLE),
    ("a turn seen from a skewed basis", _seen_from(SKEWED, _turns([0.7])), True, NOT_ORTHOGONAL),
    ("a mirror seen from a skewed basis", _seen_from(SKEWED, np.diag([1.0, -1.0])), True, NOT_ORTHOGONAL),
    ("shrinking in every direction", np.diag([0.8, 0.9]), False, BACKWARD),
    ("a projection", [[1, 0], [0, 0]], False, SINGULAR),
    ("a hidden projection", [[0.5, 0.5], [0.5, 0.5]], False, SINGULAR),
    ("the zero matrix", np.zeros((2, 2)), False, SINGULAR),
    ("two equal turns that run into each other", JORDAN, False, ON_CIRCLE),
    ("two equal turns that run into each other, hidden", _seen_from(_basis(4, 1), JORDAN), False, f"{ON_CIRCLE} {SPLIT}"),
    ("two equal turns side by side", _inside(_turns([0.7]), _turns([0.7])), True, "Eigenvalues come twice here, but so do eigenvectors: nothing grows."),
    ("a hidden shear", [[3, -4], [1, -1]], False, f"{ON_CIRCLE} {SPLIT}"),
    ("two equal turns in a skewed basis", _seen_from(SKEWED_4, _inside(_turns([0.7]), _turns([0.7]))), True, NOT_ORTHOGONAL),
    ("a turn and two signs in a skewed basis", _seen_from(SKEWED_4, _inside(_turns([2.1]), 1, -1)), True, NOT_ORTHOGONAL),
    ("an exchange of three numbers", [[0, 1, 0], [0, 0, 1], [1, 0, 0]], True, "After three steps everything is back."),
    ("a hidden growth", [[1.025, 0.225], [0.225, 1.025]], False, "Its determinant is 1, but its eigenvalues are 1.25 and 0.8."),
    ("a turn beside a turn that grows", _inside(_turns([1.9]), 1.01 * _turns([0.2])), False, "One growing plane is enough."),
    ("a shear in three dimensions", [[1, 1, 0], [0, 1, 1], [0, 0, 1]], False, ON_CIRCLE),
    ("a turn beside a shear", _inside(_turns([1.1]), [[1, 1], [0, 1]]), False, ON_CIRCLE),
    ("one number, −1", [[-1]], True, "Its powers are 1 and −1."),
    ("one number, 0.8", [[0.8]], False, BACKWARD),
    ("a turn in six dimensions, hidden", _turns([0.1, 1.3, 2.8], _basis(6, 7)), True, "It is orthogonal: its powers keep lengths."),
))  # fmt: skip

"""Wrong answers to the exercises of chapter 01, each with part of the lesson that its checker must give."""

from itertools import permutations

import numpy as np
import sympy as sp

q_1, k_1, k_2, v_1, v_2 = sp.symbols("q_1 k_1 k_2 v_1 v_2", real=True)
weight = 1 / (1 + sp.exp(-q_1 * (k_1 - k_2)))


def sorts_order(order):
    P = np.eye(len(order))[list(order)]
    order.sort()
    return P


def moves_along(f, rng, lengths=(1, 2, 3, 5, 8), C=4, tolerance=1e-9, draws=5, draw="standard_normal", shuffle=None, compare=None):
    """The right test of exercise 1.5 with its mistakes as options."""
    compare = compare or (lambda there, here, order: np.abs(there - here[order]).max() <= tolerance)
    for T in list(lengths) * draws:
        x = getattr(rng, draw)((T, C))
        order = shuffle(T) if shuffle else rng.permutation(T)
        if not compare(f(x[order]), f(x), order):
            return False
    return True


def blind(**mistake):
    return lambda f, rng: moves_along(f, rng, **mistake)


def only_if_right(f, rng):
    if moves_along(f, rng):
        return True


def swap_first_two(T):
    return np.r_[1, 0, 2:T] if T > 1 else np.arange(T)


MUTANTS = [
    ("1.1", lambda order: np.eye(len(order))[:, order], "undoes the shuffle"),
    ("1.1", lambda order: np.eye(len(order))[np.argsort(order)], "undoes the shuffle"),
    ("1.1", lambda order: np.eye(len(order)), "the identity"),
    ("1.1", lambda order: np.eye(len(order))[::-1], "reverses the words"),
    ("1.1", lambda order: np.eye(3)[[1, 2, 0]], "must have shape (1, 1); yours has shape (3, 3)"),
    ("1.1", lambda order: np.array(order), "yours has shape (3,)"),
    ("1.1", lambda order: np.eye(len(order))[order if len(order) < 5 else np.roll(order, 1)], "row 0 of P X should be row 3 of X; yours is row 2"),
    ("1.1", lambda order: np.zeros((len(order), len(order))), "a single 1 in each row"),
    ("1.1", lambda order: np.outer(order, order), "a single 1 in each row"),
    ("1.1", lambda order: np.eye(len(order))[order] * -1, "a single 1 in each row"),
    ("1.1", lambda order: np.eye(len(order))[order] / 0.9999, "a single 1 in each row"),
    ("1.1", lambda order: np.full((len(order), len(order)), np.nan), "not finite"),
    ("1.1", lambda order: np.eye(len(order))[np.sort(order)[::-1]], "reverses the words"),
    ("1.1", lambda order: np.eye(len(order))[order][None], "yours has shape (1, 3, 3)"),
    ("1.1", lambda order: np.eye(len(order))[order].tolist()[0], "shape (3,)"),
    ("1.1", lambda order: [["a"] * len(order)] * len(order), "matrix of real numbers"),
    ("1.1", lambda order: np.eye(len(order))[order] + 1j, "matrix of real numbers"),
    ("1.1", lambda order: np.eye(len(order))[order].astype(int).astype(str), "matrix of real numbers"),
    ("1.1", sorts_order, "Work on a copy"),
    ("1.2", (60, 4, 60), "cannot tell any two orders apart"),
    ("1.2", (4, 4, 60), "an encoder has no last word"),
    ("1.2", (0, 4, 60), "at least 1"),
    ("1.2", (2, 4, 60), "a shuffle leaves the mean as it is"),
    ("1.2", (1, 5, 60), "only four different words"),
    ("1.2", (1, 60, 60), "as a bag"),
    ("1.2", (1, 1, 60), "a different last word shows"),
    ("1.2", (1, 24, 60), "end in *the*"),
    ("1.2", (1, 12, 60), "end in *dog*"),
    ("1.2", (1, 7, 60), "Which words can stand last"),
    ("1.2", (1, 4, 24), "four different words"),
    ("1.2", (1, 4, 120), "only 60 orders"),
    ("1.2", (1, 4, 4), "That is one layer"),
    ("1.2", (1, 4, 1), "a different past"),
    ("1.2", (1, 4, 59), "differ at some first place"),
    ("1.2", (1, 4, -60), "not a count"),
    ("1.2", (1, np.nan, 60), "not a count"),
    ("1.2", (1, 4, 59.5), "not a count"),
    ("1.2", np.array([1, 4, 60 + 1j]), "three numbers"),
    ("1.2", {1, 4, 60}, "blind to order"),
    ("1.2", (1, 4), "three numbers"),
    ("1.2", "1, 4, 60", "three numbers"),
    ("1.2", ("1", "4", "60"), "three numbers"),
    ("1.2", 60, "three numbers"),
    ("1.3", "q_1(k_1 - k_2)", "SymPy knows no function q_1"),
    ("1.3", q_1 * (k_2 - k_1), "sign is opposite"),
    ("1.3", k_1 - k_2, "Where is the query?"),
    ("1.3", k_2 - k_1, "Where is the query?"),
    ("1.3", weight, "Asked is z itself"),
    ("1.3", 1 - weight, "the weight of v_2"),
    ("1.3", sp.exp(q_1 * (k_1 - k_2)), "Take its logarithm"),
    ("1.3", sp.exp(q_1 * (k_2 - k_1)), "mind the sign"),
    ("1.3", q_1 * k_1, "the first score alone"),
    ("1.3", q_1 * k_2, "the second score alone"),
    ("1.3", q_1 * (k_1 + k_2), "the weights stay"),
    ("1.3", k_1 / k_2, "subtracts their exponents"),
    ("1.3", sp.log(k_1 / k_2), "can be negative"),
    ("1.3", q_1 * (k_1 - k_2) / sp.sqrt(2), "with your z, σ(z) is"),
    ("1.3", sp.I * q_1 * (k_1 - k_2), "not real"),
    ("1.3", sp.Abs(q_1) * (k_1 - k_2), "v_1 has the weight 0.8389"),
    ("1.3", sp.Piecewise((q_1 * (k_2 - k_1), (q_1 < 0) & (k_1 > k_2)), (q_1 * (k_1 - k_2), True)), "For q_1 = -0.8"),
    ("1.3", 10**6 * q_1, "with your z, σ(z) is"),
    ("1.3", v_2 + (v_1 - v_2) * weight, "I also see v_1, v_2"),
    ("1.3", sp.nan, "finite"),
    ("1.3", sp.Eq(sp.Symbol("z"), q_1 * (k_1 - k_2)), "Expected one SymPy expression"),
    ("1.3", lambda q, a, b: q * (a - b), "Expected a SymPy expression, got function"),
    ("1.4", 2048, "holds every whole number"),
    ("1.4", 1024, "the steps are finer"),
    ("1.4", 1465, "larger place of the pair"),
    ("1.4", 1463, "differ still"),
    ("1.4", 1490, "smaller m are confused, too"),
    ("1.4", 11864338, "single precision"),
    ("1.4", 190, "bfloat16"),
    ("1.4", 10**9, "rounded to 0"),
    ("1.4", 45, "two numbers"),
    ("1.4", 1464.5, "whole number from 1 on"),
    ("1.4", 1 / 1464, "whole number from 1 on"),
    ("1.4", -1464, "whole number from 1 on"),
    ("1.4", np.inf, "whole number from 1 on"),
    ("1.4", np.nan, "whole number from 1 on"),
    ("1.4", True, "one whole number"),
    ("1.4", np.bool_(True), "one whole number"),
    ("1.4", "1464", "one whole number"),
    ("1.4", b"1464", "one whole number"),
    ("1.4", [1464], "one whole number"),
    ("1.4", np.complex128(1464 + 1j), "one whole number"),
    ("1.4", lambda: 1464, "one whole number"),
    ("1.5", lambda f, rng: True, "sees order: attention after adding the place"),
    ("1.5", lambda f, rng: False, "it is blind: attention"),
    ("1.5", lambda f, rng: not moves_along(f, rng), "it is blind: attention"),
    ("1.5", blind(compare=lambda there, here, order: np.array_equal(there, here[order])), "allow for rounding"),
    ("1.5", blind(tolerance=1e-16), "allow for rounding"),
    ("1.5", blind(tolerance=0.05), "Your tolerance is too large"),
    ("1.5", blind(compare=lambda there, here, order: np.abs(there - here).max() < 1e-9), "must move with the words"),
    ("1.5", blind(compare=lambda there, here, order: np.abs(there[order] - here).max() < 1e-9), "must move with the words"),
    ("1.5", blind(compare=lambda there, here, order: np.abs(there.sum(0) - here.sum(0)).max() < 1e-9), "the order of the words reversed"),
    ("1.5", blind(shuffle=swap_first_two, compare=lambda there, here, order: np.abs(there[-1] - here[-1]).max() < 1e-9, lengths=(3, 5)), "instead of moving with the words"),
    ("1.5", blind(lengths=(2,), draws=20), "nor does reversing them"),
    ("1.5", blind(lengths=(1,)), "attention after adding the place"),
    ("1.5", lambda f, rng: all(moves_along(f, rng, lengths=(3,), draws=1, shuffle=lambda T: list(p)) for p in permutations(range(3))),
     "nor do three words alone"),
    ("1.5", blind(compare=lambda there, here, order: np.allclose(there[:, 0], here[order, 0])), "Compare all features"),
    ("1.5", blind(compare=lambda there, here, order: np.allclose((there**2).sum(1), (here[order] ** 2).sum(1))), "their lengths stay"),
    ("1.5", blind(draw="random"), "features of both signs"),
    ("1.5", blind(shuffle=lambda T: np.arange(T)[::-1]), "nor does reversing them"),
    ("1.5", blind(shuffle=lambda T: np.roll(np.arange(T), 1)), "nor does rotating them"),
    ("1.5", blind(shuffle=swap_first_two), "draw random orders"),
    ("1.5", blind(shuffle=np.arange), "attention after adding the place"),
    ("1.5", only_if_right, "every path needs a return"),
    ("1.5", lambda f, rng: "blind", "True or False, not str"),
    ("1.5", lambda f, rng: 1, "True or False, not int"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("1.1", lambda order: [[1 if column == row else 0 for column in range(len(order))] for row in order]),
    ("1.1", lambda order: np.arange(len(order)) == np.array(order)[:, None]),
    ("1.1", lambda order: np.eye(len(order), dtype=np.uint8)[:, order].T),
    ("1.1", lambda order: sp.eye(len(order))[list(order), :]),
    ("1.2", [1, 4, 60]),
    ("1.2", np.array([1, 4, 60])),
    ("1.2", (1.0, sp.Integer(4), np.int64(60))),
    ("1.3", q_1 * k_1 - q_1 * k_2),
    ("1.3", "q_1*(k_1 - k_2)"),
    ("1.3", sp.log(sp.exp(q_1 * k_1) / sp.exp(q_1 * k_2))),
    ("1.3", sp.Symbol("q_1") * (sp.Symbol("k_1") - sp.Symbol("k_2"))),
    ("1.3", -sp.log(1 / weight - 1)),
    ("1.3", 1.0 * q_1 * (k_1 - k_2) + 0.0),
    ("1.4", np.int64(1464)),
    ("1.4", 1464.0),
    ("1.4", sp.Integer(1464)),
    ("1.4", next(m for m in range(1, 10**5) if np.float16(1 / m) == np.float16(1 / (m + 1)))),
    ("1.5", blind(compare=lambda there, here, order: np.abs(there[-1] - here[order[-1]]).max() < 1e-9, draws=20)),  # for all orders, one row tells all
    ("1.5", blind(tolerance=1e-8)),
    ("1.5", blind(tolerance=1e-4)),
    ("1.5", blind(compare=lambda there, here, order: np.allclose(there, here[order]))),
    ("1.5", blind(compare=lambda there, here, order: np.isclose(there, here[order]).all())),
    ("1.5", blind(lengths=(64,), draws=1)),
    ("1.5", lambda f, rng: all(moves_along(f, rng, lengths=(4,), draws=1, shuffle=lambda T: list(p)) for p in permutations(range(4)))),
    ("1.5", blind(lengths=(10,), draws=3, C=1)),
]

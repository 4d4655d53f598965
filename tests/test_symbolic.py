"""The equation checks refuse what is wrong, and print what they checked."""

import pytest
import sympy as sp

from ropebook.symbolic import MIME, Rotation, difference, inner, latex, named, named_matrix, prove, state

m, n, theta = sp.symbols("m n theta", real=True)
x, y = sp.symbols("x y")
R = lambda position: Rotation(position, theta)


def test_prove_accepts_an_identity_and_prints_both_sides():
    equation = prove("16", R(m).T * R(n), R(n - m), mutants={"m − n": R(m - n)})
    assert equation.kind == "identity"
    assert equation.latex == r"R_{m}^{\top} R_{n} = R_{n - m}"
    assert "(16)" in repr(equation) and "m − n" in repr(equation)


@pytest.mark.parametrize("rhs", [R(m - n), R(n), R(n - m).T, 2 * R(n - m)], ids=str)
def test_prove_refuses_a_false_equation(rhs):
    with pytest.raises(AssertionError, match=r"\(16\) left − right"):
        prove("16", R(m).T * R(n), rhs, mutants={"sum": R(m + n)})


def test_prove_refuses_a_mutant_that_is_no_change():
    with pytest.raises(AssertionError, match="also accepts the mutated form: twice turned round"):
        prove("16", R(m).T * R(n), R(n - m), mutants={"twice turned round": R(m - n).T})


def test_prove_needs_a_mutant():
    with pytest.raises(ValueError, match="at least one"):
        prove("16", R(m), R(m), mutants={})


def test_record_carries_the_latex():
    bundle = state("15", theta, 1 / m, kind="definition", code="ropebook.frequencies")._repr_mimebundle_()
    assert bundle[MIME] == {"tag": "15", "kind": "definition", "latex": r"\theta = \frac{1}{m}", "mutants": [], "code": "ropebook.frequencies"}
    assert bundle["text/plain"] == "(15) is a definition, implemented by ropebook.frequencies."


@pytest.mark.parametrize("kind, code, message", [
    ("lemma", "", "'lemma'"),
    ("definition", "", "needs the name of the code"),
    ("definition", "ropebook.no_such_function", "no_such_function"),
])
def test_state_refuses(kind, code, message):
    with pytest.raises(ValueError, match=message):
        state("1", x, y, kind=kind, code=code)


def test_named_functions_print_as_names_and_expand_in_proofs():
    f = named("f_q", (x, m), x * sp.exp(sp.I * m * theta))
    assert latex(f(x, m)) == "f_q(x, m)"
    assert difference(f(x, 0), x) == 0
    assert difference(f(f(x, m), n), f(x, m + n)) == 0
    assert difference(inner(f(x, m), f(y, m)), inner(x, y)) == 0
    assert difference(inner(f(x, m), f(y, n)), inner(x, y)) != 0


def test_matrix_prints_on_one_line():
    text = latex(R(m).as_explicit())
    assert "\n" not in text and r"\\" not in text and text.count(r"\cr") == 1


# ---- matrices with names -------------------------------------------------------------------------

d = sp.Symbol("d", integer=True, positive=True)
G, X, Y = (sp.MatrixSymbol(name, d, d) for name in "GXY")


def test_rotation_of_several_planes_is_block_diagonal():
    speeds = sp.symbols("theta_0 theta_1", real=True)
    blocks = Rotation(m, speeds)
    assert latex(blocks) == "R_{m}"
    assert blocks.as_explicit() == sp.diag(*(Rotation(m, speed).as_explicit() for speed in speeds))
    prove("16", blocks.T * Rotation(n, speeds), Rotation(n - m, speeds), mutants={"m − n": Rotation(m - n, speeds)})


def test_named_matrices_print_as_names_also_inside_products():
    swap = named_matrix("P", lambda: sp.Matrix([[0, 1], [1, 0]]))()
    column = named_matrix("x", lambda: sp.Matrix([x, y]))()
    twice = named_matrix("A({})", lambda v: 2 * v)
    assert latex(twice(swap * column)) == "A(P x)" and latex(swap.T * column) == r"P^{\top} x"
    assert difference(twice(swap * column), 2 * swap * column) == sp.zeros(2, 1)
    assert difference(twice(swap * column), 2 * column) != sp.zeros(2, 1)


def test_matrix_symbols_stand_for_matrices_of_any_size():
    power = named_matrix("B_{{{}}}", lambda at: G**at)
    prove("4e", power(m).T * X * power(n), (G**m).T * X * G**n, mutants={"X last": (G**m).T * G**n * X, "n for m": (G**n).T * X * G**n})
    assert difference(power(m) * power(n), power(m + n)) == sp.ZeroMatrix(d, d)
    with pytest.raises(AssertionError, match=r"\(1\) left − right"):
        prove("1", X * Y, Y * X, mutants={"sum": X + Y})


def test_a_row_times_a_column_is_a_number():
    row = sp.ImmutableMatrix([[x, y]])
    prove("1", sp.MatMul(row, row.T), x**2 + y**2, mutants={"minus": x**2 - y**2})


def test_compound_transposes_have_brackets():
    assert latex(sp.Transpose(sp.MatMul(X, Y))) == r"\left(X Y\right)^{\top}"
    assert latex(X.T) == r"X^{\top}"


def test_a_mutant_that_differs_only_far_out_is_still_rejected_by_simplifying():
    """At the point where numbers are tried first the two agree; then the difference decides."""
    tried = sp.Rational(2, 37)
    prove("1", x, x, mutants={"touches at the point": x + (x - tried) ** 9})

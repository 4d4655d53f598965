"""The equation checks refuse what is wrong, and print what they checked."""

import pytest
import sympy as sp

from ropebook.symbolic import MIME, Rotation, difference, inner, latex, named, prove, state

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

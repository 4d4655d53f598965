"""Equations that a machine has read: what a chapter displays is printed from the SymPy object that the chapter checks.

`prove` takes the two sides of an identity and refuses it unless their difference simplifies to 0 and unless each mutated
form, a sign or an index changed, does not. `state` records an equation that is not proved: a definition, a requirement or
an assumption. Both return an `Equation`, whose cell output carries the LaTeX printed from the two sides; the book's
notebook check compares it, character by character, with the display that the reader sees.
"""

import importlib
from dataclasses import dataclass

import sympy as sp
from sympy.printing.latex import LatexPrinter

MIME = "application/vnd.ropebook.equation+json"
KINDS = ("definition", "requirement", "assumption")


@dataclass(frozen=True)
class Equation:
    """One displayed equation: its number, its kind, its two sides as printed, and what was checked about it."""

    tag: str
    kind: str
    latex: str
    remark: str
    mutants: tuple = ()
    code: str = ""

    def __repr__(self):
        return f"({self.tag}) {self.remark}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        record = {"tag": self.tag, "kind": self.kind, "latex": self.latex, "mutants": list(self.mutants), "code": self.code}
        return {"text/plain": repr(self), MIME: record}


def prove(tag, lhs, rhs, mutants):
    """Check an identity and the ways in which it could have been wrong.

    tag      its number, such as "16"
    lhs, rhs SymPy expressions or matrices; `named` functions in them are replaced by what they stand for
    mutants  {"what was changed": mutated right-hand side}, at least one
    returns  an `Equation` of kind "identity"
    raises   AssertionError if left − right does not simplify to 0, or if it does so for a mutant
    """
    if not mutants:
        raise ValueError(f"({tag}) needs at least one mutated form, got none")
    rest = difference(lhs, rhs)
    if not _vanishes(rest):
        raise AssertionError(f"({tag}) left − right simplifies to {rest}, not to 0")
    for change, mutant in mutants.items():
        if _vanishes(difference(lhs, mutant)):
            raise AssertionError(f"({tag}) the check also accepts the mutated form: {change}")
    remark = f"holds: left − right simplifies to 0.\nRejected when changed: {'; '.join(mutants)}."
    return Equation(tag, "identity", f"{latex(lhs)} = {latex(rhs)}", remark, tuple(mutants))


def state(tag, lhs, rhs, kind, code=""):
    """Record an equation that is not an identity.

    tag      its number
    lhs, rhs SymPy expressions; only their LaTeX is used
    kind     "definition" (of something that `code` implements), "requirement" or "assumption"
    code     for a definition, the full name of the function that implements it: "ropebook.frequencies"
    returns  an `Equation`
    raises   ValueError for another kind, for a definition without code, or for code that does not exist
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind == "definition":
        module, _, name = code.rpartition(".")
        if not module or not hasattr(importlib.import_module(module), name):
            raise ValueError(f"({tag}) is a definition and needs the name of the code that implements it, got {code!r}")
    remark = f"is {'an' if kind == 'assumption' else 'a'} {kind}{f', implemented by {code}' if code else ''}."
    return Equation(tag, kind, f"{latex(lhs)} = {latex(rhs)}", remark, code=code)


def named(name, parameters, body):
    """A function that prints as `name(arguments)` and stands for `body`: what a display shows and what a proof expands.

    name        LaTeX, such as "f_q"
    parameters  symbols of which body is made
    body        SymPy expression
    returns     a SymPy function class
    """

    def doit(self, **hints):
        return body.subs(dict(zip(parameters, self.args)), simultaneous=True).doit(**hints)

    return type(name, (sp.Function,), {"nargs": len(parameters), "doit": doit})


class inner(sp.Function):
    """⟨a, b⟩ of two plane vectors written as complex numbers: Re[a b*]."""

    nargs = 2

    def doit(self, **hints):
        a, b = (arg.doit(**hints) for arg in self.args)
        return sp.re(a * sp.conjugate(b))


class Rotation(sp.MatrixExpr):
    """R_m, the 2×2 matrix that turns a plane vector by the angle m theta; prints as R with the position as index."""

    def __new__(cls, position, theta):
        return super().__new__(cls, sp.sympify(position), theta)

    shape = (sp.Integer(2), sp.Integer(2))

    def _entry(self, row, column, **hints):
        angle = self.args[0] * self.args[1]
        return sp.Matrix([[sp.cos(angle), -sp.sin(angle)], [sp.sin(angle), sp.cos(angle)]])[row, column]


def difference(lhs, rhs):
    """lhs − rhs with every named function expanded, simplified; a matrix stays a matrix."""
    rest = _expand(lhs) - _expand(rhs)
    return rest.applyfunc(_simplify) if isinstance(rest, sp.MatrixBase) else _simplify(rest)


def latex(expression):
    """LaTeX of an expression in the book's notation; one line, matrix rows separated by \\cr."""
    return _Printer({"mat_str": "bmatrix", "mat_delim": "", "order": "none"}).doprint(expression).replace(r"\\", r"\cr ")


def _expand(side):
    if isinstance(side, sp.MatrixExpr):
        side = side.as_explicit()
    return side.applyfunc(lambda entry: entry.doit()) if isinstance(side, sp.MatrixBase) else sp.sympify(side).doit()


def _simplify(expression):
    return sp.simplify(sp.expand(sp.powsimp(sp.expand(expression)), complex=True))


def _vanishes(rest):
    return rest.is_zero_matrix is True if isinstance(rest, sp.MatrixBase) else rest == 0


class _Printer(LatexPrinter):
    """SymPy's LaTeX with f_q(x, m) for a function, Re[…], an overline for the conjugate, and R_m for a rotation."""

    def _print_Function(self, expr, exp=None):
        name = expr.func.__name__
        if isinstance(expr, inner):
            text = rf"\langle {self._print(expr.args[0])}, {self._print(expr.args[1])} \rangle"
        elif isinstance(expr, sp.core.function.AppliedUndef) or type(expr).__module__ == __name__:
            text = rf"{name}({', '.join(map(self._print, expr.args))})"
        else:
            return super()._print_Function(expr, exp)
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _print_re(self, expr, exp=None):
        text = rf"\operatorname{{Re}}\left[ {self._print(expr.args[0])} \right]"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _print_Rotation(self, expr):
        return rf"R_{{{self._print(expr.args[0])}}}"

    def _print_Transpose(self, expr):
        return rf"{self._print(expr.arg)}^{{\top}}"

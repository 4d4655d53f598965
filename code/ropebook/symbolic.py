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
        rest = _subtract(lhs, mutant)
        if not _nonzero_at_a_point(rest) and _vanishes(_simplified(rest)):
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
    parameters  symbols of which body is made; () for a number, which prints as its name alone
    body        SymPy expression
    returns     a SymPy function class
    """

    def doit(self, **hints):
        return body.subs(dict(zip(parameters, self.args)), simultaneous=True).doit(**hints)

    return type(name, (sp.Function,), {"nargs": len(parameters), "doit": doit})


def named_matrix(form, body):
    """A matrix that prints as `form` and stands for `body`, as `named` does for expressions.

    form     LaTeX with a {} for each argument: "X", "A({})" or "B_{{{}}}"
    body     function of the arguments that gives a matrix, or an expression of matrix symbols
    returns  function of the arguments that gives a SymPy matrix expression
    """
    return type("NamedMatrix", (_NamedMatrix,), {"form": form, "body": staticmethod(body)})


class _NamedMatrix(sp.MatrixExpr):
    """What `named_matrix` makes; `doit` leaves it alone, so that SymPy's own operators do not expand what is to be printed."""

    def __new__(cls, *args):
        return super().__new__(cls, *map(sp.sympify, args))

    def stands_for(self):
        return self.body(*(_explicit(arg) if isinstance(arg, sp.MatrixExpr) else arg for arg in self.args))

    @property
    def shape(self):
        return self.stands_for().shape

    def _entry(self, row, column, **hints):
        return self.stands_for()[row, column]

    def _latex(self, printer):
        return self.form.format(*map(printer._print, self.args))


class inner(sp.Function):
    """⟨a, b⟩ of two plane vectors written as complex numbers: Re[a b*]."""

    nargs = 2

    def doit(self, **hints):
        a, b = (arg.doit(**hints) for arg in self.args)
        return sp.re(a * sp.conjugate(b))


class Rotation(sp.MatrixExpr):
    """R_m, which turns each pair of entries by the angle m theta; prints as R with the position as index.

    position   m
    theta      the speed of the one pair, or a sequence of speeds, one a pair: then a block for each on the diagonal
    """

    def __new__(cls, position, theta):
        return super().__new__(cls, sp.sympify(position), sp.Tuple(*theta) if hasattr(theta, "__iter__") else sp.Tuple(theta))

    @property
    def shape(self):
        return (sp.Integer(2 * len(self.args[1])),) * 2

    def _entry(self, row, column, **hints):
        position, speeds = self.args
        turns = ((sp.cos(position * theta), sp.sin(position * theta)) for theta in speeds)
        return sp.diag(*(sp.Matrix([[cos, -sin], [sin, cos]]) for cos, sin in turns))[row, column]


def difference(lhs, rhs):
    """lhs − rhs with everything named expanded, simplified; a matrix stays a matrix.

    Matrix symbols stand for all matrices of their size, which may be a symbol as well: they are multiplied out and
    sorted, powers of one matrix joined.
    """
    return _simplified(_subtract(lhs, rhs))


def latex(expression):
    """LaTeX of an expression in the book's notation; one line, matrix rows separated by \\cr."""
    return _Printer({"mat_str": "bmatrix", "mat_delim": "", "order": "none"}).doprint(expression).replace(r"\\", r"\cr ")


def _expand(side):
    side = _explicit(sp.sympify(side))
    if isinstance(side, sp.MatrixBase) and side.shape == (1, 1):
        side = side[0, 0]  # a row times a column is a number
    return side.applyfunc(lambda entry: entry.doit()) if isinstance(side, sp.MatrixBase) else side.doit()


def _explicit(side):
    """A side with every named matrix replaced by what it stands for: entries, or an expression of matrix symbols."""
    side = side.replace(lambda part: isinstance(part, _NamedMatrix), lambda part: part.stands_for())
    if isinstance(side, sp.MatrixExpr) and side.has(sp.MatrixSymbol):
        return side.doit().expand().doit()
    return side.doit().as_explicit() if isinstance(side, sp.MatrixExpr) else side  # doit multiplies matrices of entries quickly


def _subtract(lhs, rhs):
    return _expand(lhs) - _expand(rhs)


def _nonzero_at_a_point(rest):
    """Whether a difference of two sides is clearly not 0 somewhere: then no simplifying can make it 0."""
    entries = list(rest) if isinstance(rest, sp.MatrixBase) else [] if isinstance(rest, sp.MatrixExpr) else [rest]
    symbols = sorted(set().union(*(entry.free_symbols for entry in entries)), key=str) if entries else []
    point = {symbol: sp.prime(i + 1) if symbol.is_integer else sp.Rational(sp.prime(i + 1), 37) for i, symbol in enumerate(symbols)}
    values = [entry.subs(point, simultaneous=True).evalf() for entry in entries]
    return any(value.is_number and abs(value) > 1e-6 for value in values)


def _simplified(rest):
    if isinstance(rest, sp.MatrixBase):
        return rest.applyfunc(_simplify)
    return rest.expand().doit() if isinstance(rest, sp.MatrixExpr) else _simplify(rest)


def _simplify(expression):
    expanded = sp.expand(expression)
    return expanded if expanded == 0 else sp.simplify(sp.expand(sp.powsimp(expanded), complex=True))


def _vanishes(rest):
    if isinstance(rest, sp.MatrixBase):
        return rest.is_zero_matrix is True
    return isinstance(rest, sp.ZeroMatrix) if isinstance(rest, sp.MatrixExpr) else rest == 0


class _Printer(LatexPrinter):
    """SymPy's LaTeX with f_q(x, m) for a function, Re[…], an overline for the conjugate, and R_m for a rotation."""

    def _print_Function(self, expr, exp=None):
        name = expr.func.__name__
        if isinstance(expr, inner):
            text = rf"\langle {self._print(expr.args[0])}, {self._print(expr.args[1])} \rangle"
        elif isinstance(expr, sp.core.function.AppliedUndef) or type(expr).__module__ == __name__:
            text = rf"{name}({', '.join(map(self._print, expr.args))})" if expr.args else name
        else:
            return super()._print_Function(expr, exp)
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _print_re(self, expr, exp=None):
        text = rf"\operatorname{{Re}}\left[ {self._print(expr.args[0])} \right]"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _print_Rotation(self, expr):
        return rf"R_{{{self._print(expr.args[0])}}}"

    def _print_Transpose(self, expr):
        compound = isinstance(expr.arg, (sp.MatAdd, sp.MatMul, sp.MatPow, sp.Inverse))
        base = rf"\left({self._print(expr.arg)}\right)" if compound else self._print(expr.arg)
        return rf"{base}^{{\top}}"

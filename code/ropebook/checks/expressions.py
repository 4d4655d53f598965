"""What the checkers of several chapters do with a reader's SymPy expression: read it, and compute it at a point."""

import sympy as sp
from sympy.core.function import AppliedUndef

from ropebook.exercises import Wrong


def expression(answer, allowed, kind="one SymPy expression"):
    """The reader's answer as one SymPy expression.

    answer    a SymPy expression, a 1 × 1 matrix of one, a number, or a string that SymPy reads
    allowed   the names of the symbols that it may contain; None: any
    kind      what the message asks for instead of a matrix, an equation, a set
    raises    Wrong if it is something else, or contains another symbol
    """
    try:
        found = sp.sympify(answer)
    except (sp.SympifyError, TypeError):
        raise Wrong(f"Expected a SymPy expression, got {type(answer).__name__}.") from None
    if isinstance(found, (sp.MatrixBase, sp.MatrixExpr)) and found.shape == (1, 1):
        found = found[0, 0]
    if not isinstance(found, sp.Expr) or isinstance(found, sp.MatrixExpr):
        raise Wrong(f"Expected {kind}, got {type(found).__name__}.")
    strange = {symbol.name for symbol in found.free_symbols} - allowed if allowed else set()
    if strange:
        raise Wrong(f"Use only {', '.join(sorted(allowed))}; I also see {', '.join(sorted(strange))}.")
    if unknown := sorted({str(call.func) for call in found.atoms(AppliedUndef)}):
        raise Wrong(f"SymPy knows no function {unknown[0]}. Is its name different there, or is a * missing before the bracket?")
    return found.doit()


def value(expression, point):
    """The expression at a point, as a complex number.

    expression   a SymPy expression
    point        {name of a symbol: number}; a symbol of the reader's own, which is not there, counts as 0.37
    """
    numbers = {symbol: point.get(symbol.name, 0.37) for symbol in expression.free_symbols}
    return complex(expression.subs(numbers, simultaneous=True))

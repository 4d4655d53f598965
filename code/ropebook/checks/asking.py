"""For the checkers: calling an answer, reading what it returns, and stopping it."""

import sys
import sysconfig
import tracemalloc
from contextlib import contextmanager

import numpy as np

from ropebook.exercises import NotAnswered, Wrong, call

# how the names of their files begin; "<string>" is code that they write for themselves, as dataclasses do
LIBRARIES = (*(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")), "<frozen", "<string>")


def asked(answer, name, first, *args):
    """The answer's result for the case called name; where the first case has a result, nothing is a wrong one.

    raises   Wrong, naming the case, if the answer stops with an error; NotAnswered if the first case has no result
    """
    try:
        return call(answer, *args)
    except NotAnswered:
        if first:
            raise
        raise Wrong(f"It returned nothing for {name}: every path needs a return.") from None
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"For {name} your answer stopped with {type(error).__name__}: {error}") from None


def asked_for_memory(answer, name, *args):
    """The answer's result for a later case, as `asked`, and the most bytes that it held at once, of Python's and NumPy's.

    tracemalloc does not see tensors: of these the largest counts, if it is larger than all that.
    """
    with _largest_tensor() as largest:
        tracemalloc.start()
        try:
            tracemalloc.clear_traces()
            result = asked(answer, name, False, *args)
            return result, max(tracemalloc.get_traced_memory()[1], *largest)
        finally:
            tracemalloc.stop()


@contextmanager
def _largest_tensor():
    """[bytes of the largest tensor that a function of torch returns inside], [0] where nobody has imported torch."""
    largest = [0]
    if "torch" not in sys.modules:
        yield largest
        return
    from torch import Tensor, strided
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            if isinstance(made, Tensor) and made.layout == strided:
                largest[0] = max(largest[0], made.untyped_storage().nbytes())
            return made

    with Watch():
        yield largest


def real_numbers(result):
    """The reader's result, a number, list, array or tensor, as real, finite float64 numbers."""
    if hasattr(result, "detach"):  # a tensor; NumPy takes none that has a gradient, and no bfloat16
        result = result.detach().resolve_conj()
        result = result.double() if result.is_floating_point() else result
    try:
        got = np.asarray(result)
        if got.dtype == object and any(entry is None for entry in got.flat):
            raise Wrong("Expected numbers, got None.")
        if got.dtype.kind in "cSU":
            raise Wrong(f"Expected real numbers, got {'complex ones' if got.dtype.kind == 'c' else 'text'}.")
        got = got.astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"Expected numbers, got {type(result).__name__}.") from None
    if not np.isfinite(got).all():
        raise Wrong(f"Expected finite numbers, got {got[~np.isfinite(got)][0]}.")
    return got


def one_number(result, name):
    """The reader's result for the case called name as one real, finite number."""
    got = real_numbers(result)
    if got.size != 1:
        raise Wrong(f"Return one number; for {name} yours has shape {got.shape}.")
    return got.item()


def lesson_of(mistakes, cases, results, same):
    """The lesson of the first mistake that explains all results, or None.

    mistakes  of (lesson, a function that makes the mistake); cases  of its arguments; results  of the answer, one for each case
    same      (a result, what a mistake makes) -> whether the mistake explains it
    """
    explains = lambda wrong: all(same(got, wrong(*case)) for case, got in zip(cases, results))
    return next((lesson for lesson, wrong in mistakes if explains(wrong)), None)


def compare(cases, results, right, mistakes, named, why, same):
    """Wrong about the first result that is not right: the lesson of the mistake that explains all of them, or why(result, *case)."""
    for case, got in zip(cases, results):
        if not same(got, right(*case)):
            raise Wrong(f"For {named(*case)}: {lesson_of(mistakes, cases, results, same) or why(got, *case)}")


class _Endless(BaseException):
    """No Exception, so that an answer's `except Exception` lets it pass."""


@contextmanager
def ending(lines, lesson):
    """Stops what runs inside after that many lines of Python, those of libraries and their imports not counted: Wrong, with the lesson."""
    left = iter(range(lines))

    def trace(frame, *_):
        if frame.f_code.co_filename.startswith(LIBRARIES):
            return None
        if next(left, None) is None:
            raise _Endless
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    except _Endless:
        raise Wrong(lesson) from None
    finally:
        sys.settrace(before)

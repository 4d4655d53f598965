"""Checkers of chapter 07b, what may be rounded and what may not."""

import copy
import io
import math
import warnings
from unittest import mock

import torch

from ropebook.checks.asking import asked, ending
from ropebook.checks.turning import angles_of, checked, short, slack, speeds, turned, where, why_not_turned
from ropebook.exercises import Wrong, exercise

DOUBLE, SINGLE, HALF, BRAIN = torch.float64, torch.float32, torch.float16, torch.bfloat16
FLOATS = (BRAIN, HALF, torch.float8_e4m3fn, torch.float8_e5m2, SINGLE, DOUBLE)
LINES = 50_000  # of code run before a loop counts as endless: twice what counting to 2,049 takes with ten lines a step


@exercise("7b.1")
def first_lost(answer):
    """A function (dtype) -> the smallest positive whole number that dtype cannot hold."""
    for dtype in FLOATS:
        name, bits = short(dtype), 1 - round(math.log2(torch.finfo(dtype).eps))
        digits = len(str(2**bits))
        with ending(LINES, f"For {name} your function counts and counts. The answer has {digits} digits: calculate it."):
            result = asked(answer, name, dtype == FLOATS[0], dtype)
        number = _whole(result, name)
        if number != 2**bits + 1:
            raise Wrong(f"For {name} you return {number}. {_why_not_lost(result, number, bits)}")
    return "With p significant bits every whole number up to 2**p is held; 2**p + 1 would need one bit more."


def _whole(result, name):
    try:
        value = result.item() if hasattr(result, "item") else result
        number = int(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise Wrong(f"Return one whole number; for {name} I got {result!r}.") from None
    if isinstance(value, bool) or number != value:
        raise Wrong(f"Return one whole number; for {name} I got {value!r}.")
    return number


def _why_not_lost(result, number, bits):
    if number < 1:
        return "Positive numbers are asked for."
    if number == 2**bits:
        computed = isinstance(result, float) or torch.is_tensor(result) and result.is_floating_point()
        if computed and bits == 53:
            return "Did you add 1 to a float? In float64 that sum is itself lost. Add it to an int."
        return "That one is held, as all powers of two are in range. The next is the first that is not."
    needed = number.bit_length() - (number & -number).bit_length() + 1  # from its first binary 1 to its last
    if needed <= bits:
        hint = " Count the leading 1 as well, which is not stored." if number == 2 ** (bits - 1) + 1 else ""
        return f"That one is held: its binary digits from first to last 1 are {needed}, and there is room for {bits}.{hint}"
    return "That one is lost, but a smaller one is, too. From where on do these floats stand 2 apart?"


NEAR, FAR = [0, 1, 2, 3, 5, 100, 127], [3, 257, 4001, 32767, 131071, 999_999, 1_000_000]
BYTE = [0, 1, 2, 3, 64, 100, 127]
EXACT = [0, 1, 255, 256, 1000, 4032, 999_424]  # of at most 8 significant bits
WHERE = (  # positions, their dtype, D, base
    (NEAR, torch.int64, 8, 500.0),
    (NEAR[:3], torch.int64, 6, 10000.0),
    (FAR, torch.int64, 64, 10000.0),
    (FAR, DOUBLE, 64, 500000.0),
    (FAR, SINGLE, 64, 10000.0),
    (FAR, torch.int32, 64, 10000.0),
    (FAR[:4], torch.int16, 64, 10000.0),
    (BYTE, torch.int8, 64, 10000.0),
    (EXACT, BRAIN, 64, 10000.0),
    (EXACT[:5], HALF, 64, 10000.0),
)


@exercise("7b.2")
def cos_sin(answer):
    """A function (positions, theta, dtype) -> (cos, sin), each (T, D/2) of dtype."""
    for index, (whole, given, head_dim, base) in enumerate(WHERE):
        at, theta = torch.tensor(whole, dtype=given), speeds(head_dim, base)
        for dtype in (DOUBLE, SINGLE, BRAIN, HALF):
            name = f"positions {tuple(at.shape)} in {short(given)}, theta {tuple(theta.shape)} and dtype {short(dtype)}"
            got = _pair(asked(answer, name, index == 0 and dtype == DOUBLE, at.clone(), theta.clone(), dtype), name)
            got = [checked(one, (len(at), len(theta)), dtype, name, "float16 ends at 65,504.") for one in got]
            angles = angles_of(at, theta)
            if lesson := _why_not_rounded_once(at, angles, dtype, *got):
                raise Wrong(f"For {name}: {lesson}")
    return "Right to one rounding at a million tokens, in four dtypes, wherever the positions come from."


def _pair(result, name):
    try:
        cos, sin = result
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"Return two tensors, cosines and sines; for {name} I got {type(result).__name__}.") from None
    return cos, sin


def one_rounding(exact, angles, dtype):
    """How far from exact a cosine or sine, rounded once to dtype, may be.

    Half a step of dtype at most, which is its unit times the value, or below the smallest normal number half a step there.
    A stop in float32 on the way may turn a tie, and adds less than a 2,048th of that. Angles in float64 are off by half a step,
    2^-53 of themselves, and their cosines by about one more.
    """
    unit = torch.finfo(dtype).eps / 2
    return unit * (1 + 2**-11) * (exact.abs() + torch.finfo(dtype).tiny) + 2.0**-53 * (angles.abs() + 2)


def _why_not_rounded_once(at, angles, dtype, cos, sin):
    def fits(*exact):
        return all(((got - y).abs() <= one_rounding(y, angles, dtype)).all() for got, y in zip((cos, sin), exact))

    if fits(angles.cos(), angles.sin()):
        return None
    for wrong, lesson in (((angles.sin(), angles.cos()), "cosines and sines have changed places."),
                          ((angles.cos(), -angles.sin()), "the sines have the other sign: angles are positions times theta, with a plus.")):
        if fits(*wrong):
            return lesson
    off = torch.maximum((cos - angles.cos()).abs(), (sin - angles.sin()).abs())
    t = off.amax(1).argmax().item()
    lesson = f"at position {int(at[t])} you are off by {off[t].max():.0e}, and one rounding is {torch.finfo(dtype).eps / 2:.0e} at most. "
    for kind, unit in (("float32", 2.0**-24), ("16 bits", 2.0**-8)):
        if off.max() <= 4 * unit:
            return f"{lesson}The angles may be right, but the cosines are rounded to {kind} on the way."
        if (off <= 4 * unit * (1 + angles.abs())).all():
            return f"{lesson}Your error grows with the angle, as if it were in {kind}: position, theta and product belong in float64."
    return f"{lesson}Is it positions[t] * theta[i] in radians that you take the cosine of?"


HEAD_DIM, MAX_POSITIONS, GARBAGE = 8, 4096, 7.0


def _reloaded(make):
    file = io.BytesIO()
    torch.save(make().to(BRAIN).state_dict(), file)
    file.seek(0)
    module = make()
    module.load_state_dict(torch.load(file))
    return module


def _born(make):
    """Made on meta, then given memory that holds GARBAGE, as `to_empty` may."""
    with torch.device("meta"):
        module = make()
    with mock.patch("torch.empty_like", lambda like, **where: torch.full_like(like, GARBAGE, **where)):
        module.to_empty(device="cpu")

    def run(x, positions):
        try:
            return module(x, positions)
        except RuntimeError as error:
            if "meta" not in str(error):
                raise
            raise Wrong("Made under `with torch.device(\"meta\")` a tensor of yours has no numbers, and no move brings them. Name the "
                        "device: device=\"cpu\".") from None

    return run


def _under_autocast(make):
    module = make()

    def run(x, positions):
        with torch.autocast("cpu", BRAIN):
            return module(x, positions)

    return run


MOVES = (  # what happens, how, the dtypes of x in the order of the calls, and a lesson for all that fail only then
    ("as it was made", lambda make: make(), (DOUBLE, SINGLE, BRAIN, HALF), ""),
    ("called in bfloat16 first", lambda make: make(), (BRAIN, DOUBLE), "A table that the first caller fills has the first caller's dtype."),
    ("after .to(torch.bfloat16)", lambda make: make().to(BRAIN), (BRAIN, DOUBLE, SINGLE), "The table must not be cast with the model."),
    ("after .half()", lambda make: make().half(), (HALF, DOUBLE), "The table must not be cast with the model."),
    ("after .to(torch.bfloat16) and .double()", lambda make: make().to(BRAIN).double(), (DOUBLE,), "What is rounded once stays rounded."),
    ("after .double()", lambda make: make().double(), (DOUBLE, SINGLE), "What was rounded before stays rounded."),
    ("loaded from the state of a bfloat16 copy", _reloaded, (BRAIN, DOUBLE), "What is in a checkpoint replaces what was made."),
    ("as a deep copy", lambda make: copy.deepcopy(make()), (BRAIN, DOUBLE), ""),
    ("after meta and to_empty", _born, (BRAIN, DOUBLE), "No checkpoint fills what follows from the arguments: make it for good, on the CPU."),
    ("under autocast", _under_autocast, (SINGLE, BRAIN, DOUBLE), "Autocast makes products of matrices, @, in 16 bits: multiply with *."),
)


@exercise("7b.3")
def sturdy(answer):
    """A class of modules, (head_dim, max_positions, base), whose call (x, positions) turns x (B, H, T, D) by positions (T,)."""
    if not (isinstance(answer, type) and issubclass(answer, torch.nn.Module)):
        raise Wrong(f"Expected a class of torch.nn.Module, got {answer!r}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cast of complex numbers warns; the verdict says more
        for name, move, dtypes, lesson in MOVES:
            for base in (10000.0, 500.0):
                make = lambda: answer(HEAD_DIM, MAX_POSITIONS, *([] if base == 10000.0 else [base]))
                module = asked(move, f"a module {name}", False, make)
                _check_module(name, make, module, base, dtypes, lesson)
    return "Moved, loaded, copied, born on meta, under autocast: it is the same rotation, rounded once, each time."


def _check_module(name, make, module, base, dtypes, lesson):
    generator = torch.Generator().manual_seed(0)
    for dtype in dtypes:
        for at in (torch.tensor([3, 0, 1, 7, 2]), torch.tensor([257, 4095, 2049, 1001, 5])):
            x = torch.randn(2, 3, 5, HEAD_DIM, generator=generator, dtype=DOUBLE).to(dtype)
            case = f"{short(dtype)} rows, {name}"
            got = checked(asked(module, case, name == MOVES[0][0] and dtype == DOUBLE, x.clone(), at), x.shape, dtype, case)
            angles = angles_of(at, speeds(HEAD_DIM, base))
            right = turned(x, angles)
            if ((got - right).abs() > _slack(x, right, angles, dtype)).any():
                raise Wrong(f"For {case}: {_why_not_sturdy(make(), x, at, base, angles, got, lesson)}")


def _slack(x, right, angles, dtype):
    """As `slack`, but 16-bit rows are turned in float32 at least and rounded once."""
    if dtype in (DOUBLE, SINGLE):
        return slack(x, angles, dtype)
    return slack(x, angles, SINGLE) + torch.finfo(dtype).eps / 2 * right.abs() + torch.finfo(dtype).tiny * torch.finfo(dtype).eps


def _why_not_sturdy(module, x, at, base, angles, got, lesson):
    if lesson:
        kept = [(name, "a parameter", one) for name, one in module.named_parameters()]
        kept += [(name, "a complex buffer" if one.is_complex() else "a buffer", one) for name, one in module.named_buffers()]
        kept = [f"`{name}` is {kind}, and whatever happens to weights happens to it. " for name, kind, one in kept
                if one.is_floating_point() or one.is_complex()]
        return f"the rotation is no longer right. {kept[0] if kept else ''}{lesson}"
    right = turned(x, angles)
    if ((got - right).abs() <= slack(x, angles, SINGLE if x.dtype == DOUBLE else x.dtype, angle_unit=2.0**-24)).all():
        return FEW_DIGITS[x.dtype]
    if at.max() < 10:
        return why_not_turned(x, at, base, got)
    return f"{where(x, at, right, got)} Are positions, speeds or angles rounded to fewer bits?"


FEW_DIGITS = {
    DOUBLE: "right to the digits of float32 only. Rows in float64 are turned by cosines in float64: keep float64, and cast when you turn.",
    SINGLE: "off by more than roundings. Are the angles made in float32? Make them in float64, and round their cosines.",
} | dict.fromkeys((HALF, BRAIN), "off by up to three roundings, where one would do. Turn in float32 or float64, and round the result, once: "
                  "in 16 bits cosines, products and sums are rounded each.")

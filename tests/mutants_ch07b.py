"""Wrong answers to the exercises of chapter 07b, each with part of the lesson that its checker must give."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from ropebook import frequencies, rotation_torch
from ropebook.rotary import Rotary

SINGLE, DOUBLE, HALF, BRAIN = torch.float32, torch.float64, torch.float16, torch.bfloat16


def lost(dtype):
    return int(2 / torch.finfo(dtype).eps) + 1


def count(dtype):
    n = 1
    while torch.tensor(n, dtype=DOUBLE).to(dtype).double() == n:
        n += 1
    return n


def count_in_fractions(dtype):
    """The right answer to exercise 7b.1, which counts the short dtypes with numbers whose every sum is many lines of a library."""
    n = Fraction(1)
    while Fraction(torch.tensor(float(n)).to(dtype).item()) == n:
        if torch.finfo(dtype).bits > 16:
            return lost(dtype)
        n += 1
    return n


def doubling(dtype):
    """The right answer to exercise 7b.1: powers of two until the sum with 1 is lost."""
    one, power = torch.ones((), dtype=DOUBLE), 1
    while (one * power).to(dtype).double().item() == power and int(torch.tensor(power + 1).to(dtype).double()) == power + 1:
        power *= 2
    return power + 1


def table(positions, theta, dtype, at=torch.Tensor.double, speeds=torch.Tensor.double, angle=lambda y: y, cosine=lambda y: y, sign=1):
    """The right answer to exercise 7b.2, with its mistakes as options."""
    angles = angle(at(positions)[:, None] * speeds(theta))
    return cosine(angles.cos()).to(dtype), cosine(sign * angles.sin()).to(dtype)


def by_numpy(positions, theta, dtype):
    angles = np.outer(positions.double().numpy(), theta.numpy())
    return [torch.from_numpy(np.cos(angles)).to(dtype), torch.from_numpy(np.sin(angles)).to(dtype)]


def by_turns(positions, theta, dtype):
    """The right answer to exercise 7b.2, as the real parts of complex numbers."""
    turns = torch.polar(torch.ones(len(positions), len(theta), dtype=DOUBLE), torch.outer(positions.double(), theta))
    return torch.view_as_real(turns).permute(2, 0, 1).to(dtype)  # (2, T, D/2): unpacks into two


def multiply(x, cos, sin):
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2)


def in_halves(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class Base(nn.Module):
    """The right answer to exercise 7b.3, whose parts the wrong ones below replace."""

    device = dict(device="cpu")

    def __init__(self, head_dim, max_positions, base=10000.0):
        super().__init__()
        self.keep(torch.tensor(frequencies(head_dim, base).tolist(), dtype=DOUBLE, **self.device), max_positions)

    def keep(self, theta, max_positions):
        self.table = self.made(torch.arange(max_positions, dtype=DOUBLE, **self.device)[:, None] * theta)

    def made(self, angles):
        return torch.stack([angles.cos(), angles.sin()])  # (2, N, D/2)

    def rows(self, x, positions):
        return self.table[:, positions]

    def forward(self, x, positions):
        wide = torch.promote_types(x.dtype, SINGLE)
        return multiply(x.to(wide), *self.rows(x, positions).to(wide)).to(x.dtype)


class InBuffer(Base):
    def keep(self, theta, max_positions):
        self.register_buffer("table", self.made(torch.arange(max_positions)[:, None] * theta), persistent=False)


class InSavedBuffer(InBuffer):
    def keep(self, theta, max_positions):
        self.register_buffer("table", self.made(torch.arange(max_positions)[:, None] * theta))


class SpeedsInBuffer(Base):
    def keep(self, theta, max_positions):
        self.register_buffer("theta", theta, persistent=False)

    def rows(self, x, positions):
        return self.made(positions[:, None] * self.theta)


class InParameter(Base):
    def keep(self, theta, max_positions):
        self.table = nn.Parameter(self.made(torch.arange(max_positions)[:, None] * theta), requires_grad=False)


class ComplexBuffer(Base):
    def keep(self, theta, max_positions):
        angles = torch.arange(max_positions)[:, None] * theta
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles), persistent=False)

    def rows(self, x, positions):
        turns = self.turns[positions]
        return torch.stack([turns.real, turns.imag if turns.is_complex() else 0 * turns])


class SavedOnly(Base):
    """Right after every move, but what a checkpoint says replaces the table, and it says it in bfloat16."""

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        destination[f"{prefix}table"] = self.table.bfloat16()

    def _load_from_state_dict(self, state_dict, prefix, *args):
        self.table = state_dict[f"{prefix}table"].double()


class DefaultDevice(Base):
    device = {}


class InTuple(DefaultDevice):
    def made(self, angles):
        return angles.cos(), angles.sin()

    def rows(self, x, positions):
        return torch.stack([part[positions] for part in self.table])


class CastWithModel(Base):
    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.table = fn(self.table)
        return self


class Backwards(Base):
    def made(self, angles):
        return super().made(-angles)


class Halves(Base):
    def forward(self, x, positions):
        return in_halves(x.double(), *self.table[:, positions]).to(x.dtype)


class SingleTable(Base):
    def made(self, angles):
        return super().made(angles).float()


class SingleAngles(Base):
    """Float64 rows have their own table; that of the others has its angles in float32."""

    def keep(self, theta, max_positions):
        super().keep(theta, max_positions)
        self.narrow = self.made(torch.arange(max_positions, device="cpu").float()[:, None] * theta.float())

    def rows(self, x, positions):
        return (self.table if x.dtype == DOUBLE else self.narrow)[:, positions]


class RoundedTable(Base):
    def rows(self, x, positions):
        return super().rows(x, positions).to(x.dtype)


class RoundedProducts(Base):
    def forward(self, x, positions):
        return multiply(x, *self.table[:, positions].to(x.dtype))


class FirstCaller(Base):
    def rows(self, x, positions):
        if not hasattr(self, "first"):
            self.first = self.table.to(x.dtype)
        return self.first[:, positions]


class Wide(Base):
    def forward(self, x, positions):
        return multiply(x.double(), *self.table[:, positions])


class WideFloat(Base):
    def forward(self, x, positions):
        return multiply(x, *self.table[:, positions].to(torch.promote_types(x.dtype, SINGLE)))


class ByMatrices(Base):
    def forward(self, x, positions):
        wide = torch.promote_types(x.dtype, SINGLE)
        cos, sin = self.table[:, positions].to(wide)
        turns = torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2))  # (T, D/2, 2, 2)
        return (turns @ x.to(wide).unflatten(-1, (-1, 2))[..., None])[..., 0].flatten(-2).to(x.dtype)


class HalfPositions(Base):
    def keep(self, theta, max_positions):
        self.theta = theta

    def rows(self, x, positions):
        return self.made(positions.bfloat16()[:, None] * self.theta)


class OneBase(Base):
    def __init__(self, head_dim, max_positions, base=10000.0):
        super().__init__(head_dim, max_positions)


class Shared(Base):
    tables = {}

    def keep(self, theta, max_positions):
        super().keep(theta, max_positions)
        self.table = self.tables.setdefault((max_positions, len(theta)), self.table)


class NoCopy(Base):
    def __deepcopy__(self, memo):
        return Backwards(8, 4096)


class Counts(Base):
    def forward(self, x, positions):
        return super().forward(x, torch.arange(len(positions)))


class HalfStub(Base):
    def forward(self, x, positions):
        return super().forward(x, positions) if x.dtype == DOUBLE else None


class FromNumbers(nn.Module):
    """The right answer to exercise 7b.3 without a tensor: speeds in a list, the rest in the call."""

    def __init__(self, head_dim, max_positions, base=10000.0):
        super().__init__()
        self.theta = [base ** (-2 * i / head_dim) for i in range(head_dim // 2)]

    def forward(self, x, positions):
        angles = positions.double()[:, None] * torch.tensor(self.theta, dtype=DOUBLE)
        return multiply(x.double(), angles.cos(), angles.sin()).to(x.dtype)


class InArray(nn.Module):
    """The right answer to exercise 7b.3 with complex numbers in a NumPy array."""

    def __init__(self, head_dim, max_positions, base=10000.0):
        super().__init__()
        self.turns = np.exp(1j * np.outer(np.arange(max_positions), frequencies(head_dim, base)))

    def forward(self, x, positions):
        turns = torch.from_numpy(self.turns[positions.numpy()])
        pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * turns).flatten(-2).type_as(x)


class MadeAgain(Base):
    """The right answer to exercise 7b.3 with a buffer that is made again after each move."""

    def keep(self, theta, max_positions):
        self.sizes = theta.tolist(), max_positions
        self.register_buffer("table", None, persistent=False)
        self._apply(lambda tensor: tensor)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        theta, N = self.sizes
        self.table = self.made(torch.arange(N, dtype=DOUBLE, device="cpu")[:, None] * torch.tensor(theta, dtype=DOUBLE, device="cpu"))
        return self


class ByRotary(nn.Module):
    def __init__(self, head_dim, max_positions, base=10000.0):
        super().__init__()
        self.rotary = Rotary(head_dim, max_positions, base)

    def forward(self, x, positions):
        return self.rotary(x, x, positions)[0]


class BothTables(Base):
    """The right answer to exercise 7b.3 with a float32 table beside the float64 one."""

    def rows(self, x, positions):
        return (self.table if x.dtype == DOUBLE else self.table.float())[:, positions]


class ByLibrary(nn.Module):
    def __init__(self, head_dim, max_positions, base=10000.0):
        super().__init__()
        self.theta = frequencies(head_dim, base)

    def forward(self, x, positions):
        return rotation_torch.rotate(x, positions, self.theta)


MUTANTS = [
    ("7b.1", lambda dtype: lost(dtype) - 1, "That one is held, as all powers of two"),
    ("7b.1", lambda dtype: lost(dtype) // 2, "That one is held"),
    ("7b.1", lambda dtype: lost(dtype) // 2 + 1, "Count the leading 1 as well"),
    ("7b.1", lambda dtype: 2 * (lost(dtype) - 1) + 1, "a smaller one is, too"),
    ("7b.1", lambda dtype: lost(dtype) + 1, "and there is room for 8"),
    ("7b.1", lambda dtype: lost(dtype) + 2, "a smaller one is, too"),
    ("7b.1", lambda dtype: 257, "For float16 you return 257. That one is held"),
    ("7b.1", lambda dtype: 2 / torch.finfo(dtype).eps + 1, "Did you add 1 to a float?"),
    ("7b.1", lambda dtype: torch.tensor(lost(dtype), dtype=DOUBLE), "Did you add 1 to a float?"),
    ("7b.1", lambda dtype: torch.tensor(lost(dtype)).to(BRAIN), "For bfloat16 you return 256"),
    ("7b.1", lambda dtype: torch.finfo(dtype).max, "That one is held"),
    ("7b.1", lambda dtype: 0, "Positive numbers"),
    ("7b.1", lambda dtype: lost(dtype) + 0.5, "Return one whole number"),
    ("7b.1", lambda dtype: math.inf, "Return one whole number"),
    ("7b.1", lambda dtype: torch.arange(3), "Return one whole number"),
    ("7b.1", lambda dtype: True, "Return one whole number"),
    ("7b.1", lambda dtype: [lost(dtype)], "Return one whole number"),
    ("7b.1", count, "For float32 your function counts and counts"),
    ("7b.1", lambda dtype: {BRAIN: 257, HALF: 2049, SINGLE: 2**24 + 1, DOUBLE: 2**53 + 1}[dtype], "stopped with KeyError"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, at=torch.Tensor.bfloat16), "position, theta and product belong in float64"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, at=lambda at: at.to(dtype)),
     "in 16 bits: position, theta and product belong in float64"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, at=lambda at: at.half() if dtype == BRAIN else at),
     "some of your numbers are not a number"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, at=torch.Tensor.float, speeds=torch.Tensor.float), "as if it were in float32"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, angle=torch.Tensor.float), "as if it were in float32"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, angle=lambda y: y if dtype == DOUBLE else y.float()),
     "dtype float32: at position"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, angle=lambda y: y.float() if dtype == BRAIN else y),
     "dtype bfloat16: at position"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, angle=lambda angles: angles.to(dtype)), "as if it were in float32"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, cosine=torch.Tensor.float), "the cosines are rounded to float32"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, cosine=lambda y: y.bfloat16() if dtype in (HALF, BRAIN) else y),
     "dtype float16: at position"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype)[::-1], "changed places"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, sign=-1), "the sines have the other sign"),
    ("7b.2", lambda at, th, dtype: [one.double() for one in table(at, th, dtype)], "the dtype should be float32; yours is float64"),
    ("7b.2", lambda at, th, dtype: [one.T for one in table(at, th, dtype)], "the shape should be (7, 4); yours is (4, 7)"),
    ("7b.2", lambda at, th, dtype: [one.repeat_interleave(2, -1) for one in table(at, th, dtype)],
     "the shape should be (7, 4); yours is (7, 8)"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype)[0], "Return two tensors"),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, speeds=torch.rad2deg), "Is it positions[t] * theta[i] in radians"),
    ("7b.2", lambda at, th, dtype: [one.numpy() for one in table(at, th, dtype)], "Expected a tensor"),
    ("7b.2", lambda at, th, dtype: table(at.to(torch.int32), th, dtype, at=lambda at: at.to(torch.int16)), "at position"),
    ("7b.3", InBuffer, "`table` is a buffer"),
    ("7b.3", InSavedBuffer, "`table` is a buffer"),
    ("7b.3", SpeedsInBuffer, "`theta` is a buffer"),
    ("7b.3", InParameter, "`table` is a parameter"),
    ("7b.3", ComplexBuffer, "`turns` is a complex buffer"),
    ("7b.3", SavedOnly, "What is in a checkpoint replaces what was made"),
    ("7b.3", DefaultDevice, "Name the device"),
    ("7b.3", InTuple, "Name the device"),
    ("7b.3", CastWithModel, "The table must not be cast with the model"),
    ("7b.3", Backwards, "you turn the other way"),
    ("7b.3", Halves, "your pairs are (i, i + D/2)"),
    ("7b.3", SingleTable, "Rows in float64 are turned by cosines in float64"),
    ("7b.3", SingleAngles, "Are the angles made in float32?"),
    ("7b.3", RoundedTable, "off by up to three roundings"),
    ("7b.3", RoundedProducts, "off by up to three roundings"),
    ("7b.3", FirstCaller, "the first caller's dtype"),
    ("7b.3", Wide, "the dtype should be float32; yours is float64"),
    ("7b.3", WideFloat, "the dtype should be"),
    ("7b.3", ByMatrices, "Autocast makes products of matrices"),
    ("7b.3", HalfPositions, "rounded to fewer bits?"),
    ("7b.3", OneBase, "whatever base says"),
    ("7b.3", Shared, "whatever base says"),
    ("7b.3", NoCopy, "as a deep copy"),
    ("7b.3", Counts, "you number the words 0, 1, 2"),
    ("7b.3", HalfStub, "every path needs a return"),
    ("7b.3", Base(8, 4096), "Expected a class"),
    ("7b.3", dict, "Expected a class"),
    ("7b.3", nn.Linear, "as it was made your answer stopped with TypeError"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("7b.1", lost),
    ("7b.1", doubling),
    ("7b.1", count_in_fractions),
    ("7b.1", lambda dtype: torch.tensor(lost(dtype))),
    ("7b.1", lambda dtype: np.int64(lost(dtype))),
    ("7b.1", lambda dtype: lost(dtype) if dtype == DOUBLE else float(lost(dtype))),
    ("7b.2", table),
    ("7b.2", by_numpy),
    ("7b.2", by_turns),
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, at=lambda at: at)),  # float64 speeds widen what they meet
    ("7b.2", lambda at, th, dtype: table(at, th, dtype, cosine=lambda y: y.float() if dtype in (HALF, BRAIN) else y)),
    ("7b.3", Base),
    ("7b.3", FromNumbers),
    ("7b.3", InArray),
    ("7b.3", MadeAgain),
    ("7b.3", ByRotary),
    ("7b.3", BothTables),
    ("7b.3", ByLibrary),
]

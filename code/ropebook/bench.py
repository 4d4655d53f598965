"""How fast q and k can be rotated: implementations side by side, against copying the same bytes: `python -m ropebook.bench`.

RoPE reads q and k once, writes them once, and does a few operations a number in between, so memory sets the limit: the time
that a copy of q and k takes. Forward and backward together read and write twice as much; their limit is two copies.

An implementation is checked before it is timed: its outputs against the float64 `ropebook.rotate`, its gradients against the
rotation by −m. In every round each one runs once, in a new order, and a ratio compares times of the same round: what slows
the machine for longer than a round slows both. Tables of cos and sin are made outside the time.

On a GPU the clock is the GPU's. Before each call a buffer of several times its L2 cache is overwritten, so that q and k come
from memory, and the call is queued while that goes on, so that the time to launch a kernel counts only where kernels are many.

Shapes: B sequences, H heads, T tokens, D features of a head; q and k are (B, H, T, D).
"""

import argparse
import json
import math
import random
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from ropebook.bench_implementations import IMPLEMENTATIONS
from ropebook.bench_report import COPY, table, targets_table
from ropebook.frequencies import frequencies
from ropebook.records import check_record, provenance
from ropebook.rotation import angles, rotate
from ropebook.rotation_torch import rotation_table, to_half_split, to_interleaved
from ropebook.training import pick_device, write_atomically

CLONE = "copy into fresh memory"
SAMPLE = 5e-3  # seconds: a call that takes less is made once untimed, then repeated until a sample lasts as long
PACKAGES = ("transformers", "rotary-embedding-torch", "liger-kernel", "triton")  # their versions are recorded where they are installed


@dataclass(frozen=True)
class Workload:
    """Sizes of q and k, and where in the text they stand."""

    shape: tuple  # (B, H, T, D)
    start: int = 0  # position of the first token


WORKLOADS = {
    "training": Workload((4, 12, 512, 64)),
    "long": Workload((1, 32, 4096, 128)),
    "decode": Workload((32, 32, 1, 128), start=4095),  # one new token a sequence: no backward
}


class Case:
    """One workload in one dtype and one pass: its inputs, its tables, its exact results.

    tensors  q and k and, with backward, the gradients of the rotated q and k, each (B, H, T, D), interleaved, N(0, 1)
    exact    what rotating makes of each: float64, the gradients turned by −m
    """

    def __init__(self, name, workload, dtype, backward, device, seed):
        self.name, self.shape, self.dtype, self.device = name, workload.shape, dtype, device
        self.label = "forward+backward" if backward else "forward"
        positions, theta = workload.start + np.arange(self.shape[2]), frequencies(self.shape[3])
        self.angles = torch.from_numpy(angles(positions, theta))  # (T, D/2) float64
        self.table = rotation_table(positions, theta, device=device)
        draw = torch.Generator().manual_seed(seed)
        tensors = [torch.randn(self.shape, generator=draw).to(dtype) for _ in range(4 if backward else 2)]
        self.exact = [torch.from_numpy(rotate(x.double().numpy(), way * positions, theta)) for x, way in zip(tensors, (1, 1, -1, -1))]
        self.tensors = [x.to(device) for x in tensors]
        self.bytes = 2 * sum(x.nbytes for x in tensors)  # each is read once and written once

    def __str__(self):
        return f"{self.name} {self.shape}, {str(self.dtype).removeprefix('torch.')}, {self.label}"

    def inputs(self, implementation):
        """The tensors as an implementation wants them: its layout, its order of memory; q and k as leaves with backward."""
        half_split = implementation.layout == "half-split"
        tensors = [to_half_split(x) if half_split else x.clone() for x in self.tensors]
        if implementation.tokens_first:
            tensors = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in tensors]  # (B, H, T, D) from memory (B, T, H, D)
        return [x.requires_grad_(len(tensors) == 4 and i < 2) for i, x in enumerate(tensors)]

    def cos_sin(self):
        """cos and sin of the angles, made in float64 and rounded once, each (T, D/2)."""
        return self.angles.cos().to(self.device, self.dtype), self.angles.sin().to(self.device, self.dtype)


# ---- right before fast ---------------------------------------------------------------------------

def _run(turn, inputs):
    """The rotated q and k and, where gradients are among the inputs, what they become on the way back."""
    q, k, *gradients = inputs
    turned = turn(q, k)
    return [*turned, *torch.autograd.grad(turned, (q, k), gradients)] if gradients else [*turned]


def _error(got, exact, angle, unit, angle_unit):
    """The largest error, and the largest error over what rounding allows.

    A feature is a cos − b sin with cos, sin, two products and a sum rounded: 3 unit roundoffs of |a cos| + |b sin|, which is at
    most the pair's norm; a cos or sin that is itself computed adds 1, and rounding of higher order is under 1. An angle that is
    off by its own roundoff moves the pair by that times its norm.
    """
    off = (got.detach().cpu().double() - exact).abs()
    off = torch.maximum(off[..., 0::2], off[..., 1::2])  # (B, H, T, D/2)
    norm = torch.hypot(exact[..., 0::2], exact[..., 1::2])
    return off.max().item(), (off / (norm * (5 * unit + angle_unit * angle.abs()))).max().item()


def check(case, implementation, turn):
    """The largest error of an implementation, after outputs and gradients are found right.

    case            Case
    implementation  Implementation
    turn            what its prepare(case) returned
    returns         float
    raises          ValueError if a result has another shape or dtype than q, or errs by more than rounding allows
    """
    worst, unit = 0.0, torch.finfo(case.dtype).eps / 2
    names = ("q", "k", "the gradient of q", "the gradient of k")
    results = _run(turn, case.inputs(implementation))
    for name, (got, exact) in zip(names, zip(results, case.exact, strict=True)):
        if (got.shape, got.dtype) != (exact.shape, case.dtype):
            raise ValueError(f"wrong for {case}: {name} is {tuple(got.shape)} {got.dtype}")
        if implementation.layout == "half-split":
            got = to_interleaved(got)
        error, share = _error(got, exact, case.angles, unit, implementation.angle_unit)
        if not share <= 1:
            raise ValueError(f"wrong for {case}: {name} is off by {error:.2g}, {share:.2g} times what rounding allows")
        worst = max(worst, error)
    return worst


# ---- time ----------------------------------------------------------------------------------------

def seconds_of(device):
    """The clock of a device: seconds(call, repeats) → mean time of a call."""
    return _gpu_clock(device) if device.type == "cuda" else _cpu_seconds


def _cpu_seconds(call, repeats):
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def _gpu_clock(device):
    flood = torch.empty(max(2**28, 4 * torch.cuda.get_device_properties(device).L2_cache_size), dtype=torch.uint8, device=device)

    def seconds(call, repeats):
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
        for start, end in events:
            flood.zero_()
            start.record()
            call()
            end.record()
        torch.cuda.synchronize(device)
        return sum(start.elapsed_time(end) for start, end in events) / 1e3 / repeats

    return seconds


def interleave(calls, rounds, seed, seconds):
    """Time calls in turn: every round runs each once, in a new order.

    calls    dict: name → function without arguments
    rounds   how many
    seed     of the order
    seconds  seconds(call, repeats) → mean time of a call, seconds
    returns  dict: name → list of one time a round, seconds
    """
    repeats = {}
    for name, call in calls.items():
        call()
        repeats[name] = math.ceil(SAMPLE / min(seconds(call, 1) for _ in range(3)))
    times, order = {name: [] for name in calls}, random.Random(seed)
    for _ in range(rounds):
        for name in order.sample(list(calls), len(calls)):
            if repeats[name] > 1:
                calls[name]()  # what ran before has left its own data in the caches
            times[name].append(seconds(calls[name], repeats[name]))
    return times


def measure(workloads=WORKLOADS, rounds=20, device="auto", compiled=True, seed=0, implementations=IMPLEMENTATIONS, say=lambda line: None):
    """Check every implementation, then time them side by side. Uses as many threads as torch is set to.

    workloads        dict: name → Workload
    rounds           samples of each, at least 1
    device           "cpu", "cuda" or "auto", the GPU when there is one
    compiled         False leaves out what torch.compile makes, which costs some ten seconds each on a CPU
    seed             of q, k and the order
    implementations  sequence of Implementation
    say              is handed one line a case, as it begins
    returns          a record (dict): command, commit, machine, versions, seeds, wall_seconds, device, rounds;
                     runs, one a row, with the seconds of each round; notes, one line for each thing left out
    raises           ValueError if rounds is not a whole number of at least 1, or the device cannot be used
    """
    if not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds must be a whole number of at least 1, got {rounds!r}")
    if (device := pick_device(device)).type not in ("cpu", "cuda"):
        raise ValueError(f"the device must be cpu or cuda, got {device}")
    record, started = provenance([seed]), time.monotonic()
    record["versions"] |= {name: version(name) for name in PACKAGES if _installed(name)}
    half = _half_dtype(device)
    notes = [] if half == torch.bfloat16 else ["this GPU has no units for bfloat16: float16 instead"]
    if not compiled:
        notes.append("compiled entries: not asked for")
    chosen = [one for one in implementations if compiled or not one.compiled]
    seconds, runs = seconds_of(device), []
    for case in _cases(workloads, (torch.float32, half), device, seed):
        say(str(case))
        runs += _time_case(case, chosen, rounds, seed, seconds, notes)
    wall = round(time.monotonic() - started, 1)
    return record | {"device": device.type, "rounds": rounds, "wall_seconds": wall, "runs": runs, "notes": list(dict.fromkeys(notes))}


def _installed(name):
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _cases(workloads, dtypes, device, seed):
    for name, workload in workloads.items():
        for dtype in dtypes:
            for backward in (False, True) if workload.shape[2] > 1 else (False,):
                yield Case(name, workload, dtype, backward, device, seed)


def _half_dtype(device):
    native = device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def _time_case(case, implementations, rounds, seed, seconds, notes):
    """The runs of one case; what could not be prepared or is wrong adds a line to notes."""
    torch.compiler.reset()  # a function is compiled for at most 8 cases
    warm = [torch.empty_like(x) for x in case.tensors]
    calls = {COPY: lambda: [w.copy_(x) for w, x in zip(warm, case.tensors)], CLONE: lambda: [x.clone() for x in case.tensors]}
    about = {COPY: {"ours": False, "error": 0.0}, CLONE: {"ours": False, "error": 0.0}}
    for one in implementations:
        try:
            turn = one.prepare(case)
            error = check(case, one, turn)
        except Exception as problem:  # a package may fail in any way; the line says how
            notes.append(f"{one.name}: {(str(problem).strip() or repr(problem)).splitlines()[0]}")
            continue
        calls[one.name] = partial(_run, turn, case.inputs(one))
        about[one.name] = {"layout": one.layout, "ours": one.ours, "error": error}
    case.exact = None  # 4 × 134 MB for the long workload
    times = interleave(calls, rounds, seed, seconds)
    dtype = str(case.dtype).removeprefix("torch.")
    same = {"workload": case.name, "shape": list(case.shape), "dtype": dtype, "pass": case.label, "bytes": case.bytes}
    return [same | {"row": name} | about[name] | {"seconds": [float(f"{s:.4g}") for s in times[name]]} for name in calls]


# ---- the command ---------------------------------------------------------------------------------

def _to_json(record):
    """The record, with one line a run."""
    head = json.dumps({name: value for name, value in record.items() if name != "runs"}, indent=1).removesuffix("\n}")
    runs = ",\n  ".join(json.dumps(run) for run in record["runs"])
    return f'{head},\n "runs": [\n  {runs}\n ]\n}}\n'.encode()


def _parser():
    about = "Time rotating q and k: this book's ways and others', against a copy."
    parser = argparse.ArgumentParser(prog="python -m ropebook.bench", description=about)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="auto", help="default: cuda when there is a GPU")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="samples of each row (default: %(default)s)")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="default: all")
    parser.add_argument("--no-compile", action="store_true", help="leave out what torch.compile makes; it takes minutes on a CPU")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and every row here")
    return parser


def _bench(options):
    path = options.json
    if path and (path.is_dir() or not path.parent.is_dir()):
        raise ValueError(f"--json {path}: {'that is a folder' if path.is_dir() else f'there is no folder {path.parent}'}")
    if options.threads < 1:
        raise ValueError(f"--threads must be at least 1, got {options.threads}")
    torch.set_num_threads(options.threads)
    workloads = {name: WORKLOADS[name] for name in options.workloads}
    say = partial(print, file=sys.stderr, flush=True)
    result = measure(workloads, options.rounds, options.device, not options.no_compile, say=say)
    print(table(result), targets_table(result), sep="\n\n")
    if path:
        check_record(result)
        write_atomically(path, _to_json(result))


def main(arguments=None):
    parser = _parser()
    try:
        _bench(parser.parse_args(arguments))
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""What `ropebook.bench` measured, as rows, as text, and beside what it was to reach."""

from dataclasses import dataclass

import numpy as np

from ropebook.bench_implementations import LLAMA, PEERS

COPY = "copy into a warm buffer"


@dataclass(frozen=True)
class Target:
    """What our fastest row is to reach in a case: at most `number` × the time of a copy, or at least `number` × as fast as a peer."""

    device: str
    workload: str
    dtype: str
    label: str
    number: float
    against: str = COPY
    tried: str = ""  # what did not reach it


TARGETS = (
    Target("cpu", "training", "float32", "forward", 1.15, tried="warm and fresh memory, compiled code of both layouts"),
    Target("cpu", "training", "float32", "forward+backward", 7.5, LLAMA, tried="compiled code of both layouts"),
    Target("cpu", "training", "bfloat16", "forward", 2.5, tried="compiled code of interleaved pairs that reads a pair as one int32 "
           "and splits it by shifts, or swaps the two, or rounds before it joins them: each slower than half-split"),
    Target("cpu", "long", "float32", "forward", 2.0),
    *(Target("cuda", name, "bfloat16", "forward", 1.15) for name in ("training", "long")),
    *(Target("cuda", name, "bfloat16", "forward", 1.0, peer) for name in ("training", "long") for peer in PEERS),
)


def rows(result):
    """One dict a row: what `measure` says of it, with numbers for its rounds.

    result   what `measure` returned, or its JSON read again
    returns  list of dict: workload, shape, dtype, pass, bytes, row, ours, error (largest, of a feature), and layout of an
             implementation; seconds: the median; ratio: the median of its time over that of the copy in the same round; quartiles
             of that ratio; gigabytes_per_second: bytes, one reading and one writing, over the median time; limit: 1 / ratio, the
             share of the copy's speed
    """
    copies = {_key(run): run for run in result["runs"] if run["row"] == COPY}
    return [_with_numbers(run, copies[_key(run)]) for run in result["runs"]]


def _key(run):
    return run["workload"], run["dtype"], run["pass"]


def _ratios(run, other):
    """Quartiles of run's time over other's in the same round: lower, median, upper."""
    return np.percentile(np.divide(run["seconds"], other["seconds"]), [25, 50, 75]).tolist()


def _with_numbers(run, copy):
    low, ratio, high = _ratios(run, copy)
    seconds = float(np.median(run["seconds"]))
    return run | {"seconds": seconds, "ratio": ratio, "quartiles": [low, high],
                  "gigabytes_per_second": run["bytes"] / seconds / 1e9, "limit": 1 / ratio}


def table(result):
    """The rows as text, case by case, the fastest first, and under them the notes."""
    machine, cases = result["machine"], {}
    for row in rows(result):
        cases.setdefault(_key(row), []).append(row)
    lines = [f"{machine['gpu'] if result['device'] == 'cuda' else machine['cpu']}, {_count(machine['threads'], 'thread')}, {_count(result['rounds'], 'round')}"]
    for (workload, dtype, label), found in cases.items():
        lines += ["", f"{workload} {tuple(found[0]['shape'])}, {dtype}, {label}",
                  f"{'':29}{'µs':>8}{'× copy':>8}{'quartiles':>13}{'GB/s':>7}{'error':>8}"]
        lines += [_line(row) for row in sorted(found, key=lambda row: row["ratio"])]
    return "\n".join([*lines, *([""] if result["notes"] else []), *result["notes"]])


def _count(number, thing):
    return f"{number} {thing}{'s' * (number != 1)}"


def _line(row):
    low, high = row["quartiles"]
    return (f"{row['row']:29}{row['seconds'] * 1e6:8.0f}{row['ratio']:8.2f}{f'{low:.2f}–{high:.2f}':>13}"
            f"{row['gigabytes_per_second']:7.1f}{row['error']:8.0e}")


def targets(result):
    """What our fastest row of a case reached, beside what it was to reach.

    result   as for `rows`
    returns  list of dict: the fields of a Target; row: our fastest in that case; measured: the number, a median of rounds, and its
             quartiles; met. Where the case or the peer was not measured, row, measured and quartiles are None
    """
    return [vars(target) | _reached(target, result) for target in TARGETS if target.device == result["device"]]


def _reached(target, result):
    runs = {run["row"]: run for run in result["runs"] if _key(run) == (target.workload, target.dtype, target.label)}
    found = {name: _ratios(run, runs[target.against]) for name, run in runs.items() if run["ours"] and target.against in runs}
    if not found:
        return {"row": None, "measured": None, "quartiles": None, "met": False}
    row = min(found, key=lambda name: found[name][1])
    low, ratio, high = found[row]
    if target.against == COPY:
        return {"row": row, "measured": ratio, "quartiles": [low, high], "met": ratio <= target.number}
    return {"row": row, "measured": 1 / ratio, "quartiles": [1 / high, 1 / low], "met": 1 / ratio >= target.number}


def targets_table(result):
    """`targets` as text, one line each."""
    return "\n".join(_target_line(target) for target in targets(result))


def _target_line(target):
    case, against, number = f"{target['workload']}, {target['dtype']}, {target['label']}", target["against"], target["number"]
    goal = f"at most {number:.2f} × the time of a {against}" if against == COPY else f"at least {number:.1f} × as fast as {against}"
    if not target["row"]:
        return f"{case}: {goal}: not measured"
    low, high = target["quartiles"]
    verdict = "met" if target["met"] else f"missed; tried: {target['tried']}" if target["tried"] else "missed"
    return f"{case}: {goal}: {target['measured']:.2f} ({low:.2f}–{high:.2f}) by {target['row']}: {verdict}"

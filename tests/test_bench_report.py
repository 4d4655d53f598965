"""The numbers that the benchmark's report makes of seconds, by hand, and mutants that get them wrong."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from mutation import failures, mutated

from ropebook import bench_report
from ropebook.bench_implementations import LLAMA


def by_hand(**row_seconds):
    """A result with one case of the workload training, float32, forward: a copy and rows called as the arguments."""
    same = {"workload": "training", "shape": [1, 2, 3, 4], "dtype": "float32", "pass": "forward", "bytes": 60, "error": 0.0}
    copy = same | {"row": bench_report.COPY, "ours": False, "seconds": [1.0, 10.0, 100.0]}
    other = copy | {"dtype": "bfloat16", "seconds": [7.0, 7.0, 7.0]}  # another case, whose copy is not this one's
    runs = [copy, *(same | {"row": name, "ours": name.startswith("ours"), "seconds": s} for name, s in row_seconds.items()), other]
    machine = {"cpu": "a processor", "threads": 2, "gpu": "a GPU"}
    return {"device": "cpu", "rounds": 3, "machine": machine, "runs": runs, "notes": ["a note"]}


def ratios_are_of_the_same_round(lib):
    """Rounds 2, 3 and 0.5 times the copy: median 2, quartiles between; of the medians alone it would be 3."""
    row = next(row for row in lib.rows(by_hand(ours=[2.0, 30.0, 50.0])) if row["row"] == "ours")
    expected = {"seconds": 30, "ratio": 2, "quartiles": [1.25, 2.5], "gigabytes_per_second": 60 / 30 / 1e9, "limit": 0.5}
    assert all(row[name] == pytest.approx(value) for name, value in expected.items())
    assert [row["ratio"] for row in lib.rows(by_hand()) if row["row"] == bench_report.COPY] == [1, 1]


def the_table_has_the_fastest_first(lib):
    lines = lib.table(by_hand(slow=[3.0, 30.0, 300.0], ours=[2.0, 20.0, 200.0])).splitlines()
    assert lines[0] == "a processor, 2 threads, 3 rounds"
    assert lines[2] == "training (1, 2, 3, 4), float32, forward"
    assert [line.split()[0] for line in lines[4:7]] == ["copy", "ours", "slow"]
    assert lines[5].split()[1:] == ["20000000", "2.00", "2.00–2.00", "0.0", "0e+00"]
    assert lines[-2:] == ["", "a note"]
    assert lib.table(by_hand() | {"device": "cuda"}).startswith("a GPU, ")


def a_target_is_measured_by_our_fastest_row(lib):
    floor, _, half, long = lib.targets(by_hand(fast=[0.5, 5.0, 50.0], ours=[1.25, 12.5, 99.0], ours2=[1.1, 11.0, 110.0]))
    assert (floor["row"], floor["measured"], floor["met"]) == ("ours2", pytest.approx(1.1), True)
    uneven = by_hand(**{"ours": [2.0, 30.0, 50.0], LLAMA: [4.0, 30.0, 400.0]})  # Llama's over ours, by rounds: 2, 1, 8
    assert lib.targets(uneven)[0]["quartiles"] == pytest.approx([1.25, 2.5])
    uneven["runs"] = [run | {"pass": "forward+backward"} for run in uneven["runs"]]
    assert lib.targets(uneven)[1]["quartiles"] == pytest.approx([1 / 0.75, 1 / 0.3125])  # ours over Llama's: 0.5, 1, 0.125
    assert [(target["row"], target["measured"], target["met"]) for target in (half, long)] == [(None, None, False)] * 2
    assert not lib.targets(by_hand(ours=[1.25, 12.5, 125.0]))[0]["met"]
    for share, met in ((7.4, False), (7.6, True)):
        found = by_hand(**{"ours": [1.0, 10.0, 100.0], LLAMA: [share, 10 * share, 100 * share]})
        found["runs"] = [run | {"pass": "forward+backward"} for run in found["runs"]]
        peer = lib.targets(found)[1]
        assert (peer["row"], peer["measured"], peer["met"]) == ("ours", pytest.approx(share), met)
    assert {target["device"] for target in lib.targets(by_hand() | {"device": "cuda"})} == {"cuda"}


def targets_are_lines(lib):
    lines = lib.targets_table(by_hand(ours=[1.25, 12.5, 125.0])).splitlines()
    assert lines[0] == ("training, float32, forward: at most 1.15 × the time of a copy into a warm buffer: "
                        "1.25 (1.25–1.25) by ours: missed; tried: warm and fresh memory, compiled code of both layouts")
    assert lines[1].endswith("forward+backward: at least 7.5 × as fast as Hugging Face Llama: not measured")
    assert lib.targets_table(by_hand(ours=[1.0, 10.0, 100.0])).splitlines()[0].endswith("1.00 (1.00–1.00) by ours: met")
    half = by_hand(ours=[3.0, 30.0, 300.0])
    half["runs"] = [run | {"dtype": "bfloat16"} for run in half["runs"][:-1]]
    assert "by ours: missed; tried: compiled code" in lib.targets_table(half).splitlines()[2]
    long = by_hand(ours=[3.0, 30.0, 300.0])
    long["runs"] = [run | {"workload": "long"} for run in long["runs"]]
    assert lib.targets_table(long).splitlines()[3].endswith("3.00 (3.00–3.00) by ours: missed")


CLAIMS = [ratios_are_of_the_same_round, the_table_has_the_fastest_first, a_target_is_measured_by_our_fastest_row, targets_are_lines]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_report(claim):
    claim(bench_report)


MUTANTS = [
    ('np.divide(run["seconds"], other["seconds"])', 'np.divide(other["seconds"], run["seconds"])'),
    ('np.divide(run["seconds"], other["seconds"])', 'np.divide(np.median(run["seconds"]), np.median(other["seconds"]))'),
    ("[25, 50, 75]", "[0, 50, 100]"),
    ("np.median", "np.mean"),
    ('run["workload"], run["dtype"], run["pass"]\n', 'run["workload"], run["pass"]\n'),
    ('"limit": 1 / ratio', '"limit": ratio'),
    ('run["bytes"] / seconds', '2 * run["bytes"] / seconds'),
    ("key=lambda row: row[\"ratio\"]", "key=lambda row: -row[\"ratio\"]"),
    ("min(found", "max(found"),
    ('if run["ours"] and', "if"),
    ("ratio <= target.number", "ratio >= target.number"),
    ("1 / ratio >= target.number", "1 / ratio <= target.number"),
    ("[1 / high, 1 / low]", "[1 / low, 1 / high]"),
    ('if target.device == result["device"]', "if True"),
    ("(target.workload, target.dtype, target.label)", "(target.workload, target.dtype, \"forward\")"),
    ('"met" if target["met"] else', '"met" if not target["met"] else'),
    ("missed; tried: {target['tried']}", "missed"),
]


@pytest.mark.parametrize("old, new", MUTANTS, ids=[f"{old} → {new}" for old, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(SimpleNamespace(**mutated(Path(bench_report.__file__), old, new)), CLAIMS), f"no claim notices {new!r} for {old!r}"

"""The benchmark times only what is right, every row in every round, and its numbers and its command say what they should."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated
from rotation_claims import refuse

from ropebook import bench, bench_report
from ropebook.bench_implementations import IMPLEMENTATIONS, LLAMA, Implementation
from ropebook.frequencies import frequencies
from ropebook.records import check_record
from ropebook.rotation_torch import apply_table, rotation_table

CPU = torch.device("cpu")
LATE = bench.Workload((2, 3, 5, 8), start=4095)  # at late positions a wrong angle shows in every dtype
TINY = {"training": bench.Workload((1, 2, 5, 8)), "decode": bench.Workload((2, 3, 1, 8), start=4095)}
EAGER = IMPLEMENTATIONS[0]
HERE = ("ours, eager", LLAMA, "Hugging Face RoFormer", "rotary-embedding-torch")  # what runs on every machine of the tests
FLOORS = (bench_report.COPY, bench.CLONE)


@pytest.fixture(scope="module")
def result():
    return bench.measure(TINY, rounds=3, device="cpu", compiled=False)


# ---- implementations, right and wrong ------------------------------------------------------------

def turning(make_table):
    """An implementation that turns by make_table(positions, theta) for the case LATE."""
    table = make_table(LATE.start + np.arange(5), frequencies(8))
    return lambda case: lambda q, k: (apply_table(q, table), apply_table(k, table))


def rounded_angles(positions, theta):
    angle = torch.from_numpy(positions[:, None] * theta).bfloat16().float()
    return torch.polar(torch.ones_like(angle), angle)


def after(change):
    """Ours, with its two outputs changed."""
    return lambda case: lambda q, k: change(*EAGER.prepare(case)(q, k))


def with_gradient_one(case):
    """Outputs that are right, and a gradient that passes unturned: for k only."""
    def turn(q, k):
        turned_q, turned_k = EAGER.prepare(case)(q, k)
        return turned_q, turned_k.detach() + (k - k.detach())
    return turn


def half_split_in_place(case):
    """As Liger: half-split, tokens first in memory, q and k themselves are turned."""
    cos, sin = case.cos_sin()

    def turn(q, k):
        for x in (q, k):
            assert x.transpose(1, 2).is_contiguous()
            first, second = x.data.clone().chunk(2, -1)
            x.data.copy_(torch.cat([first * cos - second * sin, first * sin + second * cos], -1))
        return q, k
    return turn


WRONG = {  # name → (prepare, layout)
    "the other way": (turning(lambda positions, theta: rotation_table(-positions, theta)), "interleaved"),
    "exponent i/d": (turning(lambda positions, theta: rotation_table(positions, theta**0.5)), "interleaved"),
    "one position late": (turning(lambda positions, theta: rotation_table(positions + 1, theta)), "interleaved"),
    "angles in bfloat16": (turning(rounded_angles), "interleaved"),
    "interleaved pairs in half-split rows": (EAGER.prepare, "half-split"),
    "half-split pairs in interleaved rows": (next(one for one in IMPLEMENTATIONS if one.name == LLAMA).prepare, "interleaved"),
    "k as it was": (lambda case: lambda q, k: (apply_table(q, case.table), k.clone()), "interleaved"),
    "one result": (after(lambda q, k: (q,)), "interleaved"),
    "another dtype": (after(lambda q, k: (q.double(), k.double())), "interleaved"),
    "another shape": (after(lambda q, k: (q[:1], k[:1])), "interleaved"),
    "one number is none": (after(lambda q, k: (q, k.index_fill(-1, torch.tensor(3), torch.nan))), "interleaved"),
}


# Claims about `lib`, the benchmark or a mutant of it.


def case_of(lib, backward=False, dtype=torch.float32):
    return lib.Case("late", LATE, dtype, backward, CPU, 0)


def refused(lib, case, prepare, *words, layout="interleaved"):
    refuse(lambda: lib.check(case, Implementation("wrong", prepare, layout), prepare(case)), *words)


def what_is_right_passes(lib):
    """In every dtype and pass; Llama's and RoFormer's tables are rounded to the dtype, which is allowed."""
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for backward in (False, True):
            case = case_of(lib, backward, dtype)
            for one in IMPLEMENTATIONS:
                if one.name in HERE:
                    assert 0 < lib.check(case, one, one.prepare(case)) < 1
    in_place = Implementation("in place", half_split_in_place, "half-split", tokens_first=True)
    assert 0 < lib.check(case_of(lib), in_place, half_split_in_place(case_of(lib))) < 1e-6


def what_is_wrong_is_refused(lib):
    for prepare, layout in WRONG.values():
        for dtype in (torch.float32, torch.bfloat16):
            refused(lib, case_of(lib, dtype=dtype), prepare, layout=layout)
    refused(lib, case_of(lib), WRONG["another dtype"][0], "wrong for late (2, 3, 5, 8), float32, forward", "q is", "float64")
    refused(lib, case_of(lib), WRONG["another shape"][0], "q is (1, 3, 5, 8)")
    refused(lib, case_of(lib), WRONG["k as it was"][0], "k is off by", "times what rounding allows")
    refused(lib, case_of(lib), after(lambda q, k: (q, k * (1 + 8 * 2.0**-24))), "k is off by")  # 8 roundoffs; rounding makes 5 at most


def what_is_wrong_on_the_way_back_is_refused(lib):
    lib.check(case_of(lib), EAGER, with_gradient_one(case_of(lib)))
    refused(lib, case_of(lib, backward=True), with_gradient_one, "forward+backward", "the gradient of k")


def an_error_is_the_largest_and_in_units_of_rounding(lib):
    """By hand: pairs of norm 5 and 10, off by 2 and 1 units; 5 are allowed, or 5 and those of the angle."""
    exact = torch.tensor([[3.0, 4.0, 6.0, 8.0]], dtype=torch.float64)
    got, angle = exact + torch.tensor([[0, 2.0, -1.0, 0]]), torch.tensor([[-7.0, 2.0]], dtype=torch.float64)
    assert lib._error(got, exact, angle, 0.25, 0.0) == pytest.approx((2, 2 / (5 * 1.25)))
    assert lib._error(got, exact, angle, 0.25, 1.0) == pytest.approx((2, 2 / (5 * (1.25 + 7))))


def only_what_is_right_is_timed(lib):
    implementations = [EAGER, *(Implementation(name, prepare, layout) for name, (prepare, layout) in WRONG.items())]
    found = lib.measure({"late": LATE}, 1, "cpu", implementations=implementations)
    assert {run["row"] for run in found["runs"]} == {*FLOORS, EAGER.name}
    assert {note.split(": ")[0] for note in found["notes"]} == set(WRONG)
    assert all("\n" not in note for note in found["notes"])


def every_round_runs_each_once_in_a_new_order(lib):
    log = []
    calls = {name: partial(log.append, name) for name in "abcd"}

    def seconds(call, repeats):
        assert repeats == 1  # the clock shows more than a sample lasts
        call()
        return {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}[log[-1]]

    times = lib.interleave(calls, 6, 0, seconds)
    assert times == {"a": [1.0] * 6, "b": [2.0] * 6, "c": [3.0] * 6, "d": [4.0] * 6}
    rounds = [tuple(log[i : i + 4]) for i in range(16, 40, 4)]  # 16: once untimed and three times for the length, each of four
    assert len(log) == 40 and all(sorted(order) == list("abcd") for order in rounds)
    assert len(set(rounds)) > 3


def a_short_call_is_repeated_after_one_untimed(lib):
    """A call of a tenth of a sample: ten in a sample, and one before it to bring its data back into the caches."""
    log = []

    def seconds(call, repeats):
        log.append(repeats)
        return lib.SAMPLE / 10
    assert lib.interleave({"a": lambda: log.append("call")}, 2, 0, seconds) == {"a": [lib.SAMPLE / 10] * 2}
    assert log == ["call", 1, 1, 1, "call", 10, "call", 10]


def rows_have_the_floor_beside_them(lib):
    implementations = [EAGER, Implementation("compiled", never, compiled=True)]
    found = lib.measure(TINY, rounds=2, device="cpu", compiled=False, implementations=implementations)
    cases = [("training", "float32", "forward"), ("training", "float32", "forward+backward"), ("training", "bfloat16", "forward"),
             ("training", "bfloat16", "forward+backward"), ("decode", "float32", "forward"), ("decode", "bfloat16", "forward")]
    numbers = {"training": 1 * 2 * 5 * 8, "decode": 2 * 3 * 1 * 8}
    assert [(run["workload"], run["dtype"], run["pass"], run["row"]) for run in found["runs"]] == [
        (*case, row) for case in cases for row in (*FLOORS, EAGER.name)]
    for run in found["runs"]:
        tensors, width = (4 if run["pass"] == "forward+backward" else 2), (4 if run["dtype"] == "float32" else 2)
        assert run["bytes"] == tensors * numbers[run["workload"]] * width * 2  # q and k, their gradients; read and written
        assert run["shape"] == list(TINY[run["workload"]].shape)
        assert len(run["seconds"]) == 2 and all(second > 0 for second in run["seconds"])
        assert run["ours"] == (run["row"] == EAGER.name) and (run["error"] > 0) == run["ours"]
    assert found["notes"] == ["compiled entries: not asked for"]


def never(case):
    raise AssertionError("nothing may run")


def rounds_and_devices_are_checked_first(lib):
    for rounds in (0, -1, 2.0, "3"):
        refuse(lambda: lib.measure({}, rounds, "cpu"), "rounds must be a whole number of at least 1", repr(rounds))
    refuse(lambda: lib.measure({}, 1, "meta"), "the device must be cpu or cuda, got meta")


CLAIMS = [what_is_right_passes, what_is_wrong_is_refused, what_is_wrong_on_the_way_back_is_refused,
          an_error_is_the_largest_and_in_units_of_rounding, only_what_is_right_is_timed,
          every_round_runs_each_once_in_a_new_order, a_short_call_is_repeated_after_one_untimed, rows_have_the_floor_beside_them,
          rounds_and_devices_are_checked_first]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_bench(claim):
    claim(bench)


MUTANTS = [
    ("if not share <= 1:", "if share > 1:"),
    ("5 * unit", "8 * unit"),
    ("5 * unit", "1 * unit"),
    ("angle_unit * angle.abs()", "angle_unit * angle"),
    ("torch.maximum(off[..., 0::2], off[..., 1::2])", "off[..., 0::2]"),
    ("(1, 1, -1, -1)", "(1, 1, 1, 1)"),
    ("(got.shape, got.dtype) != (exact.shape, case.dtype)", "got.shape != exact.shape"),
    ("(got.shape, got.dtype) != (exact.shape, case.dtype)", "got.dtype != case.dtype"),
    ("exact, strict=True", "exact, strict=False"),
    ("torch.autograd.grad(turned, (q, k), gradients)", "torch.autograd.grad(turned, (q, q), gradients)"),
    ("[*turned, *torch.autograd.grad(turned, (q, k), gradients)] if gradients else [*turned]", "[*turned]"),
    ("worst = max(worst, error)", "worst = error * 0"),
    ("workload.start + np.arange", "np.arange"),
    ("            continue\n", ""),
    ("            error = check(case, one, turn)\n", "            error = 1.0\n"),
    ("2 * sum(x.nbytes", "sum(x.nbytes"),
    ("order.sample(list(calls), len(calls))", "list(calls)"),
    ("order.sample(list(calls), len(calls))", "order.choices(list(calls), k=len(calls))"),
    ("if repeats[name] > 1:", "if False:"),
    ("math.ceil(SAMPLE / min(", "round(1 + 0 * min("),
    ("if compiled or not one.compiled", "if True"),
    ("if workload.shape[2] > 1 else", "if True else"),
    ("or rounds < 1", "or rounds < 0"),
    ('.type not in ("cpu", "cuda")', '.type == "nothing"'),
]


def bench_mutant(old, new):
    return SimpleNamespace(**mutated(Path(bench.__file__), old, new))


@pytest.mark.parametrize("old, new", MUTANTS, ids=[f"{old} → {new}" for old, new in MUTANTS])
def test_mutant_is_caught(old, new):
    assert failures(bench_mutant(old, new), CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    assert failures(bench_mutant("if not share <= 1:", "if not (share <= 1):"), CLAIMS) == []


# ---- what is timed here --------------------------------------------------------------------------

def test_every_row_that_can_run_here_does(result):
    """out= serves float32 forward alone, and the library's own words say why."""
    found = {}
    for run in result["runs"]:
        found.setdefault((run["dtype"], run["pass"]), set()).add(run["row"])
    everywhere = {*FLOORS, *HERE}
    assert found.pop(("float32", "forward")) == everywhere | {"ours, eager, out="}
    assert len(found) == 3 and all(rows == everywhere for rows in found.values())
    assert result["notes"][0] == "compiled entries: not asked for"
    lines = sorted(result["notes"][1:])
    assert [line.split(": ")[0] for line in lines] == ["Liger", "ours, eager, out=", "ours, eager, out=", "ours, fused Triton"]
    assert lines[0] == "Liger: needs a GPU" and "bfloat16" in lines[1] and "gradient" in lines[2] and lines[3].endswith("needs a GPU")


def test_the_json_is_the_record(result, tmp_path):
    check_record(result)
    path = tmp_path / "record.json"
    path.write_bytes(bench._to_json(result))
    again = json.loads(path.read_text())
    assert again == result
    for view in (bench_report.rows, bench_report.table, bench_report.targets):
        assert view(again) == view(result)
    assert path.read_text().count('\n  {"workload"') == len(result["runs"])


def test_what_fails_is_one_line():
    """A missing package, an error of many lines, one without words: each one note, and the others are timed."""
    def fail(problem):
        def prepare(case):
            raise problem
        return prepare

    implementations = [EAGER, Implementation("lines", fail(RuntimeError("first\nsecond"))), Implementation("silent", fail(KeyError()))]
    found = bench.measure({"decode": TINY["decode"]}, 1, "cpu", implementations=implementations)
    assert found["notes"] == ["lines: first", "silent: KeyError()"]
    assert [run["row"] for run in found["runs"]] == [*FLOORS, EAGER.name] * 2


@pytest.mark.parametrize("package, missing", [("transformers", 2), ("rotary_embedding_torch", 1)])
def test_a_missing_package_is_one_line(package, missing, monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    found = bench.measure({"decode": TINY["decode"]}, 1, "cpu", compiled=False)
    lines = [note for note in found["notes"] if package in note]
    assert len(lines) == missing
    assert all(name not in {run["row"] for run in found["runs"]} for name in (line.split(": ")[0] for line in lines))
    assert EAGER.name in {run["row"] for run in found["runs"]}


def test_no_compiler_is_one_line(tmp_path):
    """With a compiler that is not there: one line for each compiled row, no traceback."""
    code = ("from ropebook import bench\n"
            "compiled = [one for one in bench.IMPLEMENTATIONS if one.compiled]\n"
            "found = bench.measure({'late': bench.Workload((1, 2, 1, 8))}, 1, 'cpu', implementations=compiled)\n"
            "print('\\n'.join(found['notes']))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
                          env=os.environ | {"CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [one.name for one in IMPLEMENTATIONS if one.compiled]
    assert all("/nonexistent" in line for line in lines) and "Traceback" not in done.stderr


@pytest.mark.parametrize("native, dtype", [(True, torch.bfloat16), (False, torch.float16)])
def test_half_precision_follows_the_gpu(native, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert bench._half_dtype(torch.device("cuda")) == dtype
    assert bench._half_dtype(CPU) == torch.bfloat16


def test_a_device_without_bfloat16_is_timed_in_float16(monkeypatch):
    monkeypatch.setattr(bench, "_half_dtype", lambda device: torch.float16)
    found = bench.measure(TINY, 1, "cpu", compiled=False, implementations=[one for one in IMPLEMENTATIONS if one.name in HERE])
    assert {run["dtype"] for run in found["runs"]} == {"float32", "float16"}
    assert {run["row"] for run in found["runs"] if run["dtype"] == "float16"} == {*FLOORS, *HERE}
    assert found["notes"][0] == "this GPU has no units for bfloat16: float16 instead"


def test_half_split_of_ours_is_right():
    """The function that is compiled, here uncompiled; with its result rounded before the halves are joined."""
    from ropebook.bench_implementations import _turn_half_split

    for dtype in (torch.float32, torch.bfloat16):
        for backward in (False, True):
            case = case_of(bench, backward, dtype)
            cos, sin = case.table.real, case.table.imag
            one = Implementation("half-split", None, "half-split")
            bench.check(case, one, lambda q, k: (_turn_half_split(q, cos, sin), _turn_half_split(k, cos, sin)))


def test_not_slower_than_hugging_face():
    """The training workload, float32, forward, one thread: measured at about a fifth of the time, so 1 leaves room for any machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        case = bench.Case("training", bench.WORKLOADS["training"], torch.float32, False, CPU, 0)
        chosen = [one for one in IMPLEMENTATIONS if one.name in (EAGER.name, LLAMA, "Hugging Face RoFormer")]
        runs = {run["row"]: run["seconds"] for run in bench._time_case(case, chosen, 7, 0, bench._cpu_seconds, [])}
    finally:
        torch.set_num_threads(threads)
    for peer in (LLAMA, "Hugging Face RoFormer"):
        assert np.median(np.divide(runs[EAGER.name], runs[peer])) < 1


# ---- the command ---------------------------------------------------------------------------------

def run_bench(*arguments, folder):
    return subprocess.run([sys.executable, "-m", "ropebook.bench", *arguments], capture_output=True, text=True, cwd=folder)


def test_the_command_prints_and_writes(tmp_path):
    done = run_bench("--device", "cpu", "--workloads", "decode", "--rounds", "2", "--threads", "1", "--no-compile", "--json", "new.json",
                     folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["new.json"]
    record = json.loads((tmp_path / "new.json").read_text())
    check_record(record)
    assert record["command"].startswith("python -m ropebook.bench --device cpu --workloads decode")
    assert (record["rounds"], record["machine"]["threads"], record["seeds"]) == (2, 1, [0])
    assert record["versions"].keys() >= {"torch", "transformers", "rotary-embedding-torch"}
    assert done.stdout == f"{bench_report.table(record)}\n\n{bench_report.targets_table(record)}\n"
    assert done.stderr.splitlines() == [f"decode (32, 32, 1, 128), {dtype}, forward" for dtype in ("float32", "bfloat16")]


@pytest.mark.parametrize("arguments, words", [
    (["--rounds", "0"], "rounds must be a whole number of at least 1, got 0"),
    (["--rounds", "many"], "invalid int value: 'many'"),
    (["--threads", "0"], "--threads must be at least 1, got 0"),
    (["--json", "missing/new.json"], "--json missing/new.json: there is no folder missing"),
    (["--json", "."], "--json .: that is a folder"),
    (["--workloads", "short"], "invalid choice: 'short'"),
    pytest.param(["--device", "cuda"], "device 'cuda' cannot be used here",
                 marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")),
], ids=" ".join)
def test_bad_arguments_are_refused(arguments, words, tmp_path, monkeypatch, capsys):
    """Before anything is timed or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "_time_case", lambda *arguments: pytest.fail("nothing may run"))
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    with pytest.raises(SystemExit) as exit_status:
        bench.main([*arguments, *([] if "--json" in arguments else ["--json", "new.json"])])
    assert exit_status.value.code == 2
    said = capsys.readouterr()
    assert words in said.err and said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_command_is_no_traceback(tmp_path):
    done = run_bench("--rounds", "0", "--json", "new.json", folder=tmp_path)
    assert done.returncode == 2 and "got 0" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []

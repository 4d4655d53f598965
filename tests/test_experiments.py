"""The harness of the recorded experiments: a file a run, whole or not at all, and intervals that hold what they say.

The harness runs tiny experiments of this file; the statistics are claims that wrong copies of them must fail.
"""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import torch
from mutation import failures, mutated

from ropebook import causal, experiment_characters, experiment_length, experiment_linear, experiments, text
from ropebook.experiment_pretraining import BEST, RATES, new_run
from ropebook.experiments import Experiment, file_name, main, read_run, recorded, table
from ropebook.records import REQUIRED, check_record
from ropebook.roformer import ENCODINGS
from ropebook.text import data_file

torch.set_num_threads(1)
SOURCE = Path(experiments.__file__)
SETTINGS = ({"size": "small", "rate": 0.5}, {"size": "large", "rate": 0.5})
SEEDS = (0, 1, 2)
NAMES = [f"size={size}, rate=0.5, seed={seed}.json" for seed in SEEDS for size in ("small", "large")]  # in the order of the runs


def measured(setting, seed):
    return {"loss": len(setting["size"]) + seed / 7, "by length": [[64, 1.5], [128, None]]}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """run(carry_out, *arguments): the command `tiny --out FOLDER`; returns the folder and what was carried out."""
    def run(carry_out=measured, *arguments, folder="records"):
        done = []
        noted = lambda setting, seed: (done.append(file_name(setting, seed)), carry_out(setting, seed))[1]
        monkeypatch.setattr(experiments, "experiments", lambda: {"tiny": Experiment("is small less than large?", SETTINGS, SEEDS, noted)})
        main(["tiny", "--out", str(tmp_path / folder), *arguments])
        return tmp_path / folder, done
    return run


def contents(folder):
    """What each file in a folder says, hidden ones too, without the time that the run took."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) | {"wall_seconds": None} for path in folder.iterdir()}


def stopping(at, error):
    """A carry_out that raises when it is called for the at-th time."""
    calls = []

    def carry_out(setting, seed):
        calls.append(seed)
        if len(calls) == at:
            raise error
        return measured(setting, seed)
    return carry_out


def refused(capsys, *says):
    """The command's error message must name all of these."""
    message = capsys.readouterr().err
    assert all(text in message for text in says), message


# ---- files ---------------------------------------------------------------------------------------

def test_a_run_leaves_a_record_of_how_it_was_made(run, capsys):
    folder, done = run()
    assert done == NAMES and {path.name for path in folder.iterdir()} == set(NAMES)
    for (setting, seed), name in zip(Experiment("", SETTINGS, SEEDS, measured).runs(), NAMES):
        record = json.loads((folder / name).read_text(encoding="utf-8"))
        check_record(record)
        assert set(record) == {*REQUIRED, "setting"} and record["seeds"] == [seed] and record["setting"] == setting
        assert record["command"].startswith("python ") and record["machine"]["cpu"] and {"torch", "numpy"} <= record["versions"].keys()
        assert record["runs"] == [{"seed": seed, **measured(setting, seed)}] and 0 <= record["wall_seconds"] < 60
    said = capsys.readouterr().out.splitlines()
    assert [re.sub(r", \d+ s$", "", line) for line in said] == [f"{n} of 6: {name[:-5]}" for n, name in enumerate(NAMES, 1)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("out of memory")])
def test_an_interrupted_experiment_goes_on_where_it_stopped(run, error):
    unbroken, _ = run(folder="unbroken")
    with pytest.raises(error if isinstance(error, type) else type(error)):
        run(stopping(3, error))
    folder, done = run()
    assert done == NAMES[2:]
    assert contents(folder) == contents(unbroken)


def test_after_an_interruption_the_folder_holds_the_finished_runs_and_nothing_else(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(stopping(3, KeyboardInterrupt))
    assert sorted(contents(tmp_path / "records")) == sorted(NAMES[:2])


def test_a_finished_experiment_does_nothing(run, capsys):
    folder, _ = run()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert run()[1] == [] and before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert capsys.readouterr().out.count("recorded before") == 6


@pytest.mark.parametrize("text, says", [
    ("", "Expecting value"), ('{"command": "python -m ropeb', "Unterminated string"), ("{}", "lacks command"), ("[]", "lacks command"),
    ("3", "is not the record"), ("null", "is not the record"), (b"\xff\xfe", "is not the record"), ('{"setting": {}, "runs": [1]}', "lacks command"),
])
def test_a_file_that_is_no_record_is_refused_and_kept(run, tmp_path, capsys, text, says):
    text = text if isinstance(text, bytes) else text.encode()
    path = tmp_path / "records" / NAMES[2]
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(SystemExit):
        run()
    refused(capsys, f"{path} is not the record of a run", says)
    assert path.read_bytes() == text and sorted(found.name for found in path.parent.iterdir()) == sorted(NAMES[:3])


def test_a_record_without_its_setting_is_refused(run):
    folder, _ = run()
    path = folder / NAMES[0]
    record = json.loads(path.read_text())
    del record["setting"]
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} is not the record of a run: the record lacks setting"):
        read_run(path)


@pytest.mark.parametrize("value", [math.nan, -math.inf, [1.0, [math.nan]], {"deep": math.inf}, torch.tensor(1.0), np.float32(1.0)])
def test_results_that_json_has_no_word_for_are_refused_by_name(run, tmp_path, capsys, value):
    bad = lambda setting, seed: {"loss": value if (setting["size"], seed) == ("large", 1) else 1.0}
    with pytest.raises(SystemExit):
        run(bad)
    refused(capsys, "size=large, rate=0.5, seed=1 cannot be recorded", "float" if isinstance(value, (float, list, dict)) else "not JSON serializable")
    assert sorted(contents(tmp_path / "records")) == sorted(NAMES[:3])


PROCESS = """
import sys, time
from ropebook import experiments

def slowly(setting, seed):
    time.sleep(0.05)
    return {"loss": seed}

settings = tuple({"size": size} for size in "abcdefgh")
experiments.experiments = lambda: {"tiny": experiments.Experiment("", settings, (0, 1), slowly)}
print("ready", flush=True)
sys.stdin.readline()
experiments.main(["tiny", "--out", sys.argv[1], "--seeds", sys.argv[2]])
"""


def test_two_processes_with_their_own_seeds_share_a_folder(tmp_path):
    start = lambda seed: subprocess.Popen([sys.executable, "-c", PROCESS, tmp_path / "new", seed], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    both = [start(seed) for seed in "01"]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:  # both are there before either starts
        process.stdin.write("go\n")
        process.stdin.flush()
    complaints = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0] and complaints == ["", ""]
    found = contents(tmp_path / "new")
    assert found.keys() == {f"size={size}, seed={seed}.json" for size in "abcdefgh" for seed in (0, 1)}
    assert all(record["runs"] == [{"seed": record["seeds"][0], "loss": record["seeds"][0]}] for record in found.values())


# ---- the command ---------------------------------------------------------------------------------

def test_seeds_and_values_choose_the_runs(run):
    assert run(measured, "--seeds", "2", "0", folder="a")[1] == [name for name in NAMES if "seed=1" not in name]
    assert run(measured, "--only", "large", folder="b")[1] == NAMES[1::2]
    assert run(measured, "--only", "0.5", "--seeds", "1", folder="c")[1] == NAMES[2:4]


@pytest.mark.parametrize("arguments, says", [
    (["--seeds", "0", "7"], ["no seed 7", "it has 0, 1, 2"]),
    (["--only", "medium"], ["no value medium", "it has 0.5, large, small"]),
])
def test_an_unknown_seed_or_value_is_refused_with_those_there_are(run, tmp_path, capsys, arguments, says):
    with pytest.raises(SystemExit):
        run(measured, *arguments)
    refused(capsys, *says)
    assert not (tmp_path / "records").exists()


def test_an_unknown_experiment_is_refused_with_those_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["lenght", "--out", str(tmp_path / "records")])
    refused(capsys, "lenght", "linear", "length")
    assert not (tmp_path / "records").exists()


# ---- reading -------------------------------------------------------------------------------------

def test_recorded_gives_setting_seed_and_results_in_one(run, monkeypatch, tmp_path):
    run(folder="records/tiny")
    monkeypatch.setattr(experiments, "data_file", lambda name: tmp_path / name)
    runs = recorded("tiny")
    assert len(runs) == 6
    assert {**SETTINGS[0], "seed": 2, **measured(SETTINGS[0], 2)}.items() <= next(r for r in runs if r["seed"] == 2 and r["size"] == "small").items()
    columns = table(runs, "size", "loss")
    assert {key: list(column) for key, column in columns.items()} == {"large": [5 + seed / 7 for seed in SEEDS], "small": [5 + seed / 7 for seed in SEEDS]}


def test_an_experiment_that_nobody_recorded_is_refused():
    with pytest.raises(ValueError, match="no runs of an experiment 'lenght' are recorded"):
        recorded("lenght")


def test_a_table_keeps_the_order_of_the_seeds_and_reads_by_functions():
    runs = [{"seed": seed, "model": model, "by length": [[64, 10 * seed + len(model)]]} for seed in (2, 0, 1) for model in ("NoPE", "p-RoPE")]
    columns = table(runs, lambda run: run["model"][0], lambda run: dict(run["by length"])[64])
    assert {key: column.tolist() for key, column in columns.items()} == {"N": [4, 14, 24], "p": [6, 16, 26]}
    assert all(column.dtype == np.float64 for column in columns.values())
    assert np.isnan(table([{"seed": 0, "loss": None}], "seed", "loss")[0])  # what was no number is one that spoils a mean


@pytest.mark.parametrize("seeds", [{"a": (0, 1), "b": (0, 2)}, {"a": (0, 1), "b": (0,)}, {"a": (0, 0, 1)}, {"a": (0, 0), "b": (0, 0)}, {}])
def test_a_table_of_unequal_seeds_is_refused(seeds):
    runs = [{"seed": seed, "model": model, "loss": 1.0} for model, each in seeds.items() for seed in each]
    with pytest.raises(ValueError, match=re.escape(f"the same seeds, each once, got { {model: list(each) for model, each in seeds.items()} }")):
        table(runs, "model", "loss")


# ---- intervals -----------------------------------------------------------------------------------

TRIALS = 2000
OFF = 4 * math.sqrt(0.95 * 0.05 / TRIALS)  # four standard deviations of a share of 95 %: 0.019


def student_is_the_quantile_of_t(lib):
    """The area of t's density up to it is 97.5 %, by numeric integration; the table is rounded to three places."""
    assert sorted(lib.STUDENT) == list(range(2, 11))
    for seeds, quantile in lib.STUDENT.items():
        n = mpmath.mpf(seeds - 1)
        size = mpmath.gamma((n + 1) / 2) / (mpmath.sqrt(n * mpmath.pi) * mpmath.gamma(n / 2))
        upper = lambda t: mpmath.quad(lambda x: size * (1 + x * x / n) ** (-(n + 1) / 2), [0, t / 4, t])
        assert upper(quantile - 5e-4) < 0.475 < upper(quantile + 5e-4), (seeds, quantile)


def an_interval_by_hand(lib):
    """Differences 1, 2, 3, 4, 5: mean 3, s² = 10/4, so half of it is 2.776 √(2.5/5); 1 and 3: mean 2, s² = 2, half 12.706."""
    np.testing.assert_allclose(lib.paired([2, 4, 6, 8, 10], [1, 2, 3, 4, 5]), (3, 3 - 2.776 * 0.5**0.5, 3 + 2.776 * 0.5**0.5), rtol=1e-15)
    np.testing.assert_allclose(lib.paired([1.0, 3.0], [0.0, 0.0]), (2, 2 - 12.706, 2 + 12.706), rtol=1e-14)
    np.testing.assert_allclose(lib.band([1, 2, 3, 4, 5]), (3 - 2.776 * 3**0.5, 3 + 2.776 * 3**0.5), rtol=1e-15)  # s² (1 + 1/5) = 3


def an_interval_holds_the_true_difference(lib):
    """In 95 of 100 simulated experiments whose seeds share a large part of their spread, for which pairing is."""
    rng = np.random.default_rng(1)
    for seeds in (2, 5, 10):
        shared = rng.normal(scale=30, size=(TRIALS, seeds))
        a, b = (shared + rng.normal(mean, 1.0, (TRIALS, seeds)) for mean in (3.5, 3.0))
        results = np.array([lib.paired(*both) for both in zip(a, b)])  # (TRIALS, 3)
        assert abs(((results[:, 1] < 0.5) & (0.5 < results[:, 2])).mean() - 0.95) < OFF
        assert abs(results[:, 0].mean() - 0.5) < 4 * math.sqrt(2 / (seeds * TRIALS))


def a_band_holds_the_next_run(lib):
    rng = np.random.default_rng(2)
    for seeds in (2, 5, 10):
        values, following = rng.normal(3, 0.2, (TRIALS, seeds)), rng.normal(3, 0.2, TRIALS)
        low, high = np.array([lib.band(row) for row in values]).T
        assert abs(((low < following) & (following < high)).mean() - 0.95) < OFF


STATISTICS = (student_is_the_quantile_of_t, an_interval_by_hand, an_interval_holds_the_true_difference, a_band_holds_the_next_run)
WRONG = (
    ("5: 2.776", "5: 2.571"),  # one degree of freedom too many
    ("10: 2.262", "10: 1.960"),  # the normal distribution's
    ("4: 3.182", "4: 3.128"),
    ("difference.std(ddof=1) / np.sqrt(len(a))", "difference.std() / np.sqrt(len(a))"),
    ("difference.std(ddof=1) / np.sqrt(len(a))", "difference.std(ddof=1)"),
    ("difference.std(ddof=1) / np.sqrt(len(a))", "difference.std(ddof=1) / len(a)"),
    ("difference.std(ddof=1) / np.sqrt(len(a))", "np.hypot(a.std(ddof=1), b.std(ddof=1)) / np.sqrt(len(a))"),  # not paired
    ("difference = a - b", "difference = b - a"),
    ("values.std(ddof=1) * np.sqrt(1 + 1 / len(values))", "values.std(ddof=1) * np.sqrt(1 / len(values))"),
    ("values.std(ddof=1) * np.sqrt(1 + 1 / len(values))", "values.std(ddof=1)"),
    ("values.std(ddof=1) * np.sqrt(1 + 1 / len(values))", "values.std() * np.sqrt(1 + 1 / len(values))"),
)


def test_the_intervals_hold_what_they_say():
    assert failures(experiments, STATISTICS) == []


@pytest.mark.parametrize("old, new", WRONG, ids=[new for _, new in WRONG])
def test_wrong_intervals_are_noticed(old, new):
    assert failures(SimpleNamespace(**mutated(SOURCE, old, new)), STATISTICS)


@pytest.mark.parametrize("a, b", [([1.0], [2.0]), ([1, 2], [1, 2, 3]), (np.zeros(11), np.zeros(11)), (np.zeros((2, 2)), np.zeros((2, 2)))])
def test_too_few_or_unequal_seeds_are_refused(a, b):
    with pytest.raises(ValueError, match=re.escape(f"2 to 10 seeds, got shapes {np.shape(a)} and {np.shape(b)}")):
        experiments.paired(a, b)
    if np.shape(a) == np.shape(b):
        with pytest.raises(ValueError, match=re.escape(f"2 to 10 seeds, got shape {np.shape(a)}")):
            experiments.band(a)


# ---- the book's experiments ----------------------------------------------------------------------

KNOWN = experiments.experiments()
ONE_SEED = {"pretraining-rates", "translation-rates", "plateau", "translation-long"}  # a choice of rates, and one long run of each kind


@pytest.mark.parametrize("name", sorted(KNOWN.keys() - ONE_SEED))
def test_what_is_compared_is_run_with_five_seeds(name):
    assert KNOWN[name].seeds == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("name", ["pretraining", "translation"])
def test_no_seed_of_the_race_has_chosen_its_rates(name):
    assert not set(KNOWN[name].seeds) & set(KNOWN[f"{name}-rates"].seeds)


def test_the_race_is_run_with_the_best_of_the_recorded_rates():
    tuned = {(run["encoding"], run["rate"]): run["loss"] for run in recorded("pretraining-rates")}
    best = {encoding: min(RATES, key=lambda rate: tuned[encoding, rate]) for encoding in ENCODINGS}
    assert best == BEST == {setting["encoding"]: setting["rate"] for setting in KNOWN["pretraining"].settings}


def test_runs_of_a_seed_start_from_the_same_weights_and_batches():
    first, *others = (new_run({"encoding": encoding, "rate": 1e-3}, seed=3) for encoding in ENCODINGS)
    shared = first.model.state_dict()
    for other in others:
        assert all(torch.equal(shared[name], weight) for name, weight in other.model.state_dict().items() if name in shared)
        assert torch.equal(first.generator.get_state(), other.generator.get_state())
    fourth = new_run({"encoding": "RoPE", "rate": 1e-3}, seed=4)
    assert not torch.equal(shared["embedding.weight"], fourth.model.embedding.weight)


@pytest.mark.parametrize("name", KNOWN)
def test_every_run_has_a_file_name_of_its_own_that_all_systems_allow(name):
    """macOS takes a and A for the same name; a longer, hidden one stands there while the file is written."""
    names = [file_name(setting, seed) for setting, seed in KNOWN[name].runs()]
    assert len({found.casefold() for found in names}) == len(names) == len(KNOWN[name].seeds) * len(KNOWN[name].settings)
    for found in names:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 =,.+-]*\.json", found) and len(found) <= 200, found


@pytest.mark.parametrize("name", KNOWN)
def test_the_shipped_records_are_complete(name):
    """Every setting with every seed, once, in the file of its name; each says how it was made, by a commit that was not changed."""
    folder = data_file("records") / name
    if not folder.is_dir():
        pytest.skip(f"the experiment {name!r} has no records yet: make them with python -m ropebook.experiments {name} --out {folder}")
    asked = {file_name(setting, seed): (setting, seed) for setting, seed in KNOWN[name].runs()}
    assert {path.name for path in folder.iterdir()} == asked.keys()
    for file, (setting, seed) in asked.items():
        record = read_run(folder / file)
        assert record["setting"] == setting and record["seeds"] == [seed] == [run["seed"] for run in record["runs"]], file
        assert record["commit"] and not record["commit"].endswith("+"), file
    runs = recorded(name)
    assert Counter(tuple(run[key] for key in KNOWN[name].settings[0]) for run in runs) == {tuple(s.values()): len(KNOWN[name].seeds) for s in KNOWN[name].settings}


@pytest.fixture
def short_text(monkeypatch):
    """The first address of each split."""
    everything = text.addresses
    monkeypatch.setattr(text, "addresses", lambda split: everything(split)[:1])
    causal.texts.cache_clear()
    yield
    causal.texts.cache_clear()


@pytest.fixture
def short_length(monkeypatch, short_text):
    """The length experiment with two steps, one of tuning, two windows and three methods."""
    for key, value in {"STEPS": 2, "EARLY": 1, "WINDOWS": 2, "SHIFTS": (0, 10), "METHODS": dict(list(experiment_length.METHODS.items())[:3]),
                       "TUNING": experiment_length.TrainingConfig(steps=1, batch=1, length=256)}.items():
        monkeypatch.setattr(experiment_length, key, value)


def numbers(results):
    """All numbers in nested results."""
    if isinstance(results, (dict, list)):
        return [number for item in (results.values() if isinstance(results, dict) else results) for number in numbers(item)]
    return [results]


def test_a_live_run_of_the_linear_experiment_has_finite_losses(monkeypatch, short_text):
    """Three steps: the losses on the way are finite, and two steps are the beginning of the same run."""
    monkeypatch.setattr(experiment_linear, "REPORTS", (1, 2, 3))
    monkeypatch.setattr(experiment_linear, "WINDOWS", 4)
    long, short = (experiment_linear.trained(experiment_linear.SETTINGS[0], 0, steps) for steps in (3, 2))
    assert [step for step, _ in long["losses"]] == [1, 2, 3] and all(math.isfinite(loss) for _, loss in long["losses"])
    assert long["losses"][:2] == short["losses"] and short["largest training loss"] <= long["largest training loss"] < math.inf


def test_characters_are_numbered_by_the_training_text(monkeypatch):
    """In the order of their code points, from 1; what only the held-out text has is 0; a text ends with a line break."""
    texts = {"train": ["bad", "é"], "validation": ["dab", "z"]}
    monkeypatch.setattr(experiment_characters, "addresses", lambda split: [SimpleNamespace(text=some) for some in texts[split]])
    train, held_out, count = experiment_characters.characters.__wrapped__()
    assert (train.tolist(), held_out.tolist(), count) == ([3, 2, 4, 1, 5, 1], [4, 2, 3, 1, 0, 1], 6)


def test_a_live_run_on_characters_counts_bits(monkeypatch):
    """Two steps: nearly a uniform guess still, log2 of the number of characters to within a bit."""
    experiment_characters.characters.cache_clear()
    everything = experiment_characters.addresses
    monkeypatch.setattr(experiment_characters, "addresses", lambda split: everything(split)[:1])
    monkeypatch.setattr(experiment_characters, "EVERY", 1)
    monkeypatch.setattr(experiment_characters, "WINDOWS", 2)
    found = experiment_characters.trained({"attention": "plain", "encoding": "NoPE"}, seed=0, stop=2)
    count = experiment_characters.characters()[2]
    experiment_characters.characters.cache_clear()
    assert [step for step, _ in found["curve"]] == [1, 2] and found["bits"] == found["curve"][-1][1]
    assert abs(found["bits"] - math.log2(count)) < 1


def test_what_is_no_number_is_recorded_as_none():
    assert [experiment_linear.number(value) for value in (1.5, math.nan, math.inf, -math.inf)] == [1.5, None, None, None]


def test_a_live_run_of_the_length_experiment_has_what_the_chapter_reads(short_length):
    """All lengths, and the repairs for RoPE alone. Without a method, or for the training's own length, a repair changes nothing."""
    rope, other = (experiment_length.trained({"model": name}, seed=0) for name in ("RoPE", "p-RoPE"))
    assert all(math.isfinite(number) for number in numbers([rope, other]))
    assert [at for at, _ in rope["by length"]] == [at for at, _ in rope["early"]] == [64, 128, 256, 512]
    assert rope["zero-shot"].keys() == rope["fine-tuned"].keys() == experiment_length.METHODS.keys()
    assert rope["zero-shot"]["none"] == rope["by length"][1:] and rope["early PI"][0] == rope["early"][0]
    assert rope["zero-shot"]["PI"] != rope["zero-shot"]["none"] and rope["shifted"][0][1] == rope["by length"][0][1]
    assert "zero-shot" not in other and [at for at, _ in other["by length"]] == [64, 128, 256, 512] and other["by length"] != rope["by length"]

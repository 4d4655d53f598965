"""The claims about training: seeded, resumable to the same numbers, never half a file."""

import inspect
import json
import math
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from ropebook.records import REQUIRED, check_record
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.text import data_file
from ropebook.train import load_model, main, read_log
from ropebook.training import (
    Trainer, TrainingConfig, evaluate, held_out_blanks, learning_rate, load_checkpoint, mask_tokens, pick_device,
    progress_bar, sample_windows, save_checkpoint, unigram_guess, write_atomically,
)

torch.set_num_threads(1)  # small models: threads would only wait for each other
VOCABULARY, MASK = 40, 0
SMALL = {"width": 16, "heads": 2, "layers": 1}
SHORT = ["--width", "16", "--heads", "2", "--layers", "1", "--batch", "2", "--length", "16", "--device", "cpu"]


@pytest.fixture(scope="module")
def stream():
    return torch.randint(2, VOCABULARY, (5000,), generator=torch.Generator().manual_seed(0))


def trainer(stream, **changes):
    config = TrainingConfig(**{"steps": 20, "batch": 4, "length": 16, "warmup": 5, **changes})
    torch.manual_seed(config.seed)
    return Trainer(RoFormer(RoFormerConfig(VOCABULARY, **SMALL)), stream, MASK, config)


def weights(run):
    return torch.cat([weight.detach().flatten() for weight in run.model.parameters()])


# The command with a text of two addresses a split, so that it starts at once.
SHORT_TEXT = """
import sys
import ropebook.text, ropebook.train
everything = ropebook.text.addresses
ropebook.text.addresses = lambda split: everything(split)[:2]
ropebook.train.main(sys.argv[1:])
"""


def start(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SHORT_TEXT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finished(*arguments):
    """Run the command to its end; what it said."""
    said, complained = (run := start(*arguments)).communicate()
    assert run.returncode == 0 and complained == "", complained
    return said


# ---- the blanks ----------------------------------------------------------------------------------

def test_blanks_are_15_percent_and_split_80_10_10(stream):
    tokens = stream[:4800].view(300, 16).repeat(10, 1)
    inputs, blanks = mask_tokens(tokens, MASK, VOCABULARY, torch.Generator().manual_seed(0))
    n = blanks.sum().item()
    sigma = 5 / math.sqrt(n)  # five standard deviations, at most
    assert abs(n / tokens.numel() - 0.15) < 5 * math.sqrt(0.15 * 0.85 / tokens.numel())
    assert abs((inputs[blanks] == MASK).double().mean() - (0.8 + 0.1 / VOCABULARY)) < 0.4 * sigma
    assert abs((inputs[blanks] == tokens[blanks]).double().mean() - (0.1 + 0.1 / VOCABULARY)) < 0.3 * sigma
    assert torch.equal(inputs[~blanks], tokens[~blanks])


def test_windows_are_neighbouring_tokens_from_everywhere():
    windows = sample_windows(torch.arange(20), 500, 5, torch.Generator().manual_seed(0))
    assert torch.equal(windows - windows[:, :1], torch.arange(5).expand(500, 5))
    assert windows[:, 0].unique().tolist() == list(range(16))


def test_text_shorter_than_a_window_is_refused():
    for sample in (lambda: sample_windows(torch.arange(4), 1, 5, torch.Generator()), lambda: held_out_blanks(torch.arange(4), 5, 1, MASK)):
        with pytest.raises(ValueError, match="5 tokens.*only 4"):
            sample()


def test_held_out_blanks_are_always_the_same_and_hidden(stream):
    tokens, inputs, blanks = held_out_blanks(stream, 16, 50, MASK)
    torch.manual_seed(99)
    assert all(torch.equal(a, b) for a, b in zip((tokens, inputs, blanks), held_out_blanks(stream, 16, 50, MASK)))
    assert (inputs[blanks] == MASK).all() and torch.equal(inputs[~blanks], tokens[~blanks])


# ---- the scores ----------------------------------------------------------------------------------

def test_evaluation_equals_the_full_sum(stream):
    model = trainer(stream).model
    tokens, inputs, blanks = held_out_blanks(stream, 16, 7, MASK)
    with torch.no_grad():
        chances = model(inputs, torch.arange(16)).log_softmax(-1)
    loss = -chances[blanks].gather(1, tokens[blanks][:, None]).mean().item()
    scores = evaluate(model, tokens, inputs, blanks, batch=3)
    assert scores["loss"] == pytest.approx(loss, rel=1e-6)
    assert scores["top1"] == (chances[blanks].argmax(-1) == tokens[blanks]).double().mean().item()


def test_unigram_guess_by_hand():
    guess = unigram_guess(torch.tensor([1, 1, 1, 2]), torch.tensor([1, 2, 2, 0]), vocabulary=3)
    chances = {0: 1 / 7, 1: 4 / 7, 2: 2 / 7}  # one added to each count
    assert guess["top1"] == 0.25
    assert guess["loss"] == pytest.approx(-sum(math.log(chances[t]) for t in (1, 2, 2, 0)) / 4)


def test_rate_climbs_then_falls_to_a_tenth():
    config = TrainingConfig(steps=100, warmup=10, rate=1.0)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == 0.1 and rates[9] == rates[10] == 1.0 and rates[100] == pytest.approx(0.1)
    assert all(a > b for a, b in zip(rates[10:], rates[11:]))


# ---- the steps -----------------------------------------------------------------------------------

def test_a_seed_fixes_the_run(stream):
    a, b, other = (trainer(stream, seed=seed) for seed in (1, 1, 2))
    losses = [[run.step().item() for _ in range(5)] for run in (a, b, other)]
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(weights(a), weights(b))


def test_training_learns_a_text_that_can_be_learnt():
    run = trainer(torch.arange(2, VOCABULARY).repeat(200), steps=150, rate=0.01, batch=16)
    losses = [run.step().item() for _ in range(150)]
    assert sum(losses[-10:]) / 10 < 0.7 * losses[0]


def test_a_restored_run_continues_to_the_same_weights(stream, tmp_path):
    unbroken = trainer(stream)
    for _ in range(20):
        unbroken.step()
    first = trainer(stream)
    for _ in range(8):
        first.step()
    save_checkpoint(tmp_path / "c.pt", first.state())
    second = trainer(stream, seed=0)
    second.restore(load_checkpoint(tmp_path / "c.pt"))
    for _ in range(12):
        second.step()
    assert second.done == 20 and torch.equal(weights(second), weights(unbroken))


def test_the_bar_ends_without_times_and_stays_off_stderr(capsys):
    with progress_bar(3, done=1) as bar:
        bar.update(2)
    out, err = capsys.readouterr()
    assert err == "" and out.split("\r")[-1].rstrip() == f"100% |{'█' * 30}| 3/3 steps"


@pytest.mark.parametrize("bad, says", [
    ({"steps": -5}, "steps.*-5"), ({"steps": 0}, "steps.*0"), ({"batch": 1.5}, "batch.*1.5"), ({"length": 0}, "length.*0"),
    ({"warmup": -1}, "warmup.*-1"), ({"rate": 0.0}, "rate.*0"), ({"rate": float("nan")}, "rate.*nan"), ({"weight_decay": -0.1}, "weight_decay.*-0.1"),
])
def test_impossible_training_is_refused(bad, says):
    with pytest.raises(ValueError, match=says):
        TrainingConfig(**bad)


def test_a_device_that_is_not_there_is_refused():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ValueError, match="'abacus'"):
        pick_device("abacus")


# ---- files ---------------------------------------------------------------------------------------

WRITER = f"""
import itertools, os, sys
from pathlib import Path
{inspect.getsource(write_atomically)}
for n in itertools.count():
    write_atomically(sys.argv[1], bytes([n % 256]) * 300_000)
    print(n, flush=True)
"""  # the function's own source, so that twelve processes need not import torch


def test_kill_9_leaves_a_whole_file(tmp_path):
    """Twelve writers, each killed at a random moment of an endless loop of writes."""
    chance = random.Random(0)
    for n in range(12):
        path = tmp_path / f"{n}.bin"
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
        writer.stdout.readline()  # the first file is written
        time.sleep(chance.uniform(0, 0.05))
        writer.kill()
        writer.communicate()
        data = path.read_bytes()
        assert len(data) == 300_000 and len(set(data)) == 1, f"after a kill the file holds {len(data)} bytes of {len(set(data))} kinds"


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("data", [b"", b"another file", b"PK\x03\x04 the start of an archive"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, data):
    (tmp_path / "checkpoint.pt").write_bytes(data)
    with pytest.raises(ValueError, match="checkpoint.pt is not a checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt")


# ---- the command ---------------------------------------------------------------------------------

def entries(folder):
    """The log without its times."""
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(folder / "log.jsonl")]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "unbroken"
    return folder, finished("--out", folder, "--steps", 400, "--evaluate-every", 200, *SHORT)


def test_a_run_leaves_its_model_log_and_record(unbroken):
    folder, said = unbroken
    files = {"config.json", "log.jsonl", "checkpoint.pt", "model.safetensors", "model.json", "record.json"}
    assert {path.name for path in folder.iterdir()} == files
    assert [e["step"] for e in entries(folder) if "loss" in e] == list(range(10, 401, 10))
    assert [e["step"] for e in entries(folder) if "validation" in e] == [200, 400]
    record = json.loads((folder / "record.json").read_text())
    check_record(record)
    scores = record["runs"][0]
    assert f"{scores['validation']['model']['top1']:.1%}" in said and f"{scores['test']['unigram']['loss']:.3f}" in said
    saved = load_checkpoint(folder / "checkpoint.pt")["model"]
    assert all(torch.equal(weight, saved[name]) for name, weight in load_model(folder).state_dict().items())


def test_kill_9_and_resume_give_the_numbers_of_an_unbroken_run(unbroken, tmp_path):
    folder = tmp_path / "killed"
    arguments = ["--out", folder, "--steps", 400, "--evaluate-every", 200, *SHORT]
    run = start(*arguments, "--checkpoint-seconds", 0.1)
    while run.poll() is None and not (len(read_log(folder / "log.jsonl")) >= 15 and (folder / "checkpoint.pt").exists()):
        time.sleep(0.01)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    saved = load_checkpoint(folder / "checkpoint.pt")["done"]
    assert 0 < saved and read_log(folder / "log.jsonl")[-1]["step"] < 400

    assert f"from step {saved} to step 400" in finished(*arguments, "--resume")
    assert entries(folder) == entries(unbroken[0])
    assert (folder / "model.safetensors").read_bytes() == (unbroken[0] / "model.safetensors").read_bytes()
    assert not list(folder.glob(".*")), "a partial file was left behind"


def test_killed_before_the_first_checkpoint_it_starts_again(unbroken, tmp_path):
    folder = tmp_path / "young"
    folder.mkdir()
    (folder / "config.json").write_bytes((unbroken[0] / "config.json").read_bytes())
    (folder / "log.jsonl").write_text('{"step": 10, "loss": 3.0, "seconds": 0.1}\n{"step": 20, "lo')
    assert "from step 0 to step 400" in finished("--out", folder, "--resume", "--device", "cpu", "--evaluate-every", 200)
    assert entries(folder) == entries(unbroken[0])


def test_resuming_a_complete_run_trains_no_further(unbroken):
    before = (unbroken[0] / "model.safetensors").read_bytes()
    assert "from step 400 to step 400" in finished("--out", unbroken[0], "--resume", "--device", "cpu")
    assert (unbroken[0] / "model.safetensors").read_bytes() == before


def test_bad_input_gets_one_clear_line(unbroken, tmp_path, capsys):
    def refused(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(list(map(str, arguments)))
        assert stop.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    folder = unbroken[0]
    assert "already holds a run: add --resume" in refused("--out", folder)
    assert "--steps 500 contradicts" in (line := refused("--out", folder, "--resume", "--steps", 500)) and "400" in line
    assert "no run to resume" in refused("--out", tmp_path / "nowhere", "--resume")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    assert "not an empty folder" in refused("--out", tmp_path / "full")
    assert "steps must be" in (line := refused("--out", tmp_path / "new", "--steps", -3)) and "-3" in line
    assert "width 30 and heads 4" in refused("--out", tmp_path / "new", "--width", 30)
    assert "'abacus' cannot be used" in refused("--out", tmp_path / "new", "--device", "abacus")
    assert "invalid int value: 'many'" in refused("--out", tmp_path / "new", "--steps", "many")
    assert "at least 1, got 0" in refused("--out", tmp_path / "new", "--evaluate-every", 0)
    assert "zero or more, got -1.0" in refused("--out", tmp_path / "new", "--checkpoint-seconds", -1)
    assert not (tmp_path / "new").exists(), "a refused command leaves nothing behind"


def test_help_names_every_option_and_its_default():
    command = [sys.executable, "-m", "ropebook.train", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for option in ("--out", "--resume", "--seed", "--steps", "--device", "--checkpoint-seconds", "--rate", "--width"):
        assert option in said
    assert "default: 20" in said and f"default: {TrainingConfig.steps}" in said


# ---- records -------------------------------------------------------------------------------------

RECORDS = sorted(data_file("records").glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_record_says_how_it_was_made(path):
    check_record(json.loads(path.read_text()))


@pytest.mark.parametrize("field", REQUIRED)
def test_a_record_without_provenance_is_refused(field):
    record = json.loads(RECORDS[0].read_text())
    del record[field]
    with pytest.raises(ValueError, match=field):
        check_record(record)


def test_a_recorded_short_run_gives_the_same_numbers_again(tmp_path, capsys):
    """The record was made by its own `command`; another processor rounds differently, hence the tolerance."""
    record = json.loads(data_file("records/short_run.json").read_text())
    words = record["command"].split()
    assert words[:3] == ["python", "-m", "ropebook.train"]
    words[words.index("--out") + 1] = str(tmp_path / "again")
    main(words[3:])
    capsys.readouterr()
    again = json.loads((tmp_path / "again" / "record.json").read_text())
    for table, settings in record["config"].items():
        assert settings.items() <= again["config"][table].items(), "a setting newer than the record stands at its default"
    for split in ("validation", "test"):
        new, old = again["runs"][0][split], record["runs"][0][split]
        assert new["blanks"] == old["blanks"]
        for who in ("model", "unigram"):
            assert new[who]["loss"] == pytest.approx(old[who]["loss"], abs=0.01)
            assert new[who]["top1"] == pytest.approx(old[who]["top1"], abs=0.005)

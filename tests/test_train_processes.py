"""The claims about several processes: together they train as one, only the leader speaks, and a lost one ends the run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mutation import mutated

import ropebook.processes
import ropebook.training
from ropebook.causal import CausalTrainer
from ropebook.processes import ALONE, Lost, Team, own_device
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.train import make_trainer, read_log
from ropebook.training import Trainer, TrainingConfig, load_checkpoint

torch.set_num_threads(1)
VOCABULARY, MASK = 40, 0
STREAM = torch.randint(2, VOCABULARY, (5000,), generator=torch.Generator().manual_seed(0))
SHORT = ["--width", "16", "--heads", "2", "--layers", "1", "--batch", "4", "--length", "16", "--device", "cpu", "--evaluate-every", "50"]
STEPS = ["--steps", "100"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]

# The command with little text, so that it starts at once; each process leaves its id for the test that kills one.
COMMAND = """
import os, pathlib, sys, time
import ropebook.tasks, ropebook.text, ropebook.train
everything = ropebook.text.addresses
ropebook.text.addresses = lambda split: everything(split)[:2]
ropebook.tasks.EVALUATION_WINDOWS = 64
pathlib.Path(__file__).with_name("process" + os.environ.get("RANK", "0")).write_text(str(os.getpid()))
ropebook.train.main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    (folder / "command.py").write_text(COMMAND)
    return folder


def start(place, launcher, *arguments):
    command = [*launcher, place / "command.py", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # else torchrun warns that it sets it
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finished(place, launcher, *arguments):
    said, complained = (run := start(place, launcher, *arguments)).communicate(timeout=300)
    assert run.returncode == 0, complained
    return said, complained


def numbers(folder):
    """The log without its times: {(step, what): number}."""
    log = read_log(folder / "log.jsonl")
    return {(e["step"], "loss"): e["loss"] for e in log if "loss" in e} | {(e["step"], "held out"): e["validation"]["loss"] for e in log if "validation" in e}


@pytest.fixture(scope="module")
def alone(place):
    finished(place, [sys.executable], "--out", place / "alone", *SHORT, *STEPS)
    return place / "alone"


@pytest.fixture(scope="module")
def two(place):
    return place / "two", *finished(place, TORCHRUN, "--out", place / "two", *SHORT, *STEPS)


# One step's sums, in another order, differ by a few float32 roundings, 2^-23 each; a step hands its difference on to the next. A
# hundred steps, and a factor of 8 for what training amplifies. Measured: 5e-7.
TOLERANCE = 100 * 8 * 2.0**-23


# ---- shares --------------------------------------------------------------------------------------

def test_shares_are_all_rows_in_order():
    rows = torch.arange(24).view(12, 2)
    for size in (1, 2, 3, 12):
        assert torch.equal(torch.cat([Team(rank, size).share(rows) for rank in range(size)]), rows)


def whole_and_parts(library, size, kind="Trainer"):
    """The gradient of a batch, and the sum of the processes' gradients; each with the loss in front."""
    def gradient(team):
        torch.manual_seed(0)
        model = RoFormer(RoFormerConfig(VOCABULARY, width=16, heads=2, layers=1, causal=kind == "CausalTrainer"))
        training = TrainingConfig(steps=1, batch=12, length=3)
        given = (model, STREAM, MASK, training) if kind == "Trainer" else (model, STREAM, training)
        trainer = library[kind](*given, "float32", team)
        (loss := trainer.loss()).backward()
        return torch.cat([loss.detach()[None], *(weight.grad.flatten() for weight in model.parameters())])

    return gradient(ALONE), sum(gradient(Team(rank, size)) for rank in range(size))


@pytest.mark.parametrize("size", [2, 3, 12])
@pytest.mark.parametrize("kind", [Trainer, CausalTrainer])
def test_the_gradients_of_the_shares_add_up_to_that_of_the_batch(kind, size):
    """Rows have 3 tokens, so that shares differ in their number of blanks and some have none. float32: sums of a few hundred terms."""
    whole, parts = whole_and_parts({kind.__name__: kind}, size, kind.__name__)
    assert (whole - parts).abs().max() < 500 * 2.0**-23 * whole.abs().max() and whole[1:].abs().max() > 1e-3


@pytest.mark.parametrize("old, new", [
    ('blanks.to(self.device))  # (M, V)\n        return F.cross_entropy(logits.float(), tokens[blanks].to(self.device), reduction="sum")',
     'blanks.to(self.device))  # (M, V)\n        return F.cross_entropy(logits.float(), tokens[blanks].to(self.device)) * 2'),  # the mean of the share
    ("self.total_loss(*map(self.team.share, batch)) / max(1, answers)", "self.total_loss(*map(self.team.share, batch)) / max(1, answers) * self.team.size"),
    ("self.total_loss(*map(self.team.share, batch))", "self.total_loss(*batch)"),
])
def test_other_weights_of_the_shares_are_noticed(old, new, monkeypatch):
    module = type(sys)("mutant of training.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
    whole, parts = whole_and_parts(mutated(Path(ropebook.training.__file__), old, new), 2)
    assert not (whole - parts).abs().max() < 1e-3 * whole.abs().max()


def test_a_batch_that_cannot_be_shared_is_refused():
    settings = {"task": "masked", "precision": "auto", "text": None, "training": {"batch": 4}, "model": {}}
    with pytest.raises(ValueError, match="batch 4 cannot be shared by 3 processes"):
        make_trainer(settings, torch.device("cpu"), False, Team(0, 3))


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    assert own_device("cuda") == "cuda" and own_device("auto") == "auto"
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device("cuda") == "cuda:1" and own_device("cpu") == "cpu" and own_device("cuda:0") == "cuda:0"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert own_device("auto") == "cuda:1"


# ---- two processes -------------------------------------------------------------------------------

def test_two_processes_train_as_one(alone, two):
    folder, said, complained = two
    assert numbers(folder) == pytest.approx(numbers(alone), rel=TOLERANCE)
    assert complained == "" and said.splitlines()[0].startswith("training on cpu in 2 processes, from step 0 to step 100")
    assert len(said.splitlines()) == 3, "the leader alone speaks"
    assert {path.name for path in folder.iterdir()} == {path.name for path in alone.iterdir()}
    assert json.loads((folder / "record.json").read_text())["processes"] == 2


def test_accelerate_starts_the_same_run(two, place):
    finished(place, ACCELERATE, "--out", place / "accelerated", *SHORT, *STEPS)
    assert json.loads((place / "accelerated" / "record.json").read_text())["processes"] == 2
    assert numbers(place / "accelerated") == numbers(two[0])  # two numbers have one sum


def test_a_refused_command_is_refused_once(place):
    run = start(place, TORCHRUN, "--out", place / "refused", *SHORT, "--batch", 3)
    said, complained = run.communicate(timeout=300)
    lines = [line for line in complained.splitlines() if "error: " in line]
    assert run.returncode != 0 and said == "" and not (place / "refused").exists()
    assert lines == ["python -m ropebook.train: error: batch 3 cannot be shared by 2 processes: it must be a multiple of them"]


def test_kill_9_of_one_ends_the_run_and_it_can_be_continued_by_two_or_by_one(alone, two, place):
    folder = place / "killed"
    run = start(place, TORCHRUN, "--out", folder, *SHORT, *STEPS, "--checkpoint-seconds", 0)
    while run.poll() is None and len(read_log(folder / "log.jsonl")) < 3:
        time.sleep(0.01)
    os.kill(int((place / "process1").read_text()), signal.SIGKILL)
    killed = time.monotonic()
    said, complained = run.communicate(timeout=300)
    assert run.returncode != 0 and time.monotonic() - killed < 60  # torchrun waits up to 30 s for the others; they need none
    own = [line for line in complained.splitlines() if line.startswith("python -m ropebook.train: ")]
    assert len(own) == 1 and "stopped: " in own[0] and own[0].endswith("; continue the run with --resume")
    assert 0 < load_checkpoint(folder / "checkpoint.pt")["done"] < 100, "the run ended before a process could be killed"

    shutil.copytree(folder, place / "by one")
    finished(place, TORCHRUN, "--out", folder, "--resume", "--device", "cpu", "--evaluate-every", 50)
    assert numbers(folder) == numbers(two[0])
    assert (folder / "model.safetensors").read_bytes() == (two[0] / "model.safetensors").read_bytes()
    said, _ = finished(place, [sys.executable], "--out", place / "by one", "--resume", "--device", "cpu", "--evaluate-every", 50)
    assert "in 2 processes" not in said
    assert numbers(place / "by one") == pytest.approx(numbers(alone), rel=TOLERANCE)


def test_a_told_process_stops_with_words():
    with pytest.raises(Lost, match="SIGTERM"):
        ropebook.processes._told_to_go(signal.SIGTERM, None)

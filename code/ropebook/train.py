"""Train a small RoFormer: `python -m ropebook.train --out DIR`, on the State of the Union addresses if no other task is named.

DIR holds the run: config.json (what was asked), log.jsonl (one JSON line per report), checkpoint.pt (to continue from) and,
when the run is complete, model.safetensors, model.json (the model's task and sizes) and record.json (command, machine, versions,
results). Stopped or killed, `--resume` goes on from the last checkpoint to the numbers that an unbroken run gives.

Several processes share the work when `torchrun` or `accelerate launch` starts them; see processes.py. What can be set is in
settings.py, what a model can be trained for in tasks.py, and how larger texts are read in streaming.py.
"""

import argparse
import json
import os
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ropebook.finetuning import start_from
from ropebook.processes import Lost, own_device, team
from ropebook.records import provenance
from ropebook.roformer import RoFormerConfig, Stack
from ropebook.settings import BOOK, add_options, asked, settled
from ropebook.tasks import TASKS
from ropebook.text import data_file
from ropebook.training import TrainingConfig, load_checkpoint, pick_device, pick_precision, progress_bar, save_checkpoint, to_json, write_atomically

LOG_EVERY = 10  # steps
EXAMPLES = """
Fine-tune the book's model, or one of your own:
  python -m ropebook.train --out DIR --task era --start book --length 512 --batch 8 --steps 200 --rate 1e-3

Several processes, each with its share of every batch (on GPUs one each):
  torchrun --nproc-per-node 2 -m ropebook.train --out DIR
  accelerate launch --multi_gpu --num_processes 2 -m ropebook.train --out DIR   # so without a GPU, too: --cpu starts one

A file for --config; every option of the groups above has a key of its name, with _ for -:
  task = "causal"          # top level: task, precision, text, start
  [training]
  steps = 2000
  [model]
  dropout = 0.1
The config.json of an earlier run will do, too. Options win over the file.
"""


def export(folder, model, task, dtype=torch.float32):
    """Write the model's weights (safetensors of that dtype; one that has two names under its first), its task and its sizes."""
    weights = {name: weight.detach().to("cpu", dtype).contiguous() for name, weight in model.named_parameters()}
    write_atomically(folder / "model.safetensors", save_tensors(weights))
    write_atomically(folder / "model.json", to_json({"task": task, **asdict(model.config)}))


def load_model(folder):
    """Read a model that `export` wrote; without gradients and dropout, on the CPU, in float32.

    folder   a directory that holds model.safetensors and model.json
    returns  the model of its task, a RoFormer if none is named
    raises   ValueError if the weights are not those of a model of these sizes, naming the folder and what differs
    """
    sizes = json.loads((folder / "model.json").read_text())
    model = TASKS[sizes.pop("task", "masked")].build(RoFormerConfig(**sizes))
    weights = load_tensors((folder / "model.safetensors").read_bytes())
    needed, held = ({name: tuple(weight.shape) for name, weight in some} for some in (model.named_parameters(), weights.items()))
    if other := needed.items() ^ held.items():
        raise ValueError(f"{folder} does not hold the weights of its model.json: {', '.join(sorted({name for name, _ in other}))} "
                         "stand in one of the two only, or have another shape there")
    model.load_state_dict(weights, strict=False)  # not strict: a weight with two names comes under its first
    return model.requires_grad_(False).eval()


def read_log(path):
    """The entries of a log, oldest first; a last line cut short by a power cut is left out."""
    lines = path.read_text().split("\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]


class Run:
    """A training run that lives in a folder, which only the leading process writes to."""

    def __init__(self, folder, task, trainer, checkpoint_seconds):
        self.folder, self.task, self.trainer, self.checkpoint_seconds = folder, task, trainer, checkpoint_seconds
        self.seconds = 0.0  # of training, over all resumptions

    def save(self):
        """Checkpoint: everything up to this step is safe."""
        save_checkpoint(self.folder / "checkpoint.pt", {**self.trainer.state(), "seconds": self.seconds})

    def restore(self):
        """Go back to the last checkpoint, or to the start if there is none yet, and forget what was logged after it."""
        path, members = self.folder / "checkpoint.pt", self.trainer.team
        state = members.together(lambda: load_checkpoint(path) if members.leads and path.exists() else None)
        if state := members.from_leader(state):
            self.trainer.restore(state)
            self.seconds = state["seconds"]
        if members.leads:
            log = self.folder / "log.jsonl"
            kept = [entry for entry in read_log(log) if entry["step"] <= self.trainer.done]
            write_atomically(log, "".join(json.dumps(entry) + "\n" for entry in kept).encode())

    def train(self, evaluate_every, bar):
        """Train to the end, logging and checkpointing on the way."""
        trainer, steps, leads = self.trainer, self.trainer.config.steps, self.trainer.team.leads
        saved = started = time.monotonic()
        before = self.seconds
        with open(self.folder / "log.jsonl" if leads else os.devnull, "a", buffering=1) as log:
            while trainer.done < steps:
                loss = trainer.step()
                self.seconds = before + time.monotonic() - started
                if trainer.done % LOG_EVERY == 0 or trainer.done == steps:
                    log.write(json.dumps({"step": trainer.done, "loss": loss.item(), "seconds": round(self.seconds, 1)}) + "\n")
                if leads and (trainer.done % evaluate_every == 0 or trainer.done == steps):
                    log.write(json.dumps({"step": trainer.done, "validation": self.task.score(trainer.model)}) + "\n")
                if leads and (time.monotonic() - saved >= self.checkpoint_seconds or trainer.done == steps):
                    self.save()
                    saved = time.monotonic()
                bar.update()


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m ropebook.train", description="Train a small RoFormer on the State of the Union addresses, or on other text.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run; made if missing")
    parser.add_argument("--resume", action="store_true", help="continue the run in DIR from its last checkpoint")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings from a .toml file, or the config.json of a run; see below")
    parser.add_argument("--device", default="auto", help="auto (the GPU when there is one), cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument("--checkpointing", action="store_true", help="compute blocks twice to need less memory; changes no number")
    parser.add_argument("--checkpoint-seconds", type=float, default=20.0, metavar="S", help="time between checkpoints (default: 20)")
    parser.add_argument("--half", action="store_true", help="write the trained weights in float16, in half the room; training is not touched")
    parser.add_argument("--evaluate-every", type=int, default=200, metavar="N", help="steps between evaluations on held-out text (default: 200)")
    add_options(parser)
    return parser, parser.parse_args(arguments)


def open_folder(arguments):
    """Check the folder against --resume; returns the saved config, or None for a new run."""
    path = arguments.out / "config.json"
    if arguments.resume:
        if not path.exists():
            raise ValueError(f"there is no run to resume in {arguments.out}: no config.json")
        return json.loads(path.read_text())
    if arguments.out.exists() and (not arguments.out.is_dir() or any(arguments.out.iterdir())):
        what = "already holds a run: add --resume to continue it, or" if path.exists() else "is not an empty folder:"
        raise ValueError(f"{arguments.out} {what} choose another --out")
    return None


def asked_settings(arguments):
    """The settings of the run that the command line asks for; what it asks for must be possible."""
    if not arguments.checkpoint_seconds >= 0:
        raise ValueError(f"--checkpoint-seconds must be zero or more, got {arguments.checkpoint_seconds}")
    if arguments.evaluate_every < 1:
        raise ValueError(f"--evaluate-every must be at least 1, got {arguments.evaluate_every}")
    return settled(asked(arguments, arguments.config), open_folder(arguments), arguments.out)


def make_trainer(settings, device, checkpointing, members):
    """The task and the trainer of some settings, at step 0."""
    training, kind = TrainingConfig(**settings["training"]), TASKS[settings["task"]]
    if training.batch % members.size:
        raise ValueError(f"batch {training.batch} cannot be shared by {members.size} processes: it must be a multiple of them")
    torch.manual_seed(training.seed)
    model = kind.build(kind.config(settings["model"]))
    if settings["start"]:
        start_from(model, load_model(data_file("roformer") if settings["start"] == BOOK else Path(settings["start"])))
    model.to(device)
    for part in model.modules():
        if isinstance(part, Stack):
            part.checkpointing = checkpointing
    task = kind(training, settings["text"])
    return task, task.trainer(model, settings["precision"], members)


def run_training(arguments, members):
    """Start or continue the run that the command line asks for, to its end."""
    device = members.together(lambda: pick_device(own_device(arguments.device)))
    settings = members.from_leader(members.together(lambda: asked_settings(arguments) if members.leads else None))
    task, trainer = members.together(lambda: make_trainer(settings, device, arguments.checkpointing, members))
    made = provenance([trainer.config.seed])
    if members.leads:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_atomically(arguments.out / "config.json", to_json(settings))
    run = Run(arguments.out, task, trainer, arguments.checkpoint_seconds)
    if arguments.resume:
        run.restore()
    if members.leads:
        where = f"{device} in {members.size} processes" if members.size > 1 else device
        print(f"training on {where}, from step {trainer.done} to step {trainer.config.steps}; the run is in {arguments.out}", flush=True)
    with progress_bar(trainer.config.steps, trainer.done, disable=None if members.leads else True) as bar:
        run.train(arguments.evaluate_every, bar)
    if members.leads:
        finish(run, settings, made, torch.float16 if arguments.half else torch.float32)


def finish(run, settings, made, dtype):
    """Write the trained model and the record of the run, and say how good the model is."""
    trainer = run.trainer
    export(run.folder, trainer.model, settings["task"], dtype)
    results = run.task.results(trainer)
    record = {
        **made, "wall_seconds": round(run.seconds, 1), "task": settings["task"], "text": settings["text"], "start": settings["start"],
        "precision": pick_precision(settings["precision"], trainer.device), "processes": trainer.team.size,
        "config": {"training": settings["training"], "model": settings["model"]}, "runs": [{"seed": trainer.config.seed, **results}],
    }
    write_atomically(run.folder / "record.json", to_json(record))
    for name, result in results.items():
        print(f"{name}: {run.task.line(result)}")


def main(arguments=None):
    leads = os.environ.get("RANK", "0") == "0"
    with open(os.devnull, "w") as nowhere:  # help and usage are said once, by the leader
        with redirect_stdout(sys.stdout if leads else nowhere), redirect_stderr(sys.stderr if leads else nowhere):
            parser, arguments = parse(arguments)
    try:
        with team() as members:
            run_training(arguments, members)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except Lost as lost:
        kept = "continue the run with --resume" if (arguments.out / "checkpoint.pt").exists() else "there is no checkpoint yet"
        print(f"{parser.prog}: stopped: {lost}; {kept}", file=sys.stderr, flush=True)
        os._exit(1)  # at once: torch's own clearing up would wait for the lost process


if __name__ == "__main__":
    main()

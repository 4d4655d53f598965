"""Train a small RoFormer on the State of the Union addresses: `python -m ropebook.train --out DIR`.

DIR holds the run: config.json (what was asked), log.jsonl (one JSON line per report), checkpoint.pt (to continue from) and,
when the run is complete, model.safetensors, model.json (the model's sizes) and record.json (command, machine, versions,
results). Stopped or killed, `--resume` goes on from the last checkpoint to the numbers that an unbroken run gives.
"""

import argparse
import json
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ropebook.records import provenance
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.text import token_stream, tokenizer
from ropebook.training import (
    Trainer, TrainingConfig, evaluate, held_out_blanks, load_checkpoint, pick_device, progress_bar, save_checkpoint, unigram_guess, write_atomically,
)

EVALUATION_WINDOWS = 512
LOG_EVERY = 10  # steps
SETTLED = ("vocabulary", "causal")  # the text has its vocabulary, and to fill blanks a token must see both sides


def export(folder, model):
    """Write the model's weights (safetensors, float32) and its sizes."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomically(folder / "model.safetensors", save_tensors(weights))
    write_atomically(folder / "model.json", to_json(asdict(model.config)))


def load_model(folder):
    """Read a model that `export` wrote; without gradients, on the CPU.

    folder   a directory that holds model.safetensors and model.json
    returns  RoFormer
    """
    model = RoFormer(RoFormerConfig(**json.loads((folder / "model.json").read_text())))
    model.load_state_dict(load_tensors((folder / "model.safetensors").read_bytes()))
    return model.requires_grad_(False)


def to_json(value):
    return (json.dumps(value, indent=1) + "\n").encode()


def read_log(path):
    """The entries of a log, oldest first; a last line cut short by a power cut is left out."""
    lines = path.read_text().split("\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]


class Run:
    """A training run that lives in a folder."""

    def __init__(self, folder, model_config, training_config, device, checkpoint_seconds):
        self.folder, self.checkpoint_seconds = folder, checkpoint_seconds
        words = tokenizer()
        train, validation, self.test = (torch.from_numpy(token_stream(split, words)) for split in ("train", "validation", "test"))
        self.mask_id = words.token_to_id("[MASK]")
        self.held_out = held_out_blanks(validation, training_config.length, EVALUATION_WINDOWS, self.mask_id)
        torch.manual_seed(training_config.seed)
        self.trainer = Trainer(RoFormer(model_config).to(device), train, self.mask_id, training_config)
        self.seconds = 0.0  # of training, over all resumptions

    def save(self):
        """Checkpoint: everything up to this step is safe."""
        save_checkpoint(self.folder / "checkpoint.pt", {**self.trainer.state(), "seconds": self.seconds})

    def restore(self):
        """Go back to the last checkpoint, or to the start if there is none yet, and forget what was logged after it."""
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = load_checkpoint(path)
            self.trainer.restore(state)
            self.seconds = state["seconds"]
        log = self.folder / "log.jsonl"
        kept = [entry for entry in read_log(log) if entry["step"] <= self.trainer.done]
        write_atomically(log, "".join(json.dumps(entry) + "\n" for entry in kept).encode())

    def train(self, evaluate_every, bar):
        """Train to the end, logging and checkpointing on the way."""
        trainer, steps = self.trainer, self.trainer.config.steps
        saved = started = time.monotonic()
        before = self.seconds
        with open(self.folder / "log.jsonl", "a", buffering=1) as log:
            while trainer.done < steps:
                loss = trainer.step()
                self.seconds = before + time.monotonic() - started
                if trainer.done % LOG_EVERY == 0 or trainer.done == steps:
                    log.write(json.dumps({"step": trainer.done, "loss": loss.item(), "seconds": round(self.seconds, 1)}) + "\n")
                if trainer.done % evaluate_every == 0 or trainer.done == steps:
                    log.write(json.dumps({"step": trainer.done, "validation": evaluate(trainer.model, *self.held_out)}) + "\n")
                if time.monotonic() - saved >= self.checkpoint_seconds or trainer.done == steps:
                    self.save()
                    saved = time.monotonic()
                bar.update()

    def results(self):
        """The scores on held-out blanks, beside those of the unigram guess."""
        trainer = self.trainer
        test = held_out_blanks(self.test, trainer.config.length, EVALUATION_WINDOWS, self.mask_id)
        scores = {}
        for name, (tokens, inputs, blanks) in {"validation": self.held_out, "test": test}.items():
            guess = unigram_guess(trainer.stream, tokens[blanks], trainer.model.config.vocabulary)
            scores[name] = {"model": evaluate(trainer.model, tokens, inputs, blanks), "unigram": guess, "blanks": blanks.sum().item()}
        return scores


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m ropebook.train", description="Train a small RoFormer (masked language model) on the State of the Union addresses.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run; made if missing")
    parser.add_argument("--resume", action="store_true", help="continue the run in DIR from its last checkpoint")
    parser.add_argument("--device", default="auto", help="auto (the GPU when there is one), cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument("--checkpoint-seconds", type=float, default=20.0, metavar="S", help="time between checkpoints (default: 20)")
    parser.add_argument("--evaluate-every", type=int, default=200, metavar="N", help="steps between evaluations on held-out text (default: 200)")
    for group, config in (("training", TrainingConfig), ("model", RoFormerConfig)):
        options = parser.add_argument_group(group)
        for field in fields(config):
            if field.name not in SETTLED:
                options.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, help=f"default: {field.default}")
    return parser, parser.parse_args(arguments)


def asked_config(arguments, saved):
    """The run's config: from the command line, or, when resuming, from the folder, which the command line must not contradict."""
    config = {}
    for group, kind in (("training", TrainingConfig), ("model", RoFormerConfig)):
        defaults = {f.name: f.default for f in fields(kind) if f.name not in SETTLED}
        config[group] = saved[group].copy() if saved else defaults
        for name in defaults:
            value = getattr(arguments, name)
            if value is not None and saved and value != saved[group][name]:
                raise ValueError(f"--{name.replace('_', '-')} {value} contradicts the run in {arguments.out}, which has {saved[group][name]}")
            if value is not None:
                config[group][name] = value
    return config


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


def main(arguments=None):
    parser, arguments = parse(arguments)
    try:
        run_training(arguments)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def run_training(arguments):
    """Start or continue the run that the command line asks for, to its end."""
    if not arguments.checkpoint_seconds >= 0:
        raise ValueError(f"--checkpoint-seconds must be zero or more, got {arguments.checkpoint_seconds}")
    if arguments.evaluate_every < 1:
        raise ValueError(f"--evaluate-every must be at least 1, got {arguments.evaluate_every}")
    device = pick_device(arguments.device)
    config = asked_config(arguments, open_folder(arguments))
    training = TrainingConfig(**config["training"])
    model = RoFormerConfig(vocabulary=tokenizer().get_vocab_size(), **config["model"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.out / "config.json", to_json(config))

    made = provenance([training.seed])
    run = Run(arguments.out, model, training, device, arguments.checkpoint_seconds)
    if arguments.resume:
        run.restore()
    print(f"training on {device}, from step {run.trainer.done} to step {training.steps}; the run is in {arguments.out}", flush=True)
    with progress_bar(training.steps, run.trainer.done, disable=None) as bar:
        run.train(arguments.evaluate_every, bar)

    export(arguments.out, run.trainer.model)
    scores = run.results()
    record = {**made, "wall_seconds": round(run.seconds, 1), "config": config, "runs": [{"seed": training.seed, **scores}]}
    write_atomically(arguments.out / "record.json", to_json(record))
    for name, score in scores.items():
        print(f"{name}: loss {score['model']['loss']:.3f} nats per blank, first choice right on {score['model']['top1']:.1%} "
              f"of {score['blanks']} blanks (unigram guess {score['unigram']['loss']:.3f}, {score['unigram']['top1']:.1%})")


if __name__ == "__main__":
    main()

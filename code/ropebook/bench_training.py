"""How long a training step takes, this book's RoFormer beside Hugging Face's: `python -m ropebook.bench_training --json FILE`.

All fill the same blanks of the same batch with the same weights, and before the clock starts their losses are compared. A step is
forward, backward and AdamW. In every round each makes one step, in a new order, and a ratio compares steps of the same round.

Shapes: B sequences, T tokens, M blanks, V tokens in the vocabulary.
"""

import argparse
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ropebook.bench import interleave, seconds_of
from ropebook.hugging_face import convert_weights, to_config
from ropebook.records import check_record, provenance
from ropebook.roformer import RoFormer
from ropebook.training import MASK_SHARE, pick_device, precision, to_json, write_atomically

B, T = 16, 256
SIZES = {
    "vocab_size": 8192, "hidden_size": 256, "embedding_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4,
    "intermediate_size": 1024, "max_position_embeddings": T, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
REFERENCE = "Hugging Face RoFormer"
TARGETS = {("cpu", "ours"): 1.8, ("cpu", "ours, bfloat16"): 4.5, ("cuda", "ours, bfloat16"): 3.0}  # times the reference's speed


class Step:
    """One model, its optimiser and its way of computing the loss."""

    def __init__(self, model, loss, reduced=False):
        """loss(model) → the batch's mean loss, nats per blank; reduced: compute it in bfloat16 where autocast does."""
        self.model, self.measure, self.reduced = model.train(), loss, reduced
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def loss(self):
        device = next(self.model.parameters()).device
        with precision(device, "bfloat16" if self.reduced else "float32"):
            return self.measure(self.model)

    def __call__(self):
        self.optimiser.zero_grad()
        self.loss().backward()
        self.optimiser.step()


def multiplies_bfloat16(device):
    """Whether the device multiplies matrices in bfloat16 at least as fast as in float32; some CPUs take fifty times as long."""
    best = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(512, 512, device=device, dtype=dtype)
        best[dtype] = min(seconds_of(device)(lambda: x @ x, 1) for _ in range(5))
    return best[torch.bfloat16] <= best[torch.float32]


def batch(device, seed):
    """Random tokens with blanks: tokens (B, T) int64 and blanks (B, T) bool."""
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, SIZES["vocab_size"], (B, T), generator=draw)
    return tokens.to(device), (torch.rand(B, T, generator=draw) < MASK_SHARE).to(device)


def steps(device, seed):
    """The steps by name, all with the same weights, those in bfloat16 only where it is no slower; needs transformers."""
    from transformers import BertConfig, BertForMaskedLM, RoFormerConfig, RoFormerForMaskedLM

    tokens, blanks = batch(device, seed)
    labels, positions, whole = tokens.masked_fill(~blanks, -100), torch.arange(T), torch.ones_like(tokens)
    torch.manual_seed(seed)
    theirs = RoFormerForMaskedLM(RoFormerConfig(**SIZES))
    config, state = to_config(theirs.config.to_dict()), theirs.state_dict()

    def hugging_face(kind, config, reduced=False, weights=None):
        model = kind(config)
        if weights is not None:
            model.load_state_dict(weights)
        return Step(model.to(device), lambda m: m(input_ids=tokens, attention_mask=whole, labels=labels).loss, reduced)

    def ours(reduced=False, everywhere=False):
        model = RoFormer(config)
        model.load_state_dict(convert_weights(state, config))
        scores = lambda m: m(tokens, positions)[blanks] if everywhere else m(tokens, positions, blanks)
        return Step(model.to(device), lambda m: F.cross_entropy(scores(m).float(), tokens[blanks]), reduced)

    same, bert = partial(RoFormerConfig, **SIZES), {k: v for k, v in SIZES.items() if k != "embedding_size"}
    dropped = {**SIZES, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    found = {
        REFERENCE: hugging_face(RoFormerForMaskedLM, same(), weights=state),
        "Hugging Face RoFormer, dropout": hugging_face(RoFormerForMaskedLM, RoFormerConfig(**dropped), weights=state),
        "Hugging Face BERT": hugging_face(BertForMaskedLM, BertConfig(**bert, attn_implementation="sdpa")),
        "ours, scores everywhere": ours(everywhere=True),
        "ours": ours(),
    }
    if multiplies_bfloat16(device):
        found["Hugging Face RoFormer, bfloat16"] = hugging_face(RoFormerForMaskedLM, same(), True, state)
        found["ours, bfloat16"] = ours(True)
    return found


def compare_losses(found):
    """Find the losses of those that compute the same thing equal.

    raises   ValueError if one differs from the reference's by more than rounding: float32, a mean of M losses that are each of
             order 10 with logits summed over 256 products; bfloat16 keeps 8 bits
    """
    right = found[REFERENCE].loss().item()
    for name, step in found.items():
        if "BERT" in name or "dropout" in name:
            continue
        off, allowed = abs(step.loss().item() - right), right * (2**-8 if step.reduced else 256 * 2**-24)
        if not off <= allowed:
            raise ValueError(f"{name} has the loss {right + off:.6f} where {REFERENCE} has {right:.6f}")
    return right


def measure(device="auto", rounds=10, seed=0):
    """Time the steps side by side.

    returns  a record (dict) with provenance, the loss, runs: one a row, with the seconds of each round, and notes on what is left out
    raises   ValueError if rounds is not at least 1, or as `compare_losses`
    """
    if not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds must be a whole number of at least 1, got {rounds!r}")
    device, began = pick_device(device), time.monotonic()
    record, found = provenance([seed]), steps(device, seed)
    record["versions"]["transformers"] = version("transformers")
    loss = compare_losses(found)
    times = interleave(found, rounds, seed, seconds_of(device))
    runs = [{"row": name, "seconds": [float(f"{s:.4g}") for s in seconds]} for name, seconds in times.items()]
    notes = [] if "ours, bfloat16" in found else ["bfloat16: not run, this device multiplies it more slowly than float32"]
    results = {"device": device.type, "sizes": {"B": B, "T": T, **SIZES}, "loss": loss, "runs": runs, "notes": notes}
    return record | results | {"wall_seconds": round(time.monotonic() - began, 1)}


def ratios(record):
    """How many times the reference's speed each row has: name → (lower quartile, median, upper) over rounds."""
    runs = {run["row"]: np.array(run["seconds"]) for run in record["runs"]}
    return {name: np.percentile(runs[REFERENCE] / seconds, [25, 50, 75]).tolist() for name, seconds in runs.items()}


def table(record):
    """The rows as text, the slowest first, with the targets."""
    gpu, seconds = record["device"] == "cuda", {run["row"]: float(np.median(run["seconds"])) for run in record["runs"]}
    threads = record["machine"]["threads"]
    lines = [record["machine"]["gpu"] if gpu else f"{record['machine']['cpu']}, {threads} thread{'s' * (threads != 1)}",
             f"{'':33}{'ms/step':>8}{'tokens/s':>10}{'× speed':>9}{'quartiles':>12}"]
    for name, (low, median, high) in sorted(ratios(record).items(), key=lambda item: item[1][1]):
        goal = TARGETS.get((record["device"], name))
        verdict = f"  wanted {goal}: {'met' if median >= goal else 'missed'}" if goal else ""
        lines.append(f"{name:33}{seconds[name] * 1e3:8.0f}{B * T / seconds[name]:10,.0f}{median:9.2f}{f'{low:.2f}–{high:.2f}':>12}{verdict}")
    return "\n".join([*lines, *record["notes"]])


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m ropebook.bench_training", description="Time a training step of this book's RoFormer and of Hugging Face's.")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: cuda when there is a GPU)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="steps of each row (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record here")
    options = parser.parse_args(arguments)
    try:
        if options.threads < 1:
            raise ValueError(f"--threads must be at least 1, got {options.threads}")
        if options.json and not options.json.parent.is_dir():
            raise ValueError(f"--json {options.json}: there is no folder {options.json.parent}")
        torch.set_num_threads(options.threads)
        print("comparing losses, then timing", file=sys.stderr, flush=True)
        record = measure(options.device, options.rounds)
        check_record(record)
        print(table(record))
        if options.json:
            write_atomically(options.json, to_json(record))
    except ModuleNotFoundError as error:
        parser.error(f"{error.name} is needed for the other side of the comparison: pip install {error.name}")
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

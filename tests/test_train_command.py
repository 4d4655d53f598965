"""The claims about what the training command can be asked: a task, a file of settings, a precision, dropout, checkpointing."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mutation import mutated

import ropebook.tasks
import ropebook.text
import ropebook.training
from ropebook import eras, passages
from ropebook.causal import CausalTrainer, held_out_ends, loss_at_length
from ropebook.records import check_record
from ropebook.processes import Team
from ropebook.roformer import Block, Classifier, Matcher, RoFormer, RoFormerConfig
from ropebook.tasks import TASKS
from ropebook.text import token_stream, tokenizer
from ropebook.train import EXAMPLES, load_model, main, read_log
from ropebook.training import Trainer, TrainingConfig, evaluate, load_checkpoint, save_checkpoint

torch.set_num_threads(1)
VOCABULARY, MASK, WINDOWS = 40, 0, 64
STREAM = torch.randint(2, VOCABULARY, (5000,), generator=torch.Generator().manual_seed(0))
SHORT = ["--width", 16, "--heads", 2, "--layers", 1, "--batch", 2, "--length", 16, "--steps", 40, "--warmup", 5, "--device", "cpu"]


@pytest.fixture(autouse=True)
def little_text(monkeypatch):
    everything = ropebook.text.addresses
    monkeypatch.setattr(ropebook.text, "addresses", lambda split: everything(split)[:2])
    monkeypatch.setattr(ropebook.tasks, "EVALUATION_WINDOWS", WINDOWS)


def run(folder, *arguments):
    """The command in this process; the folder that it leaves."""
    main(list(map(str, ["--out", folder, *arguments])))
    return folder


def broken_off(folder, step, monkeypatch, *arguments):
    """The command, stopped before it makes a step, with a checkpoint after every step."""
    def stop(trainer):
        if trainer.done == step:
            raise KeyboardInterrupt
        return steps(trainer)

    steps = Trainer.step
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", stop)
        with pytest.raises(KeyboardInterrupt):
            run(folder, "--checkpoint-seconds", 0, *arguments)


def entries(folder):
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(folder / "log.jsonl")]


def weights_file(folder):
    return (folder / "model.safetensors").read_bytes()


def trainer(kind=Trainer, config={}, **changes):
    training = TrainingConfig(**{"steps": 20, "batch": 4, "length": 16, "warmup": 5, **changes})
    torch.manual_seed(0)
    model = RoFormer(RoFormerConfig(VOCABULARY, width=16, heads=2, layers=2, causal=kind is CausalTrainer, **config))
    return kind(model, STREAM, training) if kind is CausalTrainer else kind(model, STREAM, MASK, training)


def weights(run):
    return torch.cat([weight.detach().flatten() for weight in run.model.parameters()])


# ---- tasks ---------------------------------------------------------------------------------------

def test_the_causal_task_predicts_every_token_from_those_before(tmp_path, capsys):
    folder = run(tmp_path / "run", *SHORT, "--task", "causal")
    said = capsys.readouterr().out
    record = json.loads((folder / "record.json").read_text())
    check_record(record)
    scores = record["runs"][0]["validation"]
    assert record["task"] == "causal" and scores["tokens"] == WINDOWS * 16 and f"{scores['model']['loss']:.3f} nats per token" in said
    model = load_model(folder)
    assert model.config.causal and not model.training
    stream = torch.from_numpy(token_stream("validation", tokenizer()))
    each = loss_at_length(model, stream, held_out_ends(stream, 16, WINDOWS), 16, scored=16)
    assert scores["model"]["loss"] == pytest.approx(each.mean().item(), rel=32 * 2.0**-23)  # float32 sums in another order


def test_old_command_lines_fill_blanks(tmp_path, capsys):
    record = json.loads((run(tmp_path / "run", *SHORT) / "record.json").read_text())
    assert (record["task"], record["precision"], record["processes"], record["text"], record["start"]) == ("masked", "float32", 1, None, None)
    assert "nats per blank" in capsys.readouterr().out and not load_model(tmp_path / "run").config.causal


@pytest.mark.parametrize("task", ["masked", "causal"])
def test_broken_off_and_resumed_equals_unbroken_with_dropout(task, tmp_path, monkeypatch):
    arguments = [*SHORT, "--task", task, "--dropout", 0.2]
    whole = run(tmp_path / "whole", *arguments)
    broken_off(tmp_path / "broken", 23, monkeypatch, *arguments)
    torch.manual_seed(99)  # another process would not have the state of this one's random numbers
    run(tmp_path / "broken", "--resume", "--device", "cpu")
    assert entries(tmp_path / "broken") == entries(whole)
    assert weights_file(tmp_path / "broken") == weights_file(whole)


class Half:
    """tell whether a window begins in the first half of the vocabulary"""

    build = staticmethod(lambda config: Classifier(config, 2))
    config = classmethod(lambda cls, settings: RoFormerConfig(vocabulary=VOCABULARY, **settings))

    def __init__(self, training, source):
        self.training = training

    def trainer(self, model, precision, team):
        class Halves(Trainer):
            def batch(self):
                tokens = self.windows(self.config.length)
                return (tokens, (tokens[:, 0] < VOCABULARY // 2).long()), len(tokens)

            def total_loss(self, tokens, wanted):
                return F.cross_entropy(self.model(tokens, self.positions), wanted, reduction="sum")

        return Halves(model, STREAM, None, self.training, precision, team)

    def score(self, model):
        return {"right": 0.5}

    def results(self, trainer):
        return {"validation": self.score(trainer.model)}

    def line(self, result):
        return f"{result['right']:.0%} right"


def test_another_task_is_one_entry_in_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(TASKS, "half", Half)
    arguments = [*SHORT, "--task", "half", "--rate", 0.01]
    whole = run(tmp_path / "whole", *arguments)
    assert "validation: 50% right" in capsys.readouterr().out
    assert isinstance(load_model(whole), Classifier)
    losses = [entry["loss"] for entry in entries(whole) if "loss" in entry]
    assert len(losses) == 4 and losses[-1] != losses[0]
    broken_off(tmp_path / "broken", 11, monkeypatch, *arguments)
    assert weights_file(run(tmp_path / "broken", "--resume", "--device", "cpu")) == weights_file(whole)


# ---- tasks with labels, and runs that start from others ------------------------------------------

@pytest.fixture
def few_labels(monkeypatch):
    """Some random pieces, and the first of the triplets, instead of the book's; what is read of them is listed."""
    def documents(split, tokens, bins):
        generator, number = torch.Generator().manual_seed(len(split)), {"train": 20, "validation": 9, "test": 7}[split]
        return tuple(torch.randint(high, size, generator=generator).numpy() for high, size in ((2048, (number, tokens)), (bins, (number,))))

    read, everything = [], passages.triplets
    monkeypatch.setattr(eras, "documents", documents)
    monkeypatch.setattr(ropebook.tasks, "triplets", lambda *asked: read.append(asked) or everything(asked[0], "order", asked[2])[:20])
    return read


@pytest.mark.parametrize("task, kind, counted", [("era", Classifier, {"pieces": 9}), ("matching", Matcher, {"triplets": 20})])
def test_a_labelled_task_broken_off_and_resumed_equals_unbroken(task, kind, counted, few_labels, tmp_path, monkeypatch, capsys):
    """In the middle of an epoch of ten steps, with dropout."""
    arguments = [*SHORT, "--task", task, "--dropout", 0.1, "--steps", 25, "--rate", 0.01]
    whole = run(tmp_path / "whole", *arguments)
    said = capsys.readouterr().out
    broken_off(tmp_path / "broken", 13, monkeypatch, *arguments)
    torch.manual_seed(99)
    run(tmp_path / "broken", "--resume", "--device", "cpu")
    assert entries(tmp_path / "broken") == entries(whole) and weights_file(tmp_path / "broken") == weights_file(whole)
    record = json.loads((whole / "record.json").read_text())
    check_record(record)
    assert record["task"] == task and record["runs"][0]["validation"].items() >= counted.items()
    assert entries(whole)[-1] == {"step": 25, "validation": record["runs"][0]["validation"]}
    assert all(f"{split}: {TASKS[task](TrainingConfig(), None).line(record['runs'][0][split])}" in said for split in ("validation", "test"))
    assert type(load_model(whole)) is kind


def test_a_matcher_trains_in_one_process(few_labels):
    training = TrainingConfig(batch=2, length=16)
    task = TASKS["matching"](training, None)
    model = task.build(task.config({"width": 16, "heads": 2, "layers": 1}))
    with pytest.raises(ValueError, match="one process, not in 2"):
        task.trainer(model, "float32", Team(0, 2))
    assert task.trainer(model, "float32", Team(0, 1)).step().isfinite()


def test_a_run_starts_where_another_ended(few_labels, tmp_path):
    """AdamW moves a weight by the rate at most in its first step, and shrinks it by its hundredth; 1e-9 is less than rounding."""
    first = run(tmp_path / "first", *SHORT)
    second = run(tmp_path / "second", *SHORT, "--task", "era", "--start", first, "--steps", 1, "--warmup", 0, "--rate", 1e-9, "--seed", 7)
    old, new = (load_model(folder).state_dict() for folder in (first, second))
    shared = set(old) & set(new)
    assert set(new) - shared == {f"{layer}.{part}" for layer in ("hidden", "output") for part in ("weight", "bias")} and set(old) - shared == {"bias"}
    for name in shared:
        torch.testing.assert_close(new[name], old[name], rtol=2.0**-23, atol=1.01e-9)
    assert json.loads((second / "config.json").read_text())["start"] == json.loads((second / "record.json").read_text())["start"] == str(first)
    again = run(tmp_path / "again", "--config", second / "config.json", "--device", "cpu")
    assert weights_file(again) == weights_file(second)


def test_a_started_run_broken_off_and_resumed_equals_unbroken(few_labels, tmp_path, monkeypatch, refused):
    first = run(tmp_path / "first", *SHORT)
    arguments = [*SHORT, "--task", "era", "--start", first]
    whole = run(tmp_path / "whole", *arguments)
    broken_off(tmp_path / "broken", 7, monkeypatch, *arguments)
    assert "--start book contradicts" in (line := refused("--out", tmp_path / "broken", "--resume", "--start", "book")) and str(first) in line
    assert weights_file(run(tmp_path / "broken", "--resume", "--device", "cpu")) == weights_file(whole)


def test_what_cannot_be_started_or_labelled_is_refused(few_labels, tmp_path, refused):
    first = run(tmp_path / "first", *SHORT)
    few_labels.clear()
    for task in ("era", "matching", "translation"):
        line = refused("--out", tmp_path / "new", *SHORT, "--task", task, "--text", "mine.txt")
        assert "labels or translations" in line and "--text mine.txt" in line
    assert few_labels == [], "refused before anything is read"
    assert "No such file" in refused("--out", tmp_path / "new", *SHORT, "--start", tmp_path / "nowhere")
    line = refused("--out", tmp_path / "new", *SHORT, "--start", "book")  # of width 128
    assert "embedding.weight has shape (2048, 16) here and (2048, 128)" in line
    (first / "model.json").write_text((first / "model.json").read_text().replace('"width": 16', '"width": 32'))
    line = refused("--out", tmp_path / "new", *SHORT, "--start", first)
    assert f"{first} does not hold the weights of its model.json" in line and "embedding.weight" in line
    assert not (tmp_path / "new").exists()


# ---- dropout, checkpointing, precision -----------------------------------------------------------

def resumed_difference(library):
    """How far a restored run with dropout is from the unbroken one, in a version of the library's trainer."""
    def fresh():
        torch.manual_seed(0)
        model = RoFormer(RoFormerConfig(VOCABULARY, width=16, heads=2, layers=1, dropout=0.2))
        return library["Trainer"](model, STREAM, MASK, library["TrainingConfig"](steps=8, batch=4, length=16))

    whole, first, second = fresh(), fresh(), fresh()
    for _ in range(8):
        whole.step()
    for _ in range(3):
        first.step()
    torch.manual_seed(99)
    second.restore(first.state())
    for _ in range(5):
        second.step()
    return (weights(whole) - weights(second)).abs().max().item()


SOURCE = Path(ropebook.training.__file__)


@pytest.mark.parametrize("old, new", [
    ("        if self.drops:\n            torch.manual_seed(dropout_seed(self.config.seed, self.done, self.team.rank))\n", ""),
    ('        self.generator.set_state(state["generator"])\n', ""),
    ('        self.optimiser.load_state_dict(state["optimiser"])\n', ""),
    ('        self.done = state["done"]\n', ""),
])
def test_a_trainer_that_forgets_does_not_resume(old, new, monkeypatch):
    assert resumed_difference(vars(ropebook.training)) == 0.0
    module = type(sys)("mutant of training.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
    assert resumed_difference(mutated(SOURCE, old, new)) > 0


def test_no_two_steps_or_processes_drop_the_same():
    seeds = {ropebook.training.dropout_seed(seed, step, rank) for seed in (-1, 0, 1) for step in range(50) for rank in range(4)}
    assert len(seeds) == 600 and min(seeds) >= 0
    drawn = {tuple(torch.rand(4, generator=torch.Generator().manual_seed(seed)).tolist()) for seed in seeds}
    assert len(drawn) == 600, "the generator must see all of a seed"


@pytest.mark.parametrize("kind", [Trainer, CausalTrainer])
def test_scores_are_taken_without_dropout(kind):
    model = trainer(kind, {"dropout": 0.5}).model
    tokens, blanks = STREAM[:160].view(10, 16), torch.ones(10, 16, dtype=torch.bool)
    assert evaluate(model, tokens, tokens, blanks) == evaluate(model, tokens, tokens, blanks)
    ends = held_out_ends(STREAM, 16, 5)
    assert torch.equal(loss_at_length(model, STREAM, ends, 16, 8), loss_at_length(model, STREAM, ends, 16, 8))
    assert model.training, "training goes on with dropout"


def test_checkpointing_computes_blocks_twice_and_changes_no_number(tmp_path, monkeypatch):
    arguments = [*SHORT, "--layers", 2, "--dropout", 0.1, "--steps", 10]
    calls, forward = [], Block.forward
    monkeypatch.setattr(Block, "forward", lambda block, *given: calls.append(block.training) or forward(block, *given))
    plain = run(tmp_path / "plain", *arguments)
    assert (once := sum(calls)) == 10 * 2  # those of evaluations are not in training
    calls.clear()
    kept = run(tmp_path / "kept", *arguments, "--checkpointing")
    assert sum(calls) == 2 * once
    assert weights_file(kept) == weights_file(plain) and entries(kept) == entries(plain)


@pytest.mark.parametrize("kind", [Trainer, CausalTrainer])
def test_bfloat16_works_on_a_cpu_and_is_near_float32(kind):
    """Two layers round about 8 times each in a row, and the scores once; the loss moves at most twice as far as a score does."""
    exact, short = trainer(kind), trainer(kind)
    short.precision = "bfloat16"
    with torch.no_grad():
        largest = exact.model(STREAM[:160].view(10, 16), exact.positions).abs().max().item()
    a, b = exact.step().item(), short.step().item()
    assert a != b and abs(a - b) < 2 * 17 * 2.0**-9 * largest
    assert all(weight.dtype == torch.float32 for weight in short.model.parameters())


def test_the_record_says_the_precision(tmp_path):
    record = json.loads((run(tmp_path / "run", *SHORT, "--precision", "bfloat16") / "record.json").read_text())
    assert record["precision"] == "bfloat16"


def test_a_batch_without_blanks_has_loss_0():
    run = trainer(batch=1, length=1)
    losses = [run.step().item() for _ in range(20)]
    assert 0.0 in losses and all(loss == loss for loss in losses)


def test_every_line_of_a_log_is_plain_json(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "--batch", 1, "--length", 4)
    for line in (folder / "log.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # NaN and Infinity are not JSON


# ---- files of settings ---------------------------------------------------------------------------

TOML = """
task = "causal"
precision = "bfloat16"
[training]
steps = 30
batch = 2
length = 16
rate = 1
[model]
width = 16
heads = 2
layers = 1
inner = 24
rotate_values = true
"""


def config(folder):
    return json.loads((folder / "config.json").read_text())


def test_a_file_asks_and_the_command_line_wins(tmp_path):
    (tmp_path / "a.toml").write_text(TOML)
    made = config(run(tmp_path / "run", "--config", tmp_path / "a.toml", "--device", "cpu", "--rate", 0.001, "--steps", 20, "--no-rotate-values"))
    assert (made["task"], made["precision"], made["text"]) == ("causal", "bfloat16", None)
    assert made["training"] | {"rate": 0.001, "steps": 20, "batch": 2, "length": 16} == made["training"]
    assert made["model"] | {"width": 16, "inner": 24, "rotate_values": False} == made["model"]
    assert made["training"]["warmup"] == TrainingConfig.warmup


def test_the_config_of_a_run_makes_the_run_again(tmp_path):
    first = run(tmp_path / "first", *SHORT, "--task", "causal", "--dropout", 0.1, "--inner", 20)
    again = run(tmp_path / "again", "--config", first / "config.json", "--device", "cpu")
    assert config(again) == config(first) and weights_file(again) == weights_file(first)


def test_the_example_in_the_help_is_a_file_that_works(tmp_path):
    example = EXAMPLES[EXAMPLES.index("task =") : EXAMPLES.index("The config.json")]
    assert tomllib.loads(example) == {"task": "causal", "training": {"steps": 2000}, "model": {"dropout": 0.1}}
    (tmp_path / "a.toml").write_text(example)
    made = config(run(tmp_path / "run", "--config", tmp_path / "a.toml", *SHORT))
    assert made["task"] == "causal" and made["model"]["dropout"] == 0.1 and made["training"]["steps"] == 40


@pytest.fixture
def refused(capsys):
    def refused(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(list(map(str, arguments)))
        assert stop.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]
    return refused


@pytest.mark.parametrize("content, says", [
    ("[training]\nstep = 3", "training.step = 3 .*no such key; expected one of training.steps"),
    ("task = \"masked\"\nspeed = 9", "speed = 9 .*expected one of task, precision, text, start, training, model"),
    ("[model]\nvocabulary = 9", "model.vocabulary = 9 .*no such key"),
    ("[training]\nsteps = 3.5", "training.steps = 3.5 .*expected a whole number"),
    ("[training]\nsteps = true", "training.steps = True .*expected a whole number"),
    ("[training]\nrate = \"fast\"", "training.rate = 'fast' .*expected a number"),
    ("[model]\nencoding = 3", "model.encoding = 3 .*expected text in quotes"),
    ("[model]\ntransform = 1", "model.transform = 1 .*expected true or false"),
    ("[model]\ninner = \"big\"", "model.inner = 'big' .*expected a whole number"),
    ("task = \"sing\"", "task = 'sing' .*expected one of masked, causal"),
    ("precision = 16", "precision = 16 .*expected one of auto, float32, bfloat16"),
    ("training = 3", "training in .* must be a table, got 3"),
    ("[training]\nsteps = -3", "steps must be .* got -3"),
    ("steps = ", "a.toml cannot be read: .*at end of document"),
])
def test_a_file_with_a_mistake_gets_one_line_that_names_it(content, says, tmp_path, refused):
    (tmp_path / "a.toml").write_text(content)
    line = refused("--out", tmp_path / "new", "--config", tmp_path / "a.toml", "--device", "cpu")
    assert re.search(says, line), line
    assert not (tmp_path / "new").exists()


def test_other_files_are_refused(tmp_path, refused):
    for name, content, says in [("a.yaml", "", "must be a .toml file"), ("a.json", "[]", "must hold settings by name"), ("b.json", "{", "cannot be read")]:
        (tmp_path / name).write_text(content)
        assert says in refused("--out", tmp_path / "new", "--config", tmp_path / name)
    assert "No such file" in refused("--out", tmp_path / "new", "--config", tmp_path / "none.toml")


def test_a_model_that_cannot_be_built_leaves_nothing_behind(tmp_path, refused):
    assert "transform must lead" in refused("--out", tmp_path / "new", "--embedding", 8, "--device", "cpu")
    assert not (tmp_path / "new").exists()


def test_a_resumed_run_must_not_be_contradicted(tmp_path, refused):
    folder = run(tmp_path / "run", *SHORT)
    (tmp_path / "a.toml").write_text("[training]\nsteps = 41")
    assert "training.steps = 41 in" in (line := refused("--out", folder, "--resume", "--config", tmp_path / "a.toml")) and "which has 40" in line
    assert "--task causal contradicts" in refused("--out", folder, "--resume", "--task", "causal")
    assert "--precision bfloat16 contradicts" in refused("--out", folder, "--resume", "--precision", "bfloat16")


def test_a_run_from_before_these_settings_is_resumed(tmp_path):
    """Its config.json has two tables, and no setting that came later."""
    new = run(tmp_path / "new", *SHORT)
    old = tmp_path / "old"
    old.mkdir()
    settings = config(new)
    del settings["task"], settings["precision"], settings["text"], settings["start"], settings["model"]["dropout"], settings["model"]["norm"]
    (old / "config.json").write_text(json.dumps(settings))
    save_checkpoint(old / "checkpoint.pt", load_checkpoint(new / "checkpoint.pt"))
    assert weights_file(run(old, "--resume", "--device", "cpu")) == weights_file(new)


def test_every_task_says_what_it_does(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {task.__doc__}" in said for name, task in TASKS.items())
    assert "--precision" in said and "--start" in said and "torchrun --nproc-per-node 2" in said

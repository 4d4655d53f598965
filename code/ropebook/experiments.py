"""The book's recorded experiments: `python -m ropebook.experiments NAME --out DIR` runs them, one JSON file a run.

An experiment is a list of settings, each with a seed, and a function that carries one of them out. A run's file says what was
found, for which setting, and by which command, commit, machine and versions. It is written when the run is complete, whole or
not at all; runs whose file exists are skipped. So an interrupted experiment goes on where it stopped, and several processes
may share a folder if each is given its own seeds.

The records that ship with the book are read by `recorded`; chapters plot them and repeat one small run beside them.
"""

import argparse
import json
import operator
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ropebook.records import check_record, provenance
from ropebook.text import data_file
from ropebook.training import write_atomically

# the 97.5 % point of Student's t for S seeds, with S − 1 degrees of freedom
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


@dataclass(frozen=True)
class Experiment:
    """A question, the settings that answer it, and how one of them is carried out."""

    question: str
    settings: tuple  # of dicts: a setting without its seed
    seeds: tuple  # of int: every setting runs with each of them
    carry_out: Callable  # (setting, seed) -> dict of results, plain values

    def runs(self):
        """Every (setting, seed), one seed after the other so that the first seeds are complete early."""
        return [(setting, seed) for seed in self.seeds for setting in self.settings]


def experiments():
    """The experiments by name. Imported late: reading a record needs none of their code."""
    from ropebook.experiment_characters import CHARACTER_EXPERIMENT
    from ropebook.experiment_length import LENGTH_EXPERIMENT
    from ropebook.experiment_linear import LINEAR_EXPERIMENT
    from ropebook.experiment_listops import LISTOPS_EXPERIMENT
    from ropebook.experiment_longtext import ERA_EXPERIMENT, MARKS_EXPERIMENT, MATCHING_EXPERIMENT
    from ropebook.experiment_pretraining import NORM_EXPERIMENT, PLATEAU_EXPERIMENT, PRETRAINING_EXPERIMENT, RATE_EXPERIMENT
    from ropebook.experiment_translation import TRANSLATION_EXPERIMENT, TRANSLATION_LONG, TRANSLATION_RATES

    return {
        "linear": LINEAR_EXPERIMENT, "length": LENGTH_EXPERIMENT, "norm": NORM_EXPERIMENT, "pretraining-rates": RATE_EXPERIMENT,
        "pretraining": PRETRAINING_EXPERIMENT, "plateau": PLATEAU_EXPERIMENT, "translation-rates": TRANSLATION_RATES,
        "translation": TRANSLATION_EXPERIMENT, "translation-long": TRANSLATION_LONG, "era": ERA_EXPERIMENT,
        "matching": MATCHING_EXPERIMENT, "marks": MARKS_EXPERIMENT, "listops": LISTOPS_EXPERIMENT,
        "characters": CHARACTER_EXPERIMENT,
    }  # fmt: skip


def file_name(setting, seed):
    """The file of a run, from its setting: "encoding=RoPE, seed=0.json"."""
    return ", ".join(f"{key}={value}" for key, value in {**setting, "seed": seed}.items()) + ".json"


def carry_out(experiment, setting, seed, folder):
    """Do one run and write its file. Returns the record.

    raises   ValueError if a result is no plain value or no finite number, naming the run; nothing is written
    """
    made, began = provenance([seed]), time.monotonic()
    results = experiment.carry_out(setting, seed)
    record = {**made, "wall_seconds": round(time.monotonic() - began, 1), "setting": setting, "runs": [{"seed": seed, **results}]}
    check_record(record)
    path = folder / file_name(setting, seed)
    try:
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the results of {path.stem} cannot be recorded, and are lost: {error}") from None
    write_atomically(path, f"{text}\n".encode())
    return record


def read_run(path):
    """The record in a run's file.

    raises  ValueError if it is no complete record, naming the file and what it lacks
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        check_record(record)
        if "setting" not in record:
            raise ValueError("the record lacks setting")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the record of a run: {error}") from None
    return record


def recorded(name):
    """The results that ship with the book, as one list.

    name     of an experiment
    returns  list of dict: each run's setting, seed and results in one
    raises   ValueError if no run of that name is recorded, or as `read_run`
    """
    folder = data_file("records") / name
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(".json")) if folder.is_dir() else []
    if not paths:
        raise ValueError(f"no runs of an experiment {name!r} are recorded")
    return [{**record["setting"], **record["runs"][0], "wall_seconds": record["wall_seconds"]} for record in map(read_run, paths)]


def table(runs, key, value):
    """Results side by side: for each value of the setting `key`, `value` of its runs in the order of their seeds.

    runs     from `recorded`
    key      name of a setting, such as "encoding", or a function of a run
    value    name of a result, or a function of a run
    returns  dict of (S,) float64, S seeds
    raises   ValueError if the seeds are not the same for all, each once
    """
    name, read = (what if callable(what) else operator.itemgetter(what) for what in (key, value))
    columns, seeds = {}, {}
    for run in sorted(runs, key=lambda run: run["seed"]):
        columns.setdefault(name(run), []).append(read(run))
        seeds.setdefault(name(run), []).append(run["seed"])
    if len({tuple(seen) for seen in seeds.values()}) != 1 or any(len(set(seen)) < len(seen) for seen in seeds.values()):
        raise ValueError(f"all settings need the same seeds, each once, got {seeds}")
    return {setting: np.array(column, dtype=np.float64) for setting, column in columns.items()}


def paired(a, b):
    """How much a exceeds b, seed by seed: the mean difference and an interval that holds it in 95 of 100 such experiments.

    a, b     (S,)  results of two settings for the same seeds
    returns  mean, low, high: the interval is Student's t, mean ± t · s / √S
    raises   ValueError if the shapes differ or the seeds are not 2 to 10, naming them
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) not in STUDENT:
        raise ValueError(f"a and b need one result for each of the same 2 to 10 seeds, got shapes {a.shape} and {b.shape}")
    difference = a - b
    half = STUDENT[len(a)] * difference.std(ddof=1) / np.sqrt(len(a))
    return difference.mean(), difference.mean() - half, difference.mean() + half


def band(values):
    """Where one more run should land in 95 of 100 such experiments: mean ± t · s · √(1 + 1/S).

    values   (S,)  results of the recorded seeds
    returns  low, high
    raises   ValueError if the seeds are not 2 to 10, naming the number
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) not in STUDENT:
        raise ValueError(f"a band needs the results of 2 to 10 seeds, got shape {values.shape}")
    half = STUDENT[len(values)] * values.std(ddof=1) * np.sqrt(1 + 1 / len(values))
    return values.mean() - half, values.mean() + half


def parse(arguments):
    known = experiments()
    parser = argparse.ArgumentParser(prog="python -m ropebook.experiments", description="Run one of the book's recorded experiments, one JSON file a run.")
    parser.add_argument("name", choices=known, help="; ".join(f"{name}: {experiment.question}" for name, experiment in known.items()))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the records; made if missing; runs found there are skipped")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="only these seeds of the experiment (default: all)")
    parser.add_argument("--only", nargs="+", default=[], metavar="VALUE", help="only settings that have one of these values, such as RoPE")
    return parser, parser.parse_args(arguments), known


def chosen(experiment, seeds, only):
    """The runs that the command line asks for; an unknown seed or value is an error that names those there are."""
    values = {str(value) for setting in experiment.settings for value in setting.values()}
    for name, asked, known in (("seed", seeds or [], experiment.seeds), ("value", only, sorted(values))):
        for item in asked:
            if item not in known:
                raise ValueError(f"the experiment has no {name} {item}; it has {', '.join(map(str, known))}")
    wanted = lambda setting, seed: (not seeds or seed in seeds) and (not only or set(only) & set(map(str, setting.values())))
    return [run for run in experiment.runs() if wanted(*run)]


def main(arguments=None):
    parser, arguments, known = parse(arguments)
    try:
        experiment = known[arguments.name]
        runs = chosen(experiment, arguments.seeds, arguments.only)
        arguments.out.mkdir(parents=True, exist_ok=True)
        for number, (setting, seed) in enumerate(runs, 1):
            path = arguments.out / file_name(setting, seed)
            done = read_run(path)["wall_seconds"] if path.exists() else None
            print(f"{number} of {len(runs)}: {path.stem}", end="", flush=True)
            print(", recorded before" if done is not None else f", {carry_out(experiment, setting, seed, arguments.out)['wall_seconds']:.0f} s", flush=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""What a training run is asked to do: from the command line, from a file, or, when it is resumed, from its folder.

A file is TOML or the config.json of a run: `task`, `precision`, `text`, `start`, and tables [training] and [model]. The command line wins.
Settings are plain values in one dict, as config.json has them: {"task": …, "training": {"steps": …}, "model": {…}}.
"""

import argparse
import json
import tomllib
from dataclasses import fields
from types import NoneType
from typing import get_args

from ropebook.roformer import RoFormerConfig
from ropebook.tasks import TASKS
from ropebook.training import PRECISIONS, TrainingConfig

TABLES = {"training": TrainingConfig, "model": RoFormerConfig}
SETTLED = ("vocabulary", "causal")  # the text has its vocabulary; whether a token sees those after it is the task's
EXPECTED = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}
BOOK = "book"  # the name of the model that ships
CHOICES = {"task": TASKS, "precision": PRECISIONS}


def known():
    """Every setting: {(table or None, name): (type, default)}."""
    top = {(None, "task"): (str, "masked"), (None, "precision"): (str, "auto"), (None, "text"): (str | None, None), (None, "start"): (str | None, None)}
    return top | {(table, f.name): (f.type, f.default) for table, kind in TABLES.items() for f in fields(kind) if f.name not in SETTLED}


def add_options(parser):
    """One option for each setting; those not given are None."""
    parser.add_argument("--task", choices=TASKS, help="; ".join(f"{name}: {task.__doc__.splitlines()[0]}" for name, task in TASKS.items()) + " (default: masked)")
    parser.add_argument("--precision", choices=PRECISIONS, help="of matrix products; auto: bfloat16 where a GPU has units for it, else float32 (default: auto)")
    parser.add_argument("--text", metavar="SOURCE", help=(
        "train on other text: a .txt or .jsonl file, a folder of them, or hub:NAME[:CONFIG], streamed with Hugging Face datasets; "
        "the scores stay those on the book's held-out addresses (default: the book's training addresses)"))
    parser.add_argument("--start", metavar="DIR", help=(
        f"begin with the weights of a finished run, as far as the model has a place for them; {BOOK}: of the book's pre-trained model (default: at random)"))
    groups = {table: parser.add_argument_group(table) for table in TABLES}
    for (table, name), (kind, default) in known().items():
        if table:
            how = {"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}
            groups[table].add_argument(_option(name), default=None, help=f"default: {default}", **how)


def asked(arguments, path):
    """What the command line and the file at `path` (or None) ask for, and in which words.

    arguments  from a parser with `add_options`
    returns    {(table or None, name): (value, words)}
    raises     ValueError or OSError if the file cannot be read, or has an unknown key or a value of a wrong type, naming them
    """
    given = {}
    for (table, name), value in (_read(path) if path else {}).items():
        given[table, name] = value, f"{_key(table, name)} = {value!r} in {path}"
    for table, name in known():
        if (value := getattr(arguments, name)) is not None:
            given[table, name] = value, f"{_option(name)} {value}"
    return given


def settled(given, saved=None, folder=None):
    """The settings of a run: what is asked for, and defaults.

    given    from `asked`
    saved    those of a run in `folder` that is resumed, which what is asked for must not contradict
    returns  dict as in config.json
    raises   ValueError naming the setting that contradicts
    """
    settings = {"task": None, "precision": None, "text": None, "start": None, "training": {}, "model": {}}
    for (table, name), (_, default) in known().items():
        before = saved if table is None or saved is None else saved[table]
        value = default if saved is None else before.get(name, default)
        wanted, words = given.get((table, name), (value, ""))
        if saved is not None and wanted != value:
            raise ValueError(f"{words} contradicts the run in {folder}, which has {value}")
        (settings if table is None else settings[table])[name] = wanted
    return settings


def _read(path):
    """The settings in a file: {(table or None, name): value}."""
    if path.suffix not in (".toml", ".json"):
        raise ValueError(f"{path} must be a .toml file, or the config.json of a run")
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold settings by name, got {content!r}")
    found = {}
    for name, value in content.items():
        if name in TABLES and not isinstance(value, dict):
            raise ValueError(f"{name} in {path} must be a table, got {value!r}")
        found |= {(name, inner): one for inner, one in value.items()} if name in TABLES else {(None, name): value}
    return {key: _checked(*key, value, path) for key, value in found.items()}


def _checked(table, name, value, path):
    """The value, if the setting exists and may have one of this type."""
    if (table, name) not in known():
        names = [_key(*key) for key in known() if key[0] == table]
        raise ValueError(f"{_key(table, name)} = {value!r} in {path}: there is no such key; expected one of {', '.join(names + list(TABLES) * (not table))}")
    kind, _ = known()[table, name]
    if value is None and NoneType in get_args(kind):
        return None
    value = float(value) if _plain(kind) is float and type(value) is int else value
    choices = CHOICES.get(name) if table is None else None
    if type(value) is not _plain(kind) or choices and value not in choices:
        expected = f"one of {', '.join(choices)}" if choices else EXPECTED[_plain(kind)]
        raise ValueError(f"{_key(table, name)} = {value!r} in {path}: expected {expected}")
    return value


def _plain(kind):
    """The type behind an optional one: str for str | None."""
    return get_args(kind)[0] if get_args(kind) else kind


def _option(name):
    return f"--{name.replace('_', '-')}"


def _key(table, name):
    return f"{table}.{name}" if table else name

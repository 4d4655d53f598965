"""What a recorded result must say about where it came from."""

import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

REQUIRED = ("command", "commit", "machine", "versions", "seeds", "runs", "wall_seconds")


def cpu_name():
    """The processor's name, as the machine gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit():
    """The commit of the source that is running, with "+" if it has been changed since; None outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no", "--", "."], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + "+" * bool(changed)


def command():
    """The command line of this process, with `-m` and the module's name where it was started so."""
    module = sys.modules["__main__"].__spec__
    return shlex.join(["python", *(["-m", module.name] if module else sys.argv[:1]), *sys.argv[1:]])


def provenance(seeds):
    """Where and how this process runs: put it into the record of what the process finds.

    seeds    list of int
    returns  dict with command, commit, machine, versions and seeds
    """
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "command": command(),
        "commit": commit(),
        "machine": {"cpu": cpu_name(), "threads": torch.get_num_threads(), "gpu": device},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy", "tokenizers")}},
        "seeds": list(seeds),
    }


def check_record(record):
    """Refuse a record that does not say how it was made.

    raises   ValueError naming the fields that are missing or empty
    """
    missing = [name for name in REQUIRED if name not in record or record[name] in ("", [], {}) or (record[name] is None and name != "commit")]
    if missing:
        raise ValueError(f"the record lacks {', '.join(missing)}; it must say {', '.join(REQUIRED)}")

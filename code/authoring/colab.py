"""Run every chapter as a reader of Google Colab would meet it.

    python code/authoring/colab.py [notebook ...]        default: every chapter of _toc.yml

The environment .venv-colab (made by `make colab`) holds Colab's own versions of the packages (colab-constraints.txt) and
not ropebook. Each chapter is copied alone into an empty directory and run there, without a network, with the wheel of this
tree where its install cell would find the public one, and with the wheels in .venv-colab/wheels: packages that Colab lacks and
an extra of ropebook brings. A chapter fails on an error, on anything in stderr, if its install cell left any package changed
but ropebook and those, or if that cell says anything when it is run a second time.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import notebooks

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-colab" / "bin" / "python"
WHEELS = ROOT / ".venv-colab" / "wheels"  # what Colab lacks and an install cell brings
CELL_SECONDS = 600


def build_wheel(folder):
    """Build ropebook's wheel from this tree into `folder`; nothing is left behind in the tree."""
    source = Path(folder) / "source"
    shutil.copytree(ROOT / "code" / "ropebook", source / "code" / "ropebook", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", folder, source], check=True)
    return next(Path(folder).glob("ropebook-*.whl"))


def environment(wheel, ipython_dir):
    """The kernel's environment: our wheel, Colab's stand-in, and no package index."""
    startup = Path(ipython_dir) / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("colab_startup.py"), startup / "00-colab.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "JUPYTER", "VIRTUAL_ENV"))}
    return kept | {
        "ROPEBOOK_WHEEL": wheel.as_uri(),
        "IPYTHONDIR": str(ipython_dir),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(WHEELS),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "OMP_NUM_THREADS": "1",  # two threads on two busy cores wait for each other: training took seven times as long
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
    }


def installed():
    """The packages of .venv-colab, as pip lists them."""
    frozen = subprocess.run([PYTHON, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)
    return set(frozen.stdout.splitlines())


def brought():
    """The names of the packages that an install cell may bring."""
    return {path.name.partition("-")[0] for path in WHEELS.glob("*.whl")}


def with_install_twice(text):
    """The notebook's text with its install cell once more at the end."""
    nb = notebooks.load(text)
    again = next((cell for cell in nb.cells if cell.id == "install"), None)
    if again is None:
        raise ValueError("no install cell; `make address` writes it")
    nb.cells.append(nbformat.from_dict(again | {"id": "install-again"}))
    return notebooks.dump(nb)


def outputs_amiss(nb):
    """What an executed notebook shows that a reader of Colab should not see; after an error, no more."""
    for number, cell in enumerate(nb["cells"], start=1):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                yield f"cell {number} ({cell['id']}) failed: {output['ename']}: {output['evalue']}"
                return
            if output.get("name") == "stderr":
                yield f"cell {number} ({cell['id']}) wrote to stderr: {''.join(output['text']).strip()}"
            elif cell["id"] == "install-again":
                yield f"the install cell, run again, showed {output}"


def run_chapter(path, env):
    """Run one chapter in an environment without ropebook and what it brings; everything that is wrong with it."""
    subprocess.run([PYTHON, "-m", "pip", "uninstall", "-qq", "-y", "ropebook", *brought()], check=True)
    before = installed()
    with tempfile.TemporaryDirectory() as empty:
        copy = Path(empty) / path.name
        copy.write_text(with_install_twice(path.read_text(encoding="utf-8")), encoding="utf-8")
        ran = subprocess.run([PYTHON, "-m", "jupyter", "execute", "--inplace", "--allow-errors", f"--timeout={CELL_SECONDS}", copy.name],
                             cwd=empty, env=env, capture_output=True, text=True)
        if ran.returncode:  # the kernel died, or a cell ran out of time
            problems = [ran.stderr.rpartition("\nnbclient.exceptions.")[2].strip()]
        else:
            problems = list(outputs_amiss(json.loads(copy.read_text(encoding="utf-8"))))
    changed = sorted(line for line in installed() ^ before if re.split(" @ |==", line)[0] not in {"ropebook", *brought()})
    return problems + [f"the install cell changed {line}" for line in changed]


def main(arguments):
    paths = [Path(argument).resolve() for argument in arguments] or [
        path for path in notebooks.book_notebooks() if path.parent.name != "solutions"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        env = environment(build_wheel(folder), Path(folder) / "ipython")
        for path in paths:
            start = time.monotonic()
            problems = run_chapter(path, env)
            print(f"colab  {path.name:<28} {'FAILED' if problems else 'passed'} {time.monotonic() - start:6.1f} s", flush=True)
            for problem in problems:
                print(f"       {problem}")
            failed += bool(problems)
    print(f"colab: {len(paths) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

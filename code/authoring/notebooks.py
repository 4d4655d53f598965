"""Run, normalise and check the book's notebooks.

    python code/authoring/notebooks.py run [notebook ...]        execute, normalise, store, check
    python code/authoring/notebooks.py normalise [notebook ...]  the same without executing: after editing text
    python code/authoring/notebooks.py check [notebook ...]      name every defect; exit code 1 if there is one

Without paths: every notebook of _toc.yml and of book/solutions. Cells are counted from 1, text cells included.

A notebook is the only copy of its chapter. It can be edited in Jupyter or through a text view that keeps ids
and outputs: `jupytext --to md:myst X.ipynb`, edit X.md, `jupytext --to ipynb --update X.md`, delete X.md.
Afterwards `run` it, or `normalise` it if only text changed.

In normal form a notebook keeps its sources, tags, outputs and execution counts, and nothing that depends on when
or where it ran: two runs give the same bytes. `run` also stores a hash of every source it executed, so that
`check` can tell which output no longer belongs to its source. `check` needs only the standard library and nbformat.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
EQUATION = "application/vnd.ropebook.equation+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
KINDS = ("identity", "definition", "requirement", "assumption")  # of equations, as in ropebook.symbolic
IMAGES = {"image/png", "image/jpeg", "image/svg+xml"}
KEPT_METADATA = {"kernelspec", "language_info", "ropebook"}
KEPT_CELL_METADATA = {"tags", "mystnb", "reason", "slideshow", "nbgrader"}
MAX_BYTES = 1_000_000
MAX_EXEMPT = 0.15  # of a notebook's code cells
CELL_SECONDS = 600
DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
NBVAL_COMMENT = re.compile(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)")
MYST = re.compile(r"\s*(```+|~~~+|:::+)\s*\{|.*\{[\w:+-]+\}`|\([\w:.-]+\)=\s*$|\s*:::|\+\+\+")
TAG = re.compile(r"\\tag\{([^{}]*)\}")


# ---- reading and writing -------------------------------------------------------------------------

def book_notebooks():
    """The notebooks named in _toc.yml, in its order, then the solutions that it does not name."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"^\s*(?:-\s+)?(?:root|file):\s*['\"]?([^'\"\s#]+)", toc, flags=re.MULTILINE)
    named = [ROOT / f"{name.removesuffix('.ipynb')}.ipynb" for name in names]
    solutions = sorted((ROOT / "book" / "solutions").glob("*.ipynb"))
    return list(dict.fromkeys([path for path in named if path.exists()] + solutions))


def load(text):
    """A notebook from its JSON text; cells without an id, or with one already taken, get one made from their source."""
    raw = json.loads(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        raise ValueError("no list of cells")
    taken = set()
    for cell in raw["cells"]:
        if not cell.get("id") or cell["id"] in taken:
            stem = name = "cell-" + digest("".join(cell["source"]))[:8]
            while name in taken:
                stem, name = name, "cell-" + digest(stem + name)[:8]
            cell["id"] = name
        taken.add(cell["id"])
    raw["nbformat_minor"] = 5
    return nbformat.reads(json.dumps(raw), as_version=4)


def dump(nb):
    return nbformat.writes(nb) + "\n"


def write(path, text):
    """Replace the file in one step: killed at any moment, this leaves the old text or the new one."""
    new = path.with_name(f".{path.name}.tmp")  # git ignores *.tmp; the next run replaces a left-over one
    with open(new, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    shutil.copymode(path, new)
    os.replace(new, path)


def shown(path):
    path = Path(path).resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def digest(source):
    return hashlib.sha256(source.encode()).hexdigest()[:12]


# ---- normal form ---------------------------------------------------------------------------------

def normalise(nb):
    """Remove from the notebook, in place, all that depends on when or where it ran."""
    nb.metadata = nbformat.from_dict({key: nb.metadata[key] for key in KEPT_METADATA if key in nb.metadata})
    nb.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
    for cell in nb.cells:
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in KEPT_CELL_METADATA if cell.metadata.get(key)})
        if cell.cell_type == "code":
            cell.outputs = merge_streams([out for out in map(normal_output, cell.outputs) if out is not None])
    return nb


def normal_output(out):
    """The output without widget views, Colab's notes and PNG comments; None if nothing is left."""
    if "data" not in out:
        return out
    out.data.pop(WIDGET, None)
    for key in (WIDGET, "colab"):
        out.metadata.pop(key, None)
    if "image/png" in out.data:
        out.data["image/png"] = without_png_comments(out.data["image/png"])
    return out if out.data else None


def without_png_comments(encoded):
    """A base64 PNG without its text and time chunks, which name the library's version and the hour."""
    data = base64.b64decode(encoded)
    kept, at = data[:8], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at:at + 4])
        if data[at + 4:at + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept += data[at:end]
        at = end
    return base64.b64encode(kept).decode()


def merge_streams(outputs):
    """Join neighbouring pieces of one stream; of a line rewritten with carriage returns keep the last text."""
    merged = []
    for out in outputs:
        if merged and out.output_type == "stream" and out.get("name") == merged[-1].get("name"):
            merged[-1].text += out.text
        else:
            merged.append(out)
    for out in merged:
        if out.output_type == "stream":
            out.text = re.sub(r"^.*\r(?=[^\n])", "", out.text, flags=re.MULTILINE)
    return merged


# ---- running -------------------------------------------------------------------------------------

def execute(nb):
    """Run every code cell in a fresh kernel and an empty directory; return (index, message) of a failure, or None."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(nb, kernel_name="python3", timeout=CELL_SECONDS, record_timing=False,
                            extra_arguments=["--log-level=ERROR"])
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as profile:
        env = os.environ | {"PYTHONHASHSEED": "0", "IPYTHONDIR": profile,
                            "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        with client.setup_kernel(cwd=empty, env=env):
            for index, cell in enumerate(nb.cells):
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as error:
                    return index, re.sub(r"\x1b\[[0-9;]*m", "", error.traceback)
                except (CellTimeoutError, DeadKernelError) as error:
                    return index, str(error)


def run(path):
    """Execute one notebook and store it in normal form; a list of what went wrong."""
    began, before = time.monotonic(), path.read_bytes()
    nb = load(before.decode())
    failure = execute(nb)
    if failure:
        index, message = failure
        cell = nb.cells[index]
        return [f"{shown(path)}, cell {index + 1} (id {cell.id}): failed; the notebook on disk is unchanged\n"
                f"--- source\n{cell.source}\n--- error\n{message}\n---"]
    nb.metadata["ropebook"] = {"executed": {cell.id: digest(cell.source) for cell in nb.cells if cell.cell_type == "code"}}
    text = dump(normalise(nb))
    if path.read_bytes() != before:
        return [f"{shown(path)}: edited while it ran; not stored, run it again"]
    if text.encode() != before:
        write(path, text)
    print(f"{shown(path)}: {'unchanged' if text.encode() == before else 'stored'}, {time.monotonic() - began:.1f} s", flush=True)
    return check(path)


def store_normal_form(path):
    before = path.read_text(encoding="utf-8")
    text = dump(normalise(load(before)))
    if text != before:
        write(path, text)
        print(f"{shown(path)}: stored")
    return []


# ---- checking ------------------------------------------------------------------------------------

def check(path):
    """Every defect of one notebook, a line each: `book/03_rotation.ipynb, cell 7 (id …): …`."""
    text = Path(path).read_text(encoding="utf-8")
    try:
        nb, raw = load(text), json.loads(text)
        normal = dump(normalise(load(text)))
    except Exception as error:
        return [f"{shown(path)}: not a notebook: {error}"]

    found = list(id_problems(raw)) + list(notebook_problems(nb, len(text.encode()), normal == text))
    for number, cell in enumerate(nb.cells, start=1):
        problems = code_problems(cell, nb.metadata) if cell.cell_type == "code" else text_problems(cell)
        found += [(number, problem) for problem in problems]
    found += equation_problems(nb)

    def line(number, problem):
        cell = f", cell {number} (id {raw['cells'][number - 1].get('id')})" if number else ""
        return f"{shown(path)}{cell}: {problem}"
    return [line(*each) for each in sorted(found, key=lambda each: each[0])]


def id_problems(raw):
    seen = {}
    for number, cell in enumerate(raw["cells"], start=1):
        if not cell.get("id"):
            yield number, "no id"
        elif cell["id"] in seen:
            yield number, f"same id as cell {seen[cell['id']]}"
        seen.setdefault(cell.get("id"), number)


def notebook_problems(nb, size, is_normal):
    if size >= MAX_BYTES:
        yield 0, f"{size:,} bytes; the limit is {MAX_BYTES:,}"
    if "widgets" in nb.metadata:
        yield 0, "widget state in the notebook's metadata"
    if not is_normal:
        yield 0, "not in normal form; `notebooks.py normalise` mends that"
    numbered = [(n, cell) for n, cell in enumerate(nb.cells, start=1) if cell.cell_type == "code"]
    counts = [cell.execution_count for _, cell in numbered]
    if None not in counts and counts != list(range(1, len(counts) + 1)):
        number, count, place = next((n, cell.execution_count, k) for k, (n, cell) in enumerate(numbered, start=1)
                                    if cell.execution_count != k)
        yield number, f"execution count {count}, expected {place}: cells were moved, removed or run out of order"
    for gone in sorted(executed(nb.metadata).keys() - {cell.id for _, cell in numbered}):
        yield 0, f"the cell with id {gone} was removed since the last run"
    exempt = exempt_cells(nb)
    if len(exempt) > MAX_EXEMPT * len(numbered):
        names = "; ".join(cell for cell, _ in exempt)
        yield 0, f"{len(exempt)} of {len(numbered)} code cells are exempt from comparison ({names}); at most {MAX_EXEMPT:.0%} may be"


def executed(metadata):
    return metadata.get("ropebook", {}).get("executed", {})


def exempt_cells(nb):
    """[("cell 7 (id …)", reason)] of the cells whose output nbval does not compare."""
    return [(f"cell {number} (id {cell.id})", cell.metadata.get("reason"))
            for number, cell in enumerate(nb.cells, start=1) if exempting_tags(cell)]


def exempting_tags(cell):
    return [tag for tag in cell.metadata.get("tags", []) if tag.startswith("nbval-")]


def code_problems(cell, metadata):
    if not cell.source.strip():
        yield "empty code cell"
    elif cell.execution_count is None:
        yield "not executed"
    elif executed(metadata).get(cell.id) != digest(cell.source):
        yield "stale: its source changed since it was run"
    if {"execution", "ExecuteTime"} & cell.metadata.keys():
        yield "a timestamp in the cell's metadata"
    if exempting_tags(cell) and not cell.metadata.get("reason"):
        yield f"tagged {', '.join(exempting_tags(cell))} without a \"reason\" in the cell's metadata"
    if comment := NBVAL_COMMENT.search(cell.source):
        yield f"{comment[1]} in a comment; use the tag and a \"reason\""
    if cell.source.rstrip().endswith(";"):
        yield "a final semicolon hides the result from the reader but not from nbval; end with plt.show() or assign it"
    for out in cell.outputs:
        yield from output_problems(out)
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    if any(IMAGES & out.get("data", {}).keys() for out in cell.outputs) and not str(alt or "").strip():
        yield "an image without alt text (cell metadata mystnb.image.alt)"


def output_problems(out):
    data = out.get("data", {})
    if out.output_type == "error":
        yield f"error output: {out.ename}: {out.evalue}"
    if out.get("name") == "stderr":
        yield f"stderr: {out.text.strip().splitlines()[0] if out.text.strip() else ''}"
    if WIDGET in data:
        yield "widget state in an output"
    for text in [out.get("text", "")] + [value for mime, value in data.items() if mime not in ("image/png", "image/jpeg")]:
        if stamp := DATE_AND_TIME.search(str(text)):
            yield f"a timestamp in an output: {stamp[0]}"


def text_lines(source):
    """(previous line, line, next line) of everything outside code fences, without inline code."""
    lines, fence = [], None
    for line in source.split("\n"):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and fence is None:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = None
        lines.append("code" if mark or fence else re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "code", line))
    return list(zip([""] + lines, lines, lines[1:] + [""]))


def text_problems(cell):
    for line in cell.source.split("\n"):
        if MYST.match(line):
            yield f"MyST syntax, which Colab and GitHub do not render: {line.strip()}"
    for above, line, below in text_lines(cell.source):
        if re.match(r"\s*(\\begin\{|\\\[)", line):
            yield f"a display must be one line `$$ … \\tag{{…}} $$`: {line.strip()}"
        if "$$" not in line:
            continue
        if not is_display(line):
            yield f"a display must be one line `$$ … \\tag{{…}} $$`: {line.strip()}"
            continue
        if above.strip() or below.strip():
            yield f"a display needs an empty line above and below: {line.strip()}"
        if len(TAG.findall(line)) != 1 or not re.search(r"\\tag\{[^{}]*\}\s*\$\$\s*$", line):
            yield f"a display needs one \\tag{{…}}, at its end: {line.strip()}"
        if "\\\\" in line:
            yield f"a display contains \\\\ (use \\cr, or several displays): {line.strip()}"


def is_display(line):
    line = line.strip()
    return len(line) > 4 and line.startswith("$$") and line.endswith("$$") and line.count("$$") == 2


def displays_and_twins(nb):
    """[(cell, tag, LaTeX)] of the displayed equations, and [(cell, record)] of the outputs of prove and state."""
    displays, twins = [], []
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "code":
            twins += [(number, out.data[EQUATION]) for out in cell.outputs if EQUATION in out.get("data", {})]
        else:
            for _, line, _ in text_lines(cell.source):
                if is_display(line) and len(TAG.findall(line)) == 1:
                    displays.append((number, TAG.search(line)[1], TAG.sub("", line).strip().strip("$")))
    return displays, twins


def equation_problems(nb):
    """Each display has one twin, an output of prove or state with its tag and its LaTeX; each twin has one display."""
    displays, twins = displays_and_twins(nb)
    for number, tag, latex in displays:
        found = [(n, twin) for n, twin in twins if twin["tag"] == tag]
        if len(found) != 1:
            yield number, f"equation ({tag}): expected one output of prove(\"{tag}\", …) or state(\"{tag}\", …), found {len(found)}"
        elif tokens(found[0][1]["latex"]) != tokens(re.sub(r"[.,]\s*$", "", latex)):
            n, twin = found[0]
            yield number, f"equation ({tag}) differs from its twin in cell {n}: expected {twin['latex']!r}, found {latex.strip()!r}"
    shown_tags = Counter(tag for _, tag, _ in displays)
    for number, tag, _ in displays:
        if shown_tags[tag] > 1:
            yield number, f"equation ({tag}): expected one display, found {shown_tags[tag]}"
    for number, twin in twins:
        if twin["tag"] not in shown_tags:
            yield number, f"equation ({twin['tag']}) is checked here; expected a display with \\tag{{{twin['tag']}}}, found none"
        if twin["kind"] not in KINDS:
            yield number, f"equation ({twin['tag']}): expected a kind of {', '.join(KINDS)}; found {twin['kind']!r}"
        if twin["kind"] == "identity" and not twin["mutants"]:
            yield number, f"identity ({twin['tag']}): expected at least one mutated form that its check rejects, found none"
    yield from anchor_problems(nb, displays)


def tokens(latex):
    """TeX's view of a formula: control words and characters; blanks between them mean nothing."""
    return re.findall(r"\\[A-Za-z]+|\\.|\S", latex.strip())


def anchor_problems(nb, displays):
    """Each display has an anchor, which the table of equations links to, and each link to an equation leads to one."""
    texts = [(number, cell.source) for number, cell in enumerate(nb.cells, start=1) if cell.cell_type == "markdown"]
    anchors = Counter(tag for _, source in texts for tag in re.findall(r'<a id="eq-([^"]*)"', source))
    for number, tag, _ in displays:
        if anchors[tag] != 1:
            yield number, f'equation ({tag}): expected one <a id="eq-{tag}">, found {anchors[tag]}'
    for number, source in texts:
        for tag in re.findall(r'(?:href="|\]\()#eq-([^")]*)[")]', source):
            if anchors[tag] != 1:
                yield number, f'link to "#eq-{tag}": expected one <a id="eq-{tag}">, found {anchors[tag]}'


# ---- exercises -----------------------------------------------------------------------------------

def strip_solution(source):
    """The student's version of a cell: each region between nbgrader's solution markers becomes one line."""
    kept, inside = [], False
    for line in source.split("\n"):
        marker = re.fullmatch(r"(\s*)### (BEGIN|END) SOLUTION\s*", line)
        if marker and inside == (marker[2] == "BEGIN"):
            raise ValueError(f"solution markers do not pair up at {line.strip()!r}")
        if marker and not inside:
            kept.append(f"{marker[1]}...  # your answer" if marker[1] else "# your answer")  # a function needs a body
        elif not marker and not inside:
            kept.append(line)
        inside = inside != bool(marker)
    if inside:
        raise ValueError("### BEGIN SOLUTION without ### END SOLUTION")
    return "\n".join(kept)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Run, normalise and check the book's notebooks.")
    parser.add_argument("action", choices=["run", "normalise", "check"])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of _toc.yml and book/solutions")
    chosen = parser.parse_args(arguments)
    for path in chosen.notebooks:
        if not path.is_file():
            parser.error(f"no such notebook: {path}")
    paths = [path.resolve() for path in chosen.notebooks] or book_notebooks()
    action = {"run": run, "normalise": store_normal_form, "check": check}[chosen.action]
    problems = 0
    for path in paths:
        for problem in action(path):
            problems += 1
            print(problem, flush=True)
    if chosen.action == "check":
        for path in paths if not problems else []:
            for cell, reason in exempt_cells(load(path.read_text(encoding="utf-8"))):
                print(f"{shown(path)}, {cell}: output not compared: {reason}")
        print(f"{len(paths)} notebooks, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""The table of equations: what each displayed equation is, the functions that compute it, the test that could refute it.

    python code/authoring/equations.py    name every defect of equations.toml; exit code 1 if there is one

What is displayed and how it was checked stands in the chapters, and `notebooks.py check` compares the two. What computes
and what tests it stands in equations.toml, an entry for each number. This tool joins them: site.py makes the page from
the rows, and a display without an entry, an entry without a display, or a name that leads nowhere fails the build. Names
are looked up in the source text, nothing is imported: the site is built where there is no torch.
"""
import ast
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import notebooks

TABLE = "code/authoring/equations.toml"
PAPER = range(1, 38)  # the numbers of the RoFormer paper's equations
ENTRY_KEYS, PAPER_KEYS = ("numpy", "torch", "why", "test"), ("what", "chapter", "slip")


@dataclass(frozen=True)
class Row:
    """One displayed equation: where it stands, and the record of its twin (tag, kind, latex, mutants, code)."""

    chapter: str  # "03_rotation"
    place: str  # "book/03_rotation.ipynb, cell 24 (id read-product)"
    record: dict

    @property
    def tag(self):
        return self.record["tag"]

    @property
    def number(self):
        """The chapter's number as the reader knows it: "3"."""
        return short(self.chapter)

    @property
    def anchor(self):
        """Of its row on the page: "eq-03-16"."""
        return anchor(self.chapter, self.tag)


def anchor(chapter, tag):
    return f"eq-{chapter.split('_')[0]}-{tag}"


def short(chapter):
    """A chapter's number from its file name: "3" from "03_rotation"."""
    return chapter.split("_")[0].lstrip("0")


# ---- reading -------------------------------------------------------------------------------------

def read_table(root=notebooks.ROOT):
    return tomllib.loads((root / TABLE).read_text(encoding="utf-8"))


def chapters():
    """The chapters of the book, in its order; solutions display nothing new."""
    return [path for path in notebooks.book_notebooks() if path.parent == notebooks.ROOT / "book"]


def read(path):
    return notebooks.load(Path(path).read_text(encoding="utf-8"))


def title(path):
    return read(path).cells[0].source.split("\n")[0].removeprefix("# ")


def displayed(path):
    """A row for each displayed equation of one chapter, in its order. One without a twin is named by `notebooks.py check`."""
    nb = read(path)
    displays, twins = notebooks.displays_and_twins(nb)
    records = {record["tag"]: record for _, record in twins}
    return [Row(path.stem, f"{notebooks.shown(path)}, cell {number} (id {nb.cells[number - 1].id})", records[tag])
            for number, tag, _ in displays if tag in records]


def all_rows():
    return [row for path in chapters() for row in displayed(path)]


def own_tags(rows):
    """The numbers that chapters gave themselves: 3a, 3b in chapter 3. The others are the paper's, or extend one (26a)."""
    return {row.tag for row in rows if re.fullmatch(rf"{row.number}[a-z]+", row.tag)}


def paper_number(tag):
    """The number of the paper that a tag extends: "26" for 26a."""
    return re.sub(r"[a-z]+$", "", tag)


def of_paper(rows):
    """{"16": rows} of the displays of each of the paper's equations."""
    own, found = own_tags(rows), {}
    for row in rows:
        if row.tag not in own:
            found.setdefault(paper_number(row.tag), []).append(row)
    return found


# ---- checking ------------------------------------------------------------------------------------

def problems(rows, table, there, root=notebooks.ROOT):
    """Every defect, a line each.

    rows   of all chapters
    table  the content of equations.toml
    there  the chapters that exist: "03_rotation", …
    root   the folder that names of files start from
    """
    entries, paper = table.get("equations", {}), table.get("paper", {})
    for part in table.keys() - {"equations", "paper"}:
        yield f"{TABLE}: expected the parts equations and paper, found {part!r}"
    yield from row_problems(rows, entries)
    for tag, entry in entries.items():
        if tag not in {row.tag for row in rows}:
            yield f"{TABLE}, equations.{tag}: expected a chapter that displays ({tag}), found none"
        yield from entry_problems(f"{TABLE}, equations.{tag}", entry, root)
    yield from paper_problems(paper, of_paper(rows), there)


def row_problems(rows, entries):
    """Of the displays: each has an entry, a number of the paper or of its chapter, and one meaning."""
    own, strange = own_tags(rows), of_paper(rows).keys() - set(map(str, PAPER))
    first = {row.tag: row for row in reversed(rows)}
    for row in rows:
        where, earlier = f"{row.place}: equation ({row.tag})", first[row.tag]
        if row.tag not in entries:
            yield f"{where}: expected an entry [equations.{row.tag}] in {TABLE}, found none"
        if row.tag not in own and paper_number(row.tag) in strange:
            yield f"{where}: expected a number of the paper, 1 to {PAPER[-1]}, or one of the chapter's own, such as ({row.number}a)"
        if row.tag in own and row.record["latex"] != earlier.record["latex"]:
            yield f"{where} is another one in {earlier.place}: expected {earlier.record['latex']!r}, found {row.record['latex']!r}"


def key_problems(where, entry, allowed, required):
    """Of any entry: it has the keys that it must have and no unknown one, and each says something."""
    for key, value in entry.items():
        if key not in allowed:
            yield f"{where}: expected keys among {', '.join(allowed)}; found {key!r}"
        elif not isinstance(value, str) or not value.strip():
            yield f"{where}: expected a text as {key}, found {value!r}"
    for key in required:
        if key not in entry:
            yield f"{where}: expected the key {key}, found none"


def entry_problems(where, entry, root):
    yield from key_problems(where, entry, ENTRY_KEYS, ("test",))
    if ("numpy" in entry) == ("why" in entry):
        yield f"{where}: expected one of numpy and why, found {'both' if 'why' in entry else 'neither'}"
    for key in ("numpy", "torch"):
        if key in entry:
            module, _, name = str(entry[key]).rpartition(".")
            yield from lookup_problems(f"{where}: {key} = {entry[key]!r}", f"code/{module.replace('.', '/')}.py", name, root)
    if "test" in entry:
        parts = re.fullmatch(r"(tests/test_\w+\.py)::(test_\w+)", str(entry["test"]))
        if not parts:
            yield f"{where}: test = {entry['test']!r}: expected tests/test_FILE.py::test_NAME"
        else:
            yield from lookup_problems(f"{where}: test = {entry['test']!r}", *parts.groups(), root)


def lookup_problems(where, file, name, root):
    """Whether a Python file has a function or class of that name at its top level."""
    path = root / file
    if not path.is_file():
        yield f"{where}: expected the file {file}, found none"
    elif name not in {getattr(node, "name", None) for node in ast.parse(path.read_text(encoding="utf-8")).body}:
        yield f"{where}: expected a function or class {name} at the top level of {file}, found none"


def paper_problems(paper, shown, there):
    """Of the paper's equations: each is named once, and is either shown by a chapter or promised for one that is to come."""
    for number in sorted(set(map(str, PAPER)) - paper.keys(), key=int):
        yield f"{TABLE}: expected an entry paper.{number}, found none"
    for number, entry in paper.items():
        where = f"{TABLE}, paper.{number}"
        yield from key_problems(where, entry, PAPER_KEYS, ("what",))
        if number not in map(str, PAPER):
            yield f"{where}: expected a number of the paper, 1 to {PAPER[-1]}, found {number!r}"
        elif number in shown and "chapter" in entry:
            row = shown[number][0]
            yield f"{where}: chapter = {entry['chapter']!r} promises it, but ({row.tag}) is in {row.place}: remove the key chapter"
        elif number not in shown and "chapter" not in entry:
            yield f"{where}: expected a chapter that displays ({number}), or the key chapter with one that is to come, found neither"
        elif entry.get("chapter") in there:
            yield f"{where}: expected {entry['chapter']}, which is there, to display ({number}); found no such display"


def main():
    rows = all_rows()
    found = list(problems(rows, read_table(), {path.stem for path in chapters()}))
    for problem in found:
        print(problem)
    print(f"{len(rows)} displayed equations, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

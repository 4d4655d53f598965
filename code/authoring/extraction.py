"""What the scripts that extract the book's data share: only sources that we know, and a packed result that says what it is."""

import hashlib
import lzma
from pathlib import Path


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def known_bytes(path, expected):
    """The bytes of a file.

    raises  ValueError if it is not the one whose SHA-256 is expected, naming both
    """
    data = Path(path).read_bytes()
    if sha256(data) != expected:
        raise ValueError(f"{path} has SHA-256 {sha256(data)}, expected {expected}")
    return data


def pack(lines, target, unit):
    """Write lines (UTF-8 bytes) compressed, and print how many of which unit there are, and both SHA-256."""
    packed = lzma.compress(lines, preset=9 | lzma.PRESET_EXTREME)
    target.write_bytes(packed)
    print(f"{target.name}: {len(lines.splitlines())} {unit}, {len(lines)} bytes, SHA-256 {sha256(lines)}")
    print(f"packed: {len(packed)} bytes, SHA-256 {sha256(packed)}")

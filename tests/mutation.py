"""Mutants of a source file, and the claims that notice them: shared by the tests that prove claims with wrong code."""


def mutated(path, old, new):
    """The names that a source file defines after one edit; `old` must stand in it exactly once."""
    source = path.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{path.name} has {old!r} {source.count(old)} times; a mutant needs exactly one"
    names = {"__name__": f"mutant of {path.name}"}
    exec(compile(source.replace(old, new), path.name, "exec"), names)
    return names


def failures(lib, claims):
    """Names of the claims that do not hold for `lib`."""
    failed = []
    for claim in claims:
        try:
            claim(lib)
        except Exception:  # a crash is a catch, too
            failed.append(claim.__name__)
    return failed

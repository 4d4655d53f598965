"""The checkers of the exercises, one module a chapter; `ropebook.exercises.check` finds them by number."""

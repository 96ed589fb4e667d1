"""What only the rows have against a document."""

from __future__ import annotations

from typing import Any

from flags.engine.problems import Path, Problem, pointer


def row_problem(path: Path, value: Any, message: str) -> Problem:
    """A problem that the rows show and the engine cannot see."""
    return {"path": pointer(path), "value": value, "message": message, "code": "not_in_rows"}

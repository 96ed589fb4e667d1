"""The root of what the product refuses or fails at; every room owns its own errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class AIError(Exception):
    """Anything that the pipeline refuses or fails at; `str()` is the sentence."""

    code: ClassVar[str]


class UnknownName(AIError):
    """A name that is not one of a closed list."""

    kind: ClassVar[str]

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        self.name = name
        self.known = list(known)
        choices = f" Known: {', '.join(self.known)}." if self.known else ""
        super().__init__(f"There is no {self.kind} {name!r}.{choices}")

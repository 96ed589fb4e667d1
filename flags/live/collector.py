"""Keeps Python's garbage collector at rest while a great document is read and compiled."""

from __future__ import annotations

import gc
from typing import Final


class Collector:
    """At rest it does not walk through the old objects for the many young ones of a document."""

    is_at_rest = False

    def __enter__(self) -> None:
        self.is_at_rest = self.is_at_rest or gc.isenabled()
        gc.disable()

    def __exit__(self, *_fault: object) -> None:
        if self.wake():
            gc.collect(0)

    def wake(self) -> bool:
        """Also in the child of a fork that came meanwhile; whether it was at rest."""
        was_at_rest, self.is_at_rest = self.is_at_rest, False
        if was_at_rest:
            gc.enable()
        return was_at_rest


collector: Final = Collector()

"""What a host adds to the document: the vocabularies that flags draw their values from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

# The texts that are known now.
Vocabulary = Callable[[], Collection[str]]

_vocabularies: dict[str, Vocabulary] = {}


def register_vocabulary(name: str, known: Vocabulary) -> None:
    """For `AppConfig.ready()`; raises ValueError where another has the name."""
    if _vocabularies.get(name, known) is not known:
        message = f"The vocabulary {name!r} is registered already."
        raise ValueError(message)
    _vocabularies[name] = known


def vocabularies(names: Iterable[str]) -> Mapping[str, Collection[str]]:
    """What is known now of those among the names that are registered."""
    return {name: _vocabularies[name]() for name in sorted({*names} & {*_vocabularies})}

"""What a host has registered: sections of the document, vocabularies, facts, retention, guards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from flags.engine import Document
from flags.engine.problems import Problem

Json = dict[str, Any]
Sections = Mapping[str, Mapping[str, Any]]


class Section(NamedTuple):
    """A part of the document that the host keeps in tables of its own."""

    # The tables -> the section.
    dump: Callable[[], Json]
    # What is wrong with anything that claims to be one, in its document, and with what else of the
    # document concerns it; paths begin at the document.
    check: Callable[[Any, Mapping[str, Any]], Iterable[Problem]]
    # Make the tables say what a checked section says.
    restore: Callable[[Json], None]
    # What the tables would say after that, of what they say now; nothing is written.
    restored: Callable[[Json, Json], Json]
    # What has changed from one to another, for people.
    sentences: Callable[[Mapping[str, Any], Mapping[str, Any]], Iterable[str]]
    # A checked section as this process uses it; what has not changed is taken from the last one.
    compile: Callable[[Json, Any], Any]
    # Of the entries of its tables: the key whose False stops one, and the tables inside one whose
    # entries are put back by themselves.
    stop: str
    inner: tuple[str, ...]
    # An entry's table and key, what the tables say and what was published -> the keys of those of
    # the same table that go with it when it is put back.
    partners: Callable[[str, str, Json, Json], Iterable[str]]


# Why a text cannot be served from a moment until another, or for ever; None where it can.
WhyNot = Callable[[datetime, datetime | None], str | None]
# The texts that are known by a document's sections.
Vocabulary = Callable[[Sections], Mapping[str, WhyNot]]


class AccountFacts(NamedTuple):
    """A fact that the host keeps about accounts; `select_related` goes with the account's row.

    `read_many` has it by the accounts' keys, of those that have one.
    """

    read: Callable[[Any], Any]
    read_many: Callable[[Sequence[str]], Mapping[str, Any]]
    select_related: tuple[str, ...] = ()


class Retention(NamedTuple):
    """How many of the last revisions are kept, all where 0; of the others those that `named` has.

    `named` may refer to the revision by OuterRef("number").
    """

    kept: Callable[[], int]
    named: Q


# How many accounts were looked at, of how many.
Progress = Callable[[int, int], None]


class Unfinished(Exception):
    """A guard's time was too short; `taken` is what it has found."""

    def __init__(self, taken: list[str], looked: int, of: int) -> None:
        self.taken = taken
        super().__init__(f"Only {looked:,} of {of:,} accounts could be looked at in time.")


class Guard(NamedTuple):
    """Says what a change of the document would take away from accounts."""

    # Of the documents before and after, and of the accounts of which something else is said now, or
    # ALL_ACCOUNTS: what is to be looked at, None where nothing can be taken. Asked under the lock,
    # within the change's transaction.
    question: Callable[[Document, Document, frozenset[str]], Any]
    # The question's answer, in sentences, within so many seconds; raises Unfinished. Asked while
    # nobody waits, once the change is rolled back.
    taken: Callable[[Any, float, Progress], list[str]]
    # Who has got something else by it, in sentences; asked when the change is made.
    moved: Callable[[Document, Document], list[str]]


_sections: dict[str, Section] = {}
_vocabularies: dict[str, Vocabulary] = {}
_account_facts: dict[str, AccountFacts] = {}
_retentions: dict[str, Retention] = {}
_guards: dict[str, Guard] = {}
_kept_flags: list[Callable[[], Mapping[str, str]]] = []
_trait_values: dict[str, Callable[[], Iterable[str]]] = {}


def _register(registry: dict[str, Any], word: str, name: str, value: Any) -> None:
    if registry.setdefault(name, value) is not value:
        message = f"The {word} {name!r} is registered already."
        raise ValueError(message)


def register_section(name: str, section: Section) -> None:
    """For `AppConfig.ready()`; raises ValueError where another has the name."""
    _register(_sections, "section", name, section)


def register_vocabulary(name: str, known: Vocabulary) -> None:
    """For `AppConfig.ready()`; raises ValueError where another has the name."""
    _register(_vocabularies, "vocabulary", name, known)


def register_account_facts(name: str, facts: AccountFacts) -> None:
    """For `AppConfig.ready()`; raises ValueError where another has the name."""
    _register(_account_facts, "facts", name, facts)


def register_retention(retention: Retention) -> None:
    """For `AppConfig.ready()`; raises ValueError where there is one."""
    _register(_retentions, "retention", "revisions", retention)


def register_guard(name: str, guard: Guard) -> None:
    """For `AppConfig.ready()`; raises ValueError where another has the name."""
    _register(_guards, "guard", name, guard)


def guards() -> Mapping[str, Guard]:
    """By name, in the order of registration."""
    return _guards


def keep_flags(kept: Callable[[], Mapping[str, str]]) -> None:
    """Have flags neither renamed nor deleted: by name why, which ends a sentence.

    For `AppConfig.ready()`; asked at each look.
    """
    _kept_flags.append(kept)


def register_trait_values(name: str, values: Callable[[], Iterable[str]]) -> None:
    """Which values of a text trait accounts have; for `AppConfig.ready()`."""
    _register(_trait_values, "trait", name, values)


def trait_values() -> Mapping[str, Callable[[], Iterable[str]]]:
    """By trait, of those that are registered."""
    return _trait_values


def kept_flags() -> Mapping[str, str]:
    """Which flags are neither renamed nor deleted, and why."""
    return {name: why for kept in _kept_flags for name, why in kept().items()}


def sections() -> Mapping[str, Section]:
    """By name, in the order of registration."""
    return _sections


def vocabularies(names: Iterable[str], among: Sections) -> Mapping[str, Mapping[str, WhyNot]]:
    """What is known by these sections, of those among the names that are registered."""
    return {name: _vocabularies[name](among) for name in sorted({*names} & {*_vocabularies})}


def account_facts() -> Mapping[str, AccountFacts]:
    """By name, in the order of registration."""
    return _account_facts


def retention() -> Retention | None:
    """What the host has registered, or None."""
    return _retentions.get("revisions")

"""A document, or what the tables say, checked by the engine and by the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.utils import timezone

from flags.document import servable
from flags.document.export import Json, document
from flags.document.problems import row_problem
from flags.engine import Document, DocumentError, parse
from flags.engine.problems import MAX_PROBLEMS, Problem
from flags.models import AccountOverride
from flags.registry import WhyNot, sections, vocabularies


def check(exported: Json | None = None) -> Document:
    """What the tables say, checked as a whole.

    Raises DocumentError, also for a live override that would lose its variant.
    """
    found, known = _parsed(exported or document())
    _raise(unusable(found, known))
    return found


def checked(source: object) -> Document:
    """As `parse`, with what only the host knows checked too; raises DocumentError."""
    found, known = _parsed(source)
    _raise(servable.unservable(found, known, timezone.now()))
    return found


def faults(exported: Mapping[str, Any]) -> list[Problem]:
    """Everything that `check` has against a document."""
    try:
        found, known = _parsed(dict(exported))
    except DocumentError as error:
        return error.errors
    return unusable(found, known)


Known = Mapping[str, Mapping[str, WhyNot]]


def unusable(document: Document, known: Known) -> list[Problem]:
    """What a sound document says in vain: variants that cannot be served, overrides without one."""
    return [*_lost_overrides(document), *servable.unservable(document, known, timezone.now())]


def _lost_overrides(document: Document) -> list[Problem]:
    live = AccountOverride.objects.in_force(timezone.now()).order_by("flag__name", "variant", "pk")
    return [
        row_problem(
            ("flags", flag, "variants", variant), variant, f"An override of {key} serves it."
        )
        for flag, variant, key in live.values_list("flag__name", "variant", "account__key")
        if flag in document["flags"] and variant not in document["flags"][flag]["variants"]
    ]


def _parsed(source: object) -> tuple[Document, Known]:
    known: dict[str, Mapping[str, WhyNot]] = {}

    def vocabularies_of(document: Document) -> Known:
        _raise(_section_problems(document))
        known.update(_known(document))
        return known

    return parse(source, vocabularies=vocabularies_of), known


def _known(document: Document) -> Known:
    """The vocabularies that its flags name, as its sections say.

    A section that it lacks is as the tables have it: restoring the document leaves them alone.
    """
    named = {flag.get("vocabulary") for flag in document["flags"].values()} - {None}
    lacking = (name for name in sections() if named and name not in document["sections"])
    known = {name: sections()[name].dump() for name in lacking} | document["sections"]
    return vocabularies(cast(set[str], named), known)


def _section_problems(document: Document) -> list[Problem]:
    registered = sections()
    problems: list[Problem] = []
    for name, section in document["sections"].items():
        if name in registered:
            problems += registered[name].check(section, document)
        else:
            problems.append(row_problem(("sections", name), name, f"There is no section {name!r}."))
    return problems


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise DocumentError(problems[:MAX_PROBLEMS])

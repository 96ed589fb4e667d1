"""A document, or what the tables say, checked by the engine and by the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from django.utils import timezone

from flags.document import servable
from flags.document.export import Json, document
from flags.document.problems import row_problem
from flags.engine import Document, DocumentError, parse
from flags.engine.problems import MAX_PROBLEMS, Problem, pointer
from flags.models import AccountOverride
from flags.registry import WhyNot, sections, vocabularies


def check(exported: Json | None = None) -> Document:
    """What the tables say, checked before it is published.

    Raises DocumentError, also for a live override that would lose its variant.
    """
    found = checked(exported or document())
    live = AccountOverride.objects.in_force(timezone.now()).order_by("flag__name", "variant", "pk")
    lost = [
        row_problem(
            ("flags", flag, "variants", variant), variant, f"An override of {key} serves it."
        )
        for flag, variant, key in live.values_list("flag__name", "variant", "account__key")
        if variant not in found["flags"][flag]["variants"]
    ]
    if lost:
        raise DocumentError(lost[:MAX_PROBLEMS])
    return found


def checked(source: object) -> Document:
    """As `parse`, with what only the host knows checked too; raises DocumentError."""
    known: dict[str, Mapping[str, WhyNot]] = {}

    def vocabularies_of(document: Document) -> Mapping[str, Mapping[str, WhyNot]]:
        known.update(_known(document))
        return known

    document = parse(source, vocabularies=vocabularies_of)
    unservable = servable.unservable(document, known, timezone.now())
    if unservable:
        raise DocumentError(unservable[:MAX_PROBLEMS])
    return document


def _known(document: Document) -> Mapping[str, Mapping[str, WhyNot]]:
    """The vocabularies that its flags name, as its sections say; raises DocumentError.

    A section that it lacks is as the tables have it: restoring the document leaves them alone.
    """
    _check_sections(document)
    named = {flag.get("vocabulary") for flag in document["flags"].values()} - {None}
    lacking = (name for name in sections() if named and name not in document["sections"])
    known = {name: sections()[name].dump() for name in lacking} | document["sections"]
    return vocabularies(cast(set[str], named), known)


def _check_sections(document: Document) -> None:
    registered = sections()
    problems: list[Problem] = []
    for name, section in document["sections"].items():
        if name not in registered:
            problems.append(row_problem(("sections", name), name, f"There is no section {name!r}."))
            continue
        base = pointer(("sections", name))
        found = registered[name].check(section, document)
        problems += [{**each, "path": base + each["path"]} for each in found]
    if problems:
        raise DocumentError(problems[:MAX_PROBLEMS])

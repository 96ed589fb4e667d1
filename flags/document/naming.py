"""Which flags name a value that the host keeps, so that it is not taken away from them."""

from __future__ import annotations

from typing import cast

from django.utils import timezone

from flags.document.export import flag_of
from flags.document.servable import places
from flags.engine.document import Flag as FlagDocument
from flags.models import Flag


def flags_naming(value: str, *, vocabulary: str) -> list[str]:
    """In words, where a flag serves the value or has it as a variant. Three queries.

    Flags are asked whose vocabulary begins with `vocabulary`; the first flag that names the value
    is told.
    """
    flags = Flag.objects.filter(vocabulary__startswith=vocabulary)
    for flag in flags.prefetch_related("variants", "rules"):
        keys = {key for key, each in flag.values().items() if each == value}
        if keys:
            served = places(flag.name, cast(FlagDocument, flag_of(flag)), timezone.now())
            words = [place.words for place in served if place.variant in keys]
            return words or [f"it is the variant {key} of flag {flag.name}" for key in keys]
    return []

"""Anything -> a Document, or one DocumentError."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import cast

from flags.engine.checks import check_meaning
from flags.engine.document import Document
from flags.engine.plain import check_plain, load
from flags.engine.problems import Problems
from flags.engine.shape import check_shape
from flags.engine.upgrade import upgraded

Vocabularies = Mapping[str, Collection[str]]


def parse(
    source: object,
    *,
    vocabularies: Vocabularies | Callable[[Document], Vocabularies] | None = None,
) -> Document:
    """The checked document of JSON text (str or bytes) or of an object; DocumentError otherwise.

    One of schema 1 is answered in schema 2, with the meaning that it had.

    `vocabularies` are the host's, by name, or said by the well-shaped document; without them the
    names are taken as they are.
    """
    problems = Problems()
    value = load(source, problems) if isinstance(source, str | bytes | bytearray) else source
    check_plain(value, problems)
    problems.raise_if_any()
    check_shape(value, problems)
    problems.raise_if_any()
    # What the caller goes on changing is not the document.
    document = cast(Document, value if value is not source else json.loads(json.dumps(value)))
    known = vocabularies(document) if callable(vocabularies) else vocabularies
    check_meaning(document, known, problems)
    problems.raise_if_any()
    return upgraded(document)

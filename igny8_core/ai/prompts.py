"""Prompt templates: `{{name}}` placeholders, every one declared, filled in once. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from igny8_core.ai.exceptions import MissingPlaceholder, UnknownPlaceholder

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def placeholders(template: str) -> list[str]:
    """The placeholders that the template uses, each once, in order."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def check(template: str, declared: Collection[str]) -> None:
    """Refuse a template that uses what is not declared, or declares what it does not use."""
    _compare(given=placeholders(template), expected=declared)


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders in. A value is taken as it is, braces and all.

    Raises MissingPlaceholder and UnknownPlaceholder, each with the name.
    """
    _compare(given=values, expected=placeholders(template))
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _compare(*, given: Collection[str], expected: Collection[str]) -> None:
    for name in given:
        if name not in expected:
            raise UnknownPlaceholder(name, expected)
    for name in expected:
        if name not in given:
            raise MissingPlaceholder(name)

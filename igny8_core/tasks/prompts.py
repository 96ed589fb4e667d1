"""Prompts: `{{name}}` placeholders, every one declared, filled in once; their length."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from igny8_core.catalogue.models import CatalogueModel
from igny8_core.tasks.errors import (
    EmptyPrompt,
    InvalidCharacter,
    InvalidPlaceholders,
    InvalidVariable,
    MissingPlaceholder,
    PromptTooLong,
    UnknownPlaceholder,
    UnusedPlaceholder,
)


class PromptOrigin(StrEnum):
    """Whose instruction a task was put with."""

    ACCOUNT = "account"
    PLATFORM = "platform"
    BUILT_IN = "built-in"


class ActivePrompt(NamedTuple):
    """The instruction in force for a task; the built-in one has no version."""

    origin: PromptOrigin
    version: int | None
    template: str


_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_CHARACTERS_PER_TOKEN = 4
_JSON = " Answer with a JSON object."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def placeholders(template: str) -> list[str]:
    """The placeholders that the template uses, each once, in order."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def check(template: str, declared: object) -> None:
    """Refuse a template that uses what is not declared, or declares what it does not use.

    Raises InvalidCharacter, InvalidPlaceholders, UnknownPlaceholder, UnusedPlaceholder.
    """
    check_characters(template)
    if not isinstance(declared, list) or len(set(map(str, declared))) < len(declared):
        raise InvalidPlaceholders(declared)
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in declared):
        raise InvalidPlaceholders(declared)
    used = placeholders(template)
    for name in used:
        if name not in declared:
            raise UnknownPlaceholder(name, declared)
    for name in declared:
        if name not in used:
            raise UnusedPlaceholder(name)


def check_characters(text: str) -> None:
    """Refuse what no provider and no database takes: NUL, half a surrogate pair."""
    for position, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise InvalidCharacter(position, character)


def estimated_tokens(text: str) -> int:
    """About what a tokenizer would count: four characters a token."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders in. A value is taken as it is, braces and all.

    Raises UnknownPlaceholder, MissingPlaceholder and InvalidVariable, each with the name.
    """
    used = placeholders(template)
    for name, value in values.items():
        if name not in used:
            raise UnknownPlaceholder(name, used)
        if not isinstance(value, str):
            raise InvalidVariable(name, value)
        check_characters(value)
    for name in used:
        if name not in values:
            raise MissingPlaceholder(name)
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what there is nothing to ask in. Raises EmptyPrompt, InvalidCharacter."""
    for text in texts or [""]:
        if not text.strip():
            raise EmptyPrompt
        check_characters(text)


def instruction_of(template: str, values: Mapping[str, str], *, json_mode: bool) -> str:
    """The template filled in; in JSON mode it has the word, without which OpenAI refuses."""
    instruction = render(template, values)
    return instruction + (_JSON if json_mode and "json" not in instruction.lower() else "")


def check_length(text: str, model: CatalogueModel) -> None:
    """Raises PromptTooLong for a text that the model's context, where it is known, cannot hold."""
    tokens = estimated_tokens(text)
    if model.context_window is not None and tokens > model.context_window:
        raise PromptTooLong(model.model_id, tokens, model.context_window)

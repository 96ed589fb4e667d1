"""What a browser would post of a form that nobody has touched: read off its widgets' own HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from typing import Any, Final

Values = dict[str, list[str]]
# Inputs that say nothing of a row.
_NOT_POSTED: Final = {"file", "submit", "button", "image", "reset"}
_TICKED: Final = {"checkbox", "radio"}


class _Inputs(HTMLParser):
    """Collects the values of inputs, text areas and selects, by name."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.values: Values = {}
        self._select: str | None = None
        self._area: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "option" and self._select and "selected" in given:
            self._add(self._select, given.get("value") or "")
        if not name or "disabled" in given:
            return
        if tag == "select":
            self._select = name
            self._add(name)
        elif tag == "textarea":
            self._area, self._text = name, []
        elif tag == "input" and given.get("type") not in _NOT_POSTED:
            is_ticked = given.get("type") in _TICKED
            value = given.get("value", "on" if is_ticked else "") or ""
            self._add(name, *([] if is_ticked and "checked" not in given else [value]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea" and self._area is not None:
            self._add(self._area, "".join(self._text))
            self._area = None

    def _add(self, name: str, *values: str) -> None:
        self.values.setdefault(name, []).extend(values)


def field_values(field: Any) -> Values:
    """Of one bound field, by the names of its inputs."""
    inputs = _Inputs()
    inputs.feed(str(field))
    inputs.close()
    return {name: plain(values) for name, values in inputs.values.items()}


def plain(values: Iterable[str]) -> list[str]:
    """Nothing and an empty text are alike; so are the ways to end a line."""
    return [text for value in values if (text := value.replace("\r\n", "\n").strip())]


def form_values(form: Any) -> Values:
    """Of all fields of a form that is not bound."""
    values: Values = {}
    for name in form.fields:
        if not form.fields[name].disabled:
            values |= field_values(form[name])
    return values


def formset_values(formset: Any) -> Values:
    """Of all its rows, and how many there are."""
    values = form_values(formset.management_form)
    for form in formset.initial_forms:
        values |= form_values(form)
    return values


def posted_values(post: Any, names: Iterable[str]) -> Values:
    """What was posted under these names."""
    return {name: plain(post.getlist(name)) for name in names}


def differing(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> Iterator[str]:
    """The names under which they differ."""
    for name in dict.fromkeys([*one, *other]):
        if one.get(name, []) != other.get(name, []):
            yield name

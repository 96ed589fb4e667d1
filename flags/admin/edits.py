"""What a form was made from, and what differs from it since, part by part of the form."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django import forms
from django.core.exceptions import BadRequest
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from flags.admin.browser import Values, differing, posted_values


class Part(NamedTuple):
    """A field of a form, a table of rows below it, or what is stored beside both (not posted).

    `row_key` names the input of a row that says which row it is.
    """

    name: str
    label: str
    values: Values
    is_single: bool
    is_posted: bool = True
    row_key: str = ""


class Base(NamedTuple):
    """What a form was made from: when, after which revision, and what it said."""

    at: AwareDatetime
    revision: int | None
    values: Values


_SHOWN: Final = 60
_SINGLE: Final = (
    forms.CharField,
    forms.BooleanField,
    forms.NullBooleanField,
    forms.ChoiceField,
    forms.IntegerField,
    forms.DateField,
    forms.DateTimeField,
    forms.SplitDateTimeField,
    forms.ModelChoiceField,
)
_NEVER_MERGED: Final = (forms.JSONField, forms.ModelMultipleChoiceField, forms.MultipleChoiceField)
_BASE: Final = TypeAdapter(Base)


def is_single(form: Any, name: str) -> bool:
    """Whether the field's changes merge with changes of others: it holds one plain value."""
    field = form.fields[name]
    single = isinstance(field, _SINGLE) and not isinstance(field, _NEVER_MERGED)
    return single and not isinstance(form.get_initial_for_field(field, name), list | dict)


def read(text: str | None) -> Base | None:
    """Raises BadRequest for what no page has sent."""
    if not text:
        return None
    try:
        return _BASE.validate_json(text)
    except ValidationError:
        message = "The form does not say what it was made from."
        raise BadRequest(message) from None


def names(part: Part, values: Values) -> list[str]:
    """The names of the part's inputs among these."""
    if part.is_single or part.name in values or part.name in part.values:
        return [name for name in part.values if name in values]
    return [name for name in values if name.startswith(f"{part.name}-")]


def posted(post: Any, part: Part, base: Base) -> Values:
    """What was posted for the part."""
    inputs = [*names(part, base.values), *part.values]
    if not part.is_single:
        inputs += [name for name in post if name.startswith(f"{part.name}-")]
    return posted_values(post, [name for name in inputs if "-__prefix__-" not in name])


def differs(part: Part, one: Values, other: Values) -> bool:
    ours = {*part.values, *names(part, one), *other}
    return any(one.get(name, []) != other.get(name, []) for name in ours)


def adds_rows(part: Part, base: Base) -> bool:
    """Whether the stored row has more rows below it than the form was made from."""
    return not part.is_single and not {*part.values} <= {*base.values}


def difference(part: Part, base: Base) -> str:
    if part.is_single or len(part.values) == 1:
        name = next(iter(part.values))
        old, new = (" ".join(each.get(name, [])) for each in (base.values, part.values))
        return f"{part.label} {_short(old)} → {_short(new)}"
    before = {name: base.values[name] for name in names(part, base.values)}
    changed = [
        f"{_short(' '.join(before.get(name, [])))} → {_short(' '.join(part.values.get(name, [])))}"
        for name in differing(before, part.values)
    ]
    return f"{part.label} ({', '.join(changed[:3])}{', …' * (len(changed) > 3)})"  # noqa: PLR2004


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f"“{text[:_SHOWN]}{'…' * (len(text) > _SHOWN)}”" if text else "nothing"

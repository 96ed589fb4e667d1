"""Rows -> document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Case, Value, When
from waffle import get_waffle_switch_model

from flags.engine.document import SCHEMA
from flags.engine.traits import Type
from flags.models import Flag, Rule, Segment, Trait
from flags.models.flag import Kind
from flags.models.keys import EXCLUDED, INCLUDED
from flags.registry import sections

PERCENT: Final = "percent"  # the id of the rule that waffle's percentage becomes
PPM_OF_PERCENT: Final = 10_000
Json = dict[str, Any]


def document() -> Json:
    """What the tables say, unchecked and without a number. Five queries beside the sections'."""
    flags = Flag.objects.prefetch_related("variants", "rules")
    return document_of(list(flags))


def document_of(flags: list[Flag]) -> Json:
    """The same, of flags that were read already."""
    segments = list(Segment.objects.all())
    traits, switches = _traits_and_switches()
    if any(segment.is_long for segment in segments):
        traits |= {INCLUDED: Type.STRS.value, EXCLUDED: Type.STRS.value}
    return {
        "schema": SCHEMA,
        "hash": "r1",
        "number": None,
        "traits": traits,
        "segments": {segment.key: _segment(segment) for segment in segments},
        "flags": {flag.name: flag_of(flag) for flag in flags},
        "switches": switches,
        "sections": {name: section.dump() for name, section in sections().items()},
    }


def _traits_and_switches() -> tuple[dict[str, str], dict[str, bool]]:
    """By name, each in order. One query for both: each is a name and a word."""
    active = Case(When(active=True, then=Value("on")), default=Value("off"))
    switches = get_waffle_switch_model().objects.using(DEFAULT_DB_ALIAS)
    rows = Trait.objects.order_by().annotate(is_switch=Value(0)).values_list(*_COLUMNS)
    both = rows.union(
        switches.order_by().annotate(is_switch=Value(1), type=active).values_list(*_COLUMNS),
        all=True,
    )
    traits: dict[str, str] = {}
    actives: dict[str, bool] = {}
    for is_switch, name, word in sorted(both):
        if is_switch:
            actives[name] = word == "on"
        else:
            traits[name] = word
    return traits, actives


_COLUMNS: Final = ("is_switch", "name", "type")


def _segment(row: Segment) -> Json:
    rules = row.rules
    if row.is_long and isinstance(rules, list):
        out = not_excluded(row.key)
        groups = [included(row.key), *rules]
        rules = [[*group, out] if isinstance(group, list) else group for group in groups]
    return {"include": row.include, "exclude": row.exclude, "rules": rules}


def included(key: str) -> list[Json]:
    """The rule of a long segment that its included accounts match."""
    return [{"trait": INCLUDED, "op": "in", "values": [key]}]


def not_excluded(key: str) -> Json:
    """The clause of a long segment that its excluded accounts do not match."""
    return {"trait": EXCLUDED, "op": "in", "values": [key], "not": True, "absent": True}


def flag_of(row: Flag) -> Json:
    """A flag's row, with its variants and rules, as the document has it."""
    values = row.values()
    rules = [_rule(rule) for rule in row.rules.all()]
    if row.percent:
        rules.append(_percent_rule(row, values))
    is_no = row.everyone is False and row.kind != Kind.BOOL
    return {
        "kind": row.kind,
        "on": row.is_on and not is_no,
        "force": _force(row, values),
        "salt": row.salt or row.name,
        "vocabulary": row.vocabulary or None,
        "variants": values,
        "off": row.off_variant or None,
        "requires": row.requires,
        "rules": rules,
        "default": row.default,
    }


def _force(row: Flag, values: Mapping[str, Any]) -> str | None:
    if row.everyone is None or (row.kind != Kind.BOOL and not row.everyone):
        return None
    return _active(row, values) if row.everyone else inactive(row, values)


def _active(row: Flag, values: Mapping[str, Any]) -> str:
    """What Everyone: Yes and Percent serve."""
    if row.kind != Kind.BOOL or values.get(row.active_variant) is True:
        return row.active_variant
    return next((key for key, value in values.items() if value is True), "on")


def inactive(row: Flag, values: Mapping[str, Any]) -> str:
    """What Everyone: No serves of a boolean flag."""
    if values.get(row.off_variant) is False:
        return row.off_variant
    return next((key for key, value in values.items() if value is False), "off")


def _percent_rule(row: Flag, values: Mapping[str, Any]) -> Json:
    to = int(Decimal(str(row.percent)) * PPM_OF_PERCENT)
    return percent_rule_of(row.salt or row.name, to, _active(row, values))


def percent_rule_of(salt: str, to: int, variant: str) -> Json:
    """The last rule that waffle's Percent stands for; `to` is of a million."""
    return {
        "id": PERCENT,
        "name": None,
        "when": [{"op": "share", "salt": salt, "to": to}],
        "from": None,
        "until": None,
        "group": None,
        "serve": {"variant": variant},
    }


def _rule(row: Rule) -> Json:
    return {
        "id": row.rule_id,
        "name": row.name or None,
        "when": row.when,
        "from": _text(row.starts_at),
        "until": _text(row.ends_at),
        "group": row.group or None,
        "serve": row.serve,
    }


def _text(at: datetime | None) -> str | None:
    if at is None:
        return None
    spec = "milliseconds" if at.microsecond else "seconds"
    return at.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")

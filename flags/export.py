"""Rows -> document, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from waffle import get_waffle_switch_model

from flags import serving
from flags.engine import Document, DocumentError, parse
from flags.engine.problems import MAX_PROBLEMS, Path, Problem, pointer
from flags.engine.times import datetime_of_ms, moment_ms
from flags.engine.traits import Type
from flags.rows import (
    EXCLUDED,
    INCLUDED,
    ON_OFF,
    AbstractFlag,
    AccountOverride,
    Kind,
    Rule,
    Segment,
    Trait,
    Variant,
    flag_model,
)
from flags.sections import WhyNot, sections, vocabularies

PERCENT: Final = "percent"  # the id of the rule that waffle's percentage becomes
_PPM_OF_PERCENT: Final = 10_000
_PPM_OF_TENTH: Final = 1_000

Json = dict[str, Any]


def check(exported: Json | None = None) -> Document:
    """What the tables say, checked before it is published.

    Raises DocumentError, also for a live override that would lose its variant.
    """
    found = checked(exported or document())
    live = AccountOverride.objects.in_force(timezone.now()).order_by("flag__name", "variant", "pk")
    lost = [
        _problem(("flags", flag, "variants", variant), variant, f"An override of {key} serves it.")
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
    unservable = serving.unservable(document, known, timezone.now())
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
            problems.append(_problem(("sections", name), name, f"There is no section {name!r}."))
            continue
        base = pointer(("sections", name))
        found = registered[name].check(section, document)
        problems += [{**each, "path": base + each["path"]} for each in found]
    if problems:
        raise DocumentError(problems[:MAX_PROBLEMS])


def document() -> Json:
    """What the tables say, unchecked and without a number. Six queries."""
    flags = flag_model().objects.prefetch_related("variants", "rules")
    return document_of(list(flags))


def document_of(flags: list[AbstractFlag]) -> Json:
    """The same, of flags that were read already."""
    segments = list(Segment.objects.all())
    traits = {trait.name: trait.type for trait in Trait.objects.all()}
    if any(segment.is_long for segment in segments):
        traits |= {INCLUDED: Type.STRS.value, EXCLUDED: Type.STRS.value}
    return {
        "schema": 1,
        "hash": "r1",
        "number": None,
        "traits": traits,
        "segments": {segment.key: _segment(segment) for segment in segments},
        "flags": {flag.name: flag_of(flag) for flag in flags},
        "switches": dict(
            get_waffle_switch_model().objects.order_by("name").values_list("name", "active")
        ),
        "sections": {name: section.dump() for name, section in sections().items()},
    }


def _segment(row: Segment) -> Json:
    rules = row.rules
    if row.is_long and isinstance(rules, list):
        out = _not_excluded(row.key)
        groups = [_included(row.key), *rules]
        rules = [[*group, out] if isinstance(group, list) else group for group in groups]
    return {"include": row.include, "exclude": row.exclude, "rules": rules}


def _included(key: str) -> list[Json]:
    return [{"trait": INCLUDED, "op": "in", "values": [key]}]


def _not_excluded(key: str) -> Json:
    return {"trait": EXCLUDED, "op": "in", "values": [key], "not": True, "absent": True}


def flag_of(row: AbstractFlag) -> Json:
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


def _force(row: AbstractFlag, values: Mapping[str, Any]) -> str | None:
    if row.everyone is None or (row.kind != Kind.BOOL and not row.everyone):
        return None
    return _active(row, values) if row.everyone else _inactive(row, values)


def _active(row: AbstractFlag, values: Mapping[str, Any]) -> str:
    """What Everyone: Yes and Percent serve."""
    if row.kind != Kind.BOOL or values.get(row.active_variant) is True:
        return row.active_variant
    return next((key for key, value in values.items() if value is True), "on")


def _inactive(row: AbstractFlag, values: Mapping[str, Any]) -> str:
    """What Everyone: No serves of a boolean flag."""
    if values.get(row.off_variant) is False:
        return row.off_variant
    return next((key for key, value in values.items() if value is False), "off")


def _percent_rule(row: AbstractFlag, values: Mapping[str, Any]) -> Json:
    to = int(Decimal(str(row.percent)) * _PPM_OF_PERCENT)
    return _percent_rule_of(row.salt or row.name, to, _active(row, values))


def _percent_rule_of(salt: str, to: int, variant: str) -> Json:
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


def flag_rows(document: Document) -> dict[str, AbstractFlag]:
    """Unsaved rows that say what the document does, by name: what only a request decides is unset.

    Their primary keys are negative.
    """
    rows = {}
    for index, (name, flag) in enumerate(document["flags"].items(), start=1):
        row = flag_model()(pk=-index, name=name)
        _restore_flag(row, cast(Json, flag))
        rows[name] = row
    return rows


@transaction.atomic
def restore(wanted: Document) -> None:
    """Make the tables say what the document says.

    Facts about accounts stay, and of each flag that stays what only a request decides. Raises
    DocumentError, with nothing changed, where a fact about an account would go with its flag or its
    segment, and for what no row can hold: a text longer than its column, a moment outside the years
    1 to 9999, and a boolean flag forced to a false variant other than the one that it serves when
    off.
    """
    _refuse_to_lose_facts(wanted)
    _restore_traits(wanted)
    _restore_segments(wanted)
    _restore_flags(wanted)
    _restore_switches(wanted)
    for name, section in wanted["sections"].items():
        sections()[name].restore(section)


def _refuse_to_lose_facts(wanted: Document) -> None:
    overrides = AccountOverride.objects.exclude(flag__name__in=wanted["flags"])
    lost = [
        _problem(("flags", flag), flag, f"It would go, and {key} has an override of it.")
        for flag, key in overrides.order_by("flag__name", "account__key", "pk").values_list(
            "flag__name", "account__key"
        )
    ]
    long = Segment.objects.exclude(key__in=wanted["segments"]).filter(members__isnull=False)
    lost += [
        _problem(("segments", key), key, "It would go, and with it its long list of accounts.")
        for key in long.distinct().values_list("key", flat=True)
    ]
    if lost:
        raise DocumentError(lost[:MAX_PROBLEMS])


def fit(row: models.Model, *path: str | int) -> None:
    """Raises DocumentError for a text or number that the row's column cannot hold."""
    others = {each.name for each in row._meta.fields if each.is_relation or isinstance(each, _JSON)}
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        raise DocumentError(
            [
                _problem((*path, name), getattr(row, name), " ".join(messages))
                for name, messages in error.message_dict.items()
            ]
        ) from None


_JSON: Final = models.JSONField


def _restore_traits(wanted: Document) -> None:
    types = {name: kind for name, kind in wanted["traits"].items() if name not in _OF_LISTS}
    Trait.objects.exclude(name__in=types).delete()
    there = {trait.name: trait for trait in Trait.objects.all()}
    for name, kind in types.items():
        trait = there.get(name) or Trait(name=name)
        if trait.type != kind:
            trait.type = kind
            trait.save()


_OF_LISTS: Final = {INCLUDED, EXCLUDED}


def _restore_segments(wanted: Document) -> None:
    Segment.objects.exclude(key__in=wanted["segments"]).delete()
    there = {segment.key: segment for segment in Segment.objects.all()}
    for key, segment in wanted["segments"].items():
        row = there.get(key) or Segment(key=key)
        before = dict(row.__dict__)
        row.is_long, row.rules = _without_lists(key, segment["rules"])
        row.include, row.exclude = segment["include"], segment["exclude"]
        fit(row, "segments", key)
        _save_changed(row, before)


def _without_lists(key: str, rules: Any) -> tuple[bool, Any]:
    """Whether the export added the segment's long lists to its rules, and the rules without."""
    out = _not_excluded(key)
    if rules[:1] != [[*_included(key), out]] or any(group[-1] != out for group in rules):
        return False, rules
    return True, [group[:-1] for group in rules[1:]]


def _restore_flags(wanted: Document) -> None:
    model = flag_model()
    model.objects.exclude(name__in=wanted["flags"]).delete()
    there = {flag.name: flag for flag in model.objects.all()}
    variants: list[Variant] = []
    rules: list[Rule] = []
    for name, flag in wanted["flags"].items():
        row = there.get(name) or model(name=name)
        before = dict(row.__dict__)
        rest = _restore_flag(row, cast(Json, flag))
        fit(row, "flags", name)
        _save_changed(row, before)
        values = flag["variants"]
        if not (row.kind == Kind.BOOL and values == ON_OFF and not row.off_variant):
            variants += [Variant(flag=row, key=key, value=value) for key, value in values.items()]
        rules += [_rule_row(row, position, rule) for position, rule in enumerate(rest)]
    Variant.objects.all().delete()
    Rule.objects.all().delete()
    Variant.objects.bulk_create(variants, batch_size=500)
    Rule.objects.bulk_create(rules, batch_size=500)


def _save_changed(row: models.Model, before: Json) -> None:
    if row._state.adding or row.__dict__ != before:
        row.save()


def _restore_flag(row: AbstractFlag, flag: Json) -> list[Json]:
    """Set the row's columns; the rules that are left for rows of their own."""
    values, force = flag["variants"], flag["force"]
    row.kind, row.is_on = flag["kind"], flag.get("on", True)
    row.salt, row.vocabulary = flag.get("salt", row.name), flag.get("vocabulary") or ""
    row.off_variant, row.default = flag["off"] or "", flag["default"]
    row.requires = flag["requires"]
    row.everyone = None if force is None else values[force] is not False
    if row.kind != Kind.BOOL and force is not None:
        row.everyone = True
    row.percent = None
    if row.everyone:
        row.active_variant = force
    elif row.active_variant not in values:
        row.active_variant = ""
    if row.everyone is False and _inactive(row, values) != force:
        message = "A boolean flag is forced to the false variant that it serves when it is off."
        raise DocumentError([_problem(("flags", row.name, "force"), force, message)])
    return _restore_percent(row, flag)


def _restore_percent(row: AbstractFlag, flag: Json) -> list[Json]:
    """Take a last rule that says what waffle's percentage says into its column."""
    rules: list[Json] = flag["rules"]
    last = rules[-1] if rules else {}
    if last.get("id") != PERCENT:
        return rules
    variant, when = last["serve"].get("variant"), last["when"]
    to = when[0].get("to", 0) if when else 0
    is_percent = (
        last == _percent_rule_of(row.salt, to, variant)
        and 0 < to < 100 * _PPM_OF_PERCENT
        and to % _PPM_OF_TENTH == 0
        and not (row.everyone and row.active_variant != variant)
        and (row.kind != Kind.BOOL or flag["variants"][variant] is True)
    )
    if not is_percent:
        return rules
    row.active_variant = variant
    row.percent = Decimal(to) / _PPM_OF_PERCENT
    return rules[:-1]


def _rule_row(flag: Any, position: int, rule: Json) -> Rule:
    path = ("flags", flag.name, "rules", position)
    row = Rule(
        flag=flag,
        position=position,
        rule_id=rule["id"],
        name=rule.get("name") or "",
        when=rule["when"],
        serve=rule["serve"],
        starts_at=_moment(rule.get("from"), (*path, "from")),
        ends_at=_moment(rule.get("until"), (*path, "until")),
        group=rule.get("group") or "",
    )
    fit(row, *path)
    return row


def _moment(value: Any, path: Path) -> datetime | None:
    at = moment_ms(value)
    if at is None:
        return None
    try:
        return datetime_of_ms(at)
    except OverflowError:
        message = f"{value!r} is outside the years 1 to 9999."
        raise DocumentError([_problem(path, value, message)]) from None


def _problem(path: Path, value: Any, message: str) -> Problem:
    return {"path": pointer(path), "value": value, "message": message, "code": "not_in_rows"}


def _restore_switches(wanted: Document) -> None:
    model = get_waffle_switch_model()
    there = {switch.name: switch for switch in model.objects.all()}
    for name, switch in there.items():
        if name not in wanted["switches"]:
            switch.delete()
    for name, active in wanted["switches"].items():
        switch = there.get(name) or model(name=name, active=not active)
        if switch.active != active:
            switch.active = active
            switch.save()

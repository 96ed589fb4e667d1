"""Document -> rows: flags with their variants and rules."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from flags.document.export import PERCENT, PPM_OF_PERCENT, Json, inactive, percent_rule_of
from flags.document.problems import row_problem
from flags.document.rows import fit, save_changed
from flags.engine import Document, DocumentError
from flags.engine.problems import Path
from flags.engine.times import datetime_of_ms, moment_ms
from flags.models import Flag, Rule, Variant
from flags.models.flag import ON_OFF, Kind

_PPM_OF_TENTH: Final = 1_000


def flag_rows(document: Document) -> dict[str, Flag]:
    """Unsaved rows that say what the document does, by name: what only a request decides is unset.

    Their primary keys are negative.
    """
    rows = {}
    for index, (name, flag) in enumerate(document["flags"].items(), start=1):
        row = Flag(pk=-index, name=name)
        _restore_flag(row, cast(Json, flag))
        rows[name] = row
    return rows


def restore_flags(wanted: Document) -> None:
    """Make the tables of flags, variants and rules say what the document says."""
    model = Flag
    model._base_manager.exclude(name__in=wanted["flags"]).delete()
    there = {flag.name: flag for flag in model.objects.all()}
    variants: list[Variant] = []
    rules: list[Rule] = []
    for name, flag in wanted["flags"].items():
        row = there.get(name) or model(name=name)
        before = dict(row.__dict__)
        rest = _restore_flag(row, cast(Json, flag))
        fit(row, "flags", name)
        save_changed(row, before)
        values = flag["variants"]
        if not (row.kind == Kind.BOOL and values == ON_OFF and not row.off_variant):
            variants += [Variant(flag=row, key=key, value=value) for key, value in values.items()]
        rules += [_rule_row(row, position, rule) for position, rule in enumerate(rest)]
    Variant.objects.all().delete()
    Rule.objects.all().delete()
    Variant.objects.bulk_create(variants, batch_size=500)
    Rule.objects.bulk_create(rules, batch_size=500)


def _restore_flag(row: Flag, flag: Json) -> list[Json]:
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
    if row.everyone is False and inactive(row, values) != force:
        message = "A boolean flag is forced to the false variant that it serves when it is off."
        raise DocumentError([row_problem(("flags", row.name, "force"), force, message)])
    return _restore_percent(row, flag)


def _restore_percent(row: Flag, flag: Json) -> list[Json]:
    """Take a last rule that says what waffle's percentage says into its column."""
    rules: list[Json] = flag["rules"]
    last = rules[-1] if rules else {}
    if last.get("id") != PERCENT:
        return rules
    variant, when = last["serve"].get("variant"), last["when"]
    to = when[0].get("to", 0) if when else 0
    is_percent = (
        last == percent_rule_of(row.salt, to, variant)
        and 0 < to < 100 * PPM_OF_PERCENT
        and to % _PPM_OF_TENTH == 0
        and not (row.everyone and row.active_variant != variant)
        and (row.kind != Kind.BOOL or flag["variants"][variant] is True)
    )
    if not is_percent:
        return rules
    row.active_variant = variant
    row.percent = Decimal(to) / PPM_OF_PERCENT
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
        raise DocumentError([row_problem(path, value, message)]) from None

"""Document -> rows."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from waffle import get_waffle_switch_model

from flags.document.export import Json, included, not_excluded
from flags.document.problems import row_problem
from flags.document.restore_flags import restore_flags
from flags.document.rows import fit, save_changed
from flags.engine import Document, DocumentError
from flags.engine.problems import MAX_PROBLEMS, Problem
from flags.models import AccountOverride, Segment, Trait
from flags.models.keys import EXCLUDED, INCLUDED
from flags.registry import sections


@transaction.atomic
def restore(wanted: Document) -> None:
    """Make the tables say what the document says.

    Facts about accounts stay, and of each flag that stays what only a request decides. Raises
    DocumentError, with nothing changed, where a fact about an account would go with its flag or its
    segment, and for what no row can hold: a text longer than its column, a moment outside the years
    1 to 9999, and a boolean flag forced to a false variant other than the one that it serves when
    off.
    """
    lost = facts_lost(wanted)
    if lost:
        raise DocumentError(lost[:MAX_PROBLEMS])
    _restore_traits(wanted)
    _restore_segments(wanted)
    restore_flags(wanted)
    _restore_switches(wanted)
    for name, section in wanted["sections"].items():
        sections()[name].restore(section)


def restored(wanted: Document, now: Json) -> Json:
    """What the tables would say after that, which say `now`; nothing is written."""
    parts = {
        name: sections()[name].restored(now["sections"][name], section)
        for name, section in wanted["sections"].items()
    }
    return {**wanted, "number": None, "sections": {**now["sections"], **parts}}


def facts_lost(wanted: Document) -> list[Problem]:
    """The facts about accounts that would go with flags and segments that it lacks."""
    overrides = AccountOverride.objects.exclude(flag__name__in=wanted["flags"])
    lost = [
        row_problem(("flags", flag), flag, f"It would go, and {key} has an override of it.")
        for flag, key in overrides.order_by("flag__name", "account__key", "pk").values_list(
            "flag__name", "account__key"
        )
    ]
    long = Segment.objects.exclude(key__in=wanted["segments"]).filter(members__isnull=False)
    lost += [
        row_problem(("segments", key), key, "It would go, and with it its long list of accounts.")
        for key in long.distinct().values_list("key", flat=True)
    ]
    return lost


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
        save_changed(row, before)


def _without_lists(key: str, rules: Any) -> tuple[bool, Any]:
    """Whether the export added the segment's long lists to its rules, and the rules without."""
    out = not_excluded(key)
    if rules[:1] != [[*included(key), out]] or any(group[-1] != out for group in rules):
        return False, rules
    return True, [group[:-1] for group in rules[1:]]


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

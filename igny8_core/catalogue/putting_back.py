"""What a model put back takes with it, and what going back makes of its prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from igny8_core.catalogue.section import Json, moment_of, moment_text

_TICK: Final = timedelta(microseconds=1)


def partners(table: str, model_id: str, now: Json, before: Json) -> list[str]:
    """The models whose place as a type's default this one takes or leaves."""
    if table != "models":
        return []
    sides = [side for side in (now.get(model_id), before.get(model_id)) if side]
    types = {side["model_type"] for side in sides if side["is_default"]}
    return [
        other
        for other in now.keys() & before.keys()
        if other != model_id
        and now[other]["is_default"] != before[other]["is_default"]
        and {now[other]["model_type"], before[other]["model_type"]} & types
    ]


def restored_prices(
    there: Mapping[str, Json], wanted: Mapping[str, Json], now: datetime
) -> dict[str, Json]:
    """A model's prices after going back: those that have begun stay.

    Before its first price a model has no past to change.
    """
    if not there:
        return dict(wanted)
    begun = {moment: price for moment, price in there.items() if moment_of(moment) <= now}
    before = [moment for moment in sorted(wanted) if moment_of(moment) <= now]
    made = dict(begun)
    if before and (not begun or not is_same_price(begun[max(begun)], wanted[before[-1]])):
        last = max(map(moment_of, begun), default=now - _TICK)
        made[moment_text(max(now, last + _TICK))] = wanted[before[-1]]
    return made | {moment: price for moment, price in wanted.items() if moment not in before}


def is_same_price(one: Json, other: Json) -> bool:
    """Whether two prices charge the same."""
    return all(one[name] == other[name] for name in ("currency", "is_free", "lines"))

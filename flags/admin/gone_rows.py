"""Rows of a posted form that somebody has deleted meanwhile: they are posted as new ones."""

from __future__ import annotations

import re
from typing import Any

from flags.admin.edits import Part


def with_gone_rows_anew(post: Any, part: Part) -> Any:
    """The POST with those rows of the part after the others and without their keys.

    Django takes the first rows for stored ones, and refuses a key that is none.
    """
    if not part.row_key:
        return post
    is_row = re.compile(rf"{re.escape(part.name)}-(\d+)-(.+)")
    rows: dict[int, dict[str, list[str]]] = {}
    for name in post:
        found = is_row.fullmatch(name)
        if found:
            rows.setdefault(int(found[1]), {})[found[2]] = post.getlist(name)
    there = {
        value
        for name, values in part.values.items()
        if name.endswith(f"-{part.row_key}")
        for value in values
    }

    def is_gone(row: dict[str, list[str]]) -> bool:
        keys = row.get(part.row_key, [""])
        return keys != [""] and there.isdisjoint(keys)

    ordered = [rows[number] for number in sorted(rows)]
    gone = [row for row in ordered if is_gone(row)]
    if not gone:
        return post
    anew = [{**row, part.row_key: [""]} for row in gone if "DELETE" not in row]
    kept = [row for row in ordered if not is_gone(row)]
    made = post.copy()
    for name in [name for name in post if is_row.fullmatch(name)]:
        del made[name]
    for number, row in enumerate([*kept, *anew]):
        for name, values in row.items():
            made.setlist(f"{part.name}-{number}-{name}", values)
    stored = sum(row.get(part.row_key, [""]) != [""] for row in kept)
    made[f"{part.name}-INITIAL_FORMS"] = str(stored)
    made[f"{part.name}-TOTAL_FORMS"] = str(len(kept) + len(anew))
    return made

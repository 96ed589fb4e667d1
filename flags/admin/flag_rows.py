"""What is wrong with a flag's variants and rules, by the row that it is about."""

from __future__ import annotations

from collections import defaultdict

from flags import publishing
from flags.admin.forms import RowProblems
from flags.admin.problems import PlacedProblem, problems_of
from flags.models import Variant

_RULE_FIELDS = {
    "id": "rule_id",
    "name": "name",
    "when": "when",
    "from": "starts_at",
    "until": "ends_at",
    "group": "group",
    "serve": "serve",
}


def row_of(error: Exception | None, flag: str, problem: PlacedProblem) -> str:
    """The key of the variant, or the id of the rule, that a flag's problem is about."""
    rows, row = problem.parts[:2]
    if rows == "variants" or not isinstance(error, publishing.Unpublishable):
        return row
    rule_id: str = error.document["flags"][flag]["rules"][int(row)]["id"]
    return rule_id


def row_problems(error: Exception | None, flag: str, model: type) -> RowProblems:
    """By the row's key and its field, what is wrong with a flag's variants, or with its rules."""
    rows = "variants" if model is Variant else "rules"
    found: defaultdict[str, defaultdict[str | None, list[PlacedProblem]]]
    found = defaultdict(lambda: defaultdict(list))
    for problem in problems_of(error) if error else ():
        own = problem.within("flags", flag)
        if own is None or own.parts[:1] != (rows,) or len(own.parts) == 1:
            continue
        field = _RULE_FIELDS.get(own.parts[2]) if len(own.parts) > 2 else None  # noqa: PLR2004
        placed = own._replace(parts=own.parts[3:])
        found[row_of(error, flag, own)]["value" if model is Variant else field].append(placed)
    return found

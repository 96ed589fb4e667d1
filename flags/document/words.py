"""Rules, clauses and values in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, TypeVar, cast

_OPERATORS: Final = {
    "in": "is",
    "lt": "<",
    "le": "≤",
    "gt": ">",
    "ge": "≥",
    "prefix": "starts with",
    "suffix": "ends with",
    "contains": "contains",
    "glob": "looks like",
    "cidr": "is in the network",
    "within": "is within the last",
}
_SHOWN: Final = 5
Json = Mapping[str, Any]
_Words = TypeVar("_Words", bound=Callable[..., str])
# What words meet in an entry that is held back, because it is none.
_NO_ENTRY: Final = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)


def _or_json(words: _Words) -> _Words:
    """What cannot be said in words is shown as JSON."""

    @wraps(words)
    def told(entry: Any) -> str:
        try:
            return words(entry)
        except _NO_ENTRY:
            return json.dumps(entry, default=str, ensure_ascii=False)

    return cast(_Words, told)


def value_text(value: Any) -> str:
    """A variant's value: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def state_text(flag: Json) -> str:
    """`on`, `off`, or what it is forced to."""
    if flag["force"] is not None:
        return f"forced to {flag['force']}"
    return "on" if flag["on"] else "off"


@_or_json
def rule_text(rule: Json) -> str:
    """`when … serve …`."""
    when = " and ".join(clause_text(clause) for clause in rule["when"]) or "always"
    window = "".join(
        f", {word} {rule[key]}" for word, key in (("from", "from"), ("until", "until")) if rule[key]
    )
    return f"{when}{window} → {serve_text(rule['serve'])}"


@_or_json
def serve_text(serve: Json | None) -> str:
    """What a rule or a default serves, a split in percent."""
    if serve is None:
        return "nothing"
    if "variant" in serve:
        return str(serve["variant"])
    weights = serve["split"]
    return ", ".join(
        f"{_share(weight / sum(weights.values()))} {variant}" for variant, weight in weights.items()
    )


@_or_json
def requirement_text(required: Json) -> str:
    """A flag that another requires, and which of its variants."""
    variants = required.get("variants")
    return str(required["flag"]) + (f" ({' or '.join(variants)})" if variants else "")


@_or_json
def groups_text(groups: list[list[Json]]) -> str:
    """Groups of clauses, of which one must hold."""
    return " or ".join(f"({' and '.join(map(clause_text, group))})" for group in groups)


@_or_json
def clause_text(clause: Json) -> str:
    """A clause of a rule in words."""
    words = _clause(clause)
    return f"not ({words})" if clause.get("not") else words


def _clause(clause: Json) -> str:
    op = clause["op"]
    if op == "exists":
        return f"{clause['trait']} is given"
    if op == "any":
        return groups_text(clause["values"])
    if op in {"segment", "flag"}:
        return f"{op} {_some(clause['values'])}"
    if op == "share":
        return _share_text(clause)
    folded = ", in any case" if clause.get("fold") else ""
    return f"{clause['trait']} {_OPERATORS[op]} {_some(clause['values'])}{folded}"


def _share_text(clause: Json) -> str:
    start, end = clause.get("from", 0), clause["to"]
    size = _share((end - start) / 1_000_000)
    first = f" from {_share(start / 1_000_000)}" if start else ""
    ramp = ", rising" if clause.get("ramp") else ""
    by = f" by {clause['by']}" if clause.get("by") else ""
    return f"{size} of {clause['salt']}{first}{by}{ramp}"


def _share(part: float) -> str:
    return f"{part * 100:.4f}".rstrip("0").rstrip(".") + " %"


def _some(values: list[Any]) -> str:
    shown = [value_text(value) for value in values[:_SHOWN]]
    more = len(values) - _SHOWN
    return " or ".join(shown) + (f" or {more:,} more" if more > 0 else "")


def rule_words(rule: Mapping[str, Any]) -> str:
    """A rule by its name, or by its id where it has none."""
    name = rule.get("name")
    return f"rule “{name}”" if name else f"rule {rule['id']}"

"""A decision in plain words, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from flags.document.words import Json, clause_text, serve_text, value_text
from flags.engine import Decision, Document, Reason
from flags.engine.decision import Look, Step, Verdict

_WHY: Final = {
    Reason.FORCED: "it is forced for everyone",
    Reason.OFF: "the flag is off",
    Reason.PREREQUISITE: "a flag that it requires was not decided so",
    Reason.OVERRIDE: "an operator's override",
    Reason.RULE: "its rule {rule} matches",
    Reason.DEFAULT: "no rule matches, so its default serves",
    Reason.ABSTAINED: "no rule matches, and it has no default",
    Reason.ERROR: "there is no such flag",
}
_VERDICTS: Final = {
    Verdict.TAKEN: "taken",
    Verdict.MET: "met",
    Verdict.NOT_MATCHED: "does not match",
    Verdict.UNKNOWN: "cannot be known",
    Verdict.NOT_YET: "has not begun",
    Verdict.OVER: "is over",
    Verdict.UNUSABLE: "serves what cannot be used",
    Verdict.NO_BUCKET: "there is nothing to deal the account by",
    Verdict.NO_VARIANT: "nothing to serve",
}


def why(decision: Decision) -> str:
    """The reason, and what it means."""
    if decision.reason is Reason.SPLIT:
        whose = f"its rule {decision.rule}" if decision.rule else "its default"
        meaning = f"the split of {whose}"
    else:
        meaning = _WHY[decision.reason].format(rule=decision.rule)
    through = f", through the segment {decision.segment}" if decision.segment else ""
    return f"{decision.reason}: {meaning}{through}"


def answer(decision: Decision) -> str:
    """What is served: the variant and its value."""
    if decision.variant is None:
        return "nothing"
    return f"{decision.variant} = {value_text(decision.value)}"


def steps(decision: Decision, document: Document) -> Iterator[str]:
    """The trail, a line a step, and below it the clauses that were looked at."""
    flag = document["flags"].get(decision.flag)
    rules: dict[str | None, Any] = {rule["id"]: rule for rule in flag["rules"]} if flag else {}
    for step in decision.trail:
        rule = rules.get(step.rule, {})
        yield _step(step, rule, flag)
        for look in step.looks:
            yield from _looks(look, {**rule, "segments": document["segments"]}, "  ")


def _step(step: Step, rule: Json, flag: Json | None) -> str:
    name = f" “{rule['name']}”" if rule.get("name") else ""
    what = {
        Reason.RULE: f"rule {step.rule}{name}",
        Reason.SPLIT: f"rule {step.rule}{name}" if step.rule else "default",
        Reason.PREREQUISITE: f"requires {step.detail}",
    }.get(step.reason, step.reason.lower())
    removed = "".join(f"; without {variant}, {reason}" for variant, reason in step.removed)
    verdict = _VERDICTS[step.verdict]
    if step.verdict is Verdict.NO_VARIANT and step.variant:
        verdict = f"there is no variant {step.variant}"
    elif step.verdict is Verdict.UNUSABLE and step.variant:
        verdict = f"serves {step.variant}, which cannot be used: {step.detail}"
    elif step.variant and flag:
        value = value_text(flag["variants"][step.variant])
        shown = "" if value == step.variant else f" = {value}"
        verdict = f"{verdict}, serves {step.variant}{shown}"
    serve = rule.get("serve") or (flag and flag["default"])
    if step.reason is Reason.SPLIT and serve and "split" in serve:
        verdict = f"{verdict}, of {serve_text(serve)}"
    return f"{what}: {verdict}{removed}"


def _looks(look: Look, root: Json, indent: str) -> Iterator[str]:
    if look.op == "segment" and len(look.inside) == 1 and look.inside[0].holds is look.holds:
        look = look.inside[0]
    truth = {True: "true", False: "false", None: "unknown"}[look.holds]
    yield f"{indent}{_look(look, root)}: {truth}"
    for each in look.inside:
        yield from _looks(each, root, indent + "  ")


def _look(look: Look, root: Json) -> str:
    if look.path.startswith("/requires"):
        return f"it was {_seen(look.seen)}"
    if look.op == "segment" and look.trait is not None:
        return f"segment {look.trait}" + (f", {look.seen}" if look.seen else "")
    words = clause_text(_at(look.path, root))
    if look.bucket is not None and look.range is not None:
        return f"{words}: bucket {look.bucket:,}, share {look.range[0]:,} to {look.range[1]:,}"
    return words if look.inside else f"{words}, saw {_seen(look.seen)}"


def _seen(value: object) -> str:
    if value is None:
        return "nothing"
    return value_text(value) if isinstance(value, _PLAIN) else str(value)


_PLAIN: Final = (str, int, float, bool, list, dict)


def _at(path: str, root: Json) -> Any:
    """What a trail's pointer points at: in its rule, or in the document's segments."""
    found: Any = root
    for part in path.split("/")[1:]:
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def to_json(decision: Decision) -> dict[str, Any]:
    """The decision for `--json`, its trail where it has one."""
    found = decision._asdict()
    trail = found.pop("trail")
    if trail:
        found["trail"] = [
            {**step._asdict(), "looks": [_look_json(look) for look in step.looks]} for step in trail
        ]
    return found


def _look_json(look: Look) -> dict[str, Any]:
    return {**look._asdict(), "inside": [_look_json(each) for each in look.inside]}

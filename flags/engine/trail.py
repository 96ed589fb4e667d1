"""The trail: every step of a flag's order, and why each was passed over or taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flags.engine.bucketing import bucket, seed_of
from flags.engine.clauses import CompiledClause, Members, share_range
from flags.engine.decider import CompiledRule, Plan
from flags.engine.decision import Ask, Look, Override, Reason, Step, Usable, Verdict
from flags.engine.document import Serve, VariantServe
from flags.engine.traits import KEY


class Question(NamedTuple):
    """What `evaluate` was asked, and the segments that a clause may name."""

    key: str | None
    traits: Mapping[str, Any]
    now_ms: int
    ask: Ask
    usable: Usable | None
    segments: Mapping[str, Members]

    def value(self, trait: str) -> object:
        return self.key if trait == KEY else self.traits.get(trait)


def explain(plan: Plan, question: Question, override: Override | None) -> Iterator[Step]:
    """Ends with the step that was taken, or that ended the questions with nothing to serve."""
    flag = plan.flag
    if flag["force"] is not None:
        yield _fixed(plan, question, Reason.FORCED, flag["force"])
        return
    if not flag.get("on", True):
        yield _fixed(plan, question, Reason.OFF, flag["off"])
        return
    for index, required in enumerate(plan.requires):
        answer = question.ask(required.flag)
        met = required.holds(answer)
        look = Look(f"/requires/{index}", "flag", None, answer.variant, met)
        if not met:
            step = _fixed(plan, question, Reason.PREREQUISITE, flag["off"])
            yield step._replace(looks=(look,), detail=step.detail or required.flag)
            return
        yield Step(Reason.PREREQUISITE, Verdict.MET, looks=(look,), detail=required.flag)
    variant = None if override is None else override(plan.key)
    if variant is not None:
        known = variant if variant in flag["variants"] else None
        yield _fixed(plan, question, Reason.OVERRIDE, known)._replace(variant=variant)
        return
    for rule in plan.rules:
        step = _rule(plan, question, rule)
        yield step
        if step.verdict is Verdict.TAKEN:
            return
    if flag["default"] is None:
        yield Step(Reason.ABSTAINED, Verdict.NO_VARIANT)
    else:
        yield _served(plan, question, flag["default"], Reason.DEFAULT)


def _fixed(plan: Plan, question: Question, reason: Reason, variant: str | None) -> Step:
    if variant is None:
        return Step(reason, Verdict.NO_VARIANT)
    serve: VariantServe = {"variant": variant}
    return _served(plan, question, serve, reason)


def _rule(plan: Plan, question: Question, compiled: CompiledRule) -> Step:
    rule_id = compiled.rule["id"]
    if compiled.start is not None and question.now_ms < compiled.start:
        return Step(Reason.RULE, Verdict.NOT_YET, rule_id)
    if compiled.end is not None and question.now_ms >= compiled.end:
        return Step(Reason.RULE, Verdict.OVER, rule_id)
    looks = []
    for index, each in enumerate(compiled.clauses):
        look = _look(question, each, f"/when/{index}")
        if not look.holds:
            verdict = Verdict.UNKNOWN if look.holds is None else Verdict.NOT_MATCHED
            return Step(Reason.RULE, verdict, rule_id, looks=(look,))
        looks.append(look)
    step = _served(plan, question, compiled.rule["serve"], Reason.RULE)
    return step._replace(rule=rule_id, looks=tuple(looks))


def _served(plan: Plan, question: Question, serve: Serve, reason: Reason) -> Step:
    """The step that serves, where what it serves can be used."""
    values, usable = plan.flag["variants"], question.usable
    if "variant" in serve:
        variant = serve["variant"]
        refusal = None if usable is None else usable(values[variant])
        verdict = Verdict.TAKEN if refusal is None else Verdict.UNUSABLE
        return Step(reason, verdict, variant=variant, detail=refusal)
    if not isinstance(question.value(serve.get("by", KEY)), str):
        return Step(Reason.SPLIT, Verdict.NO_BUCKET)
    refusals = [] if usable is None else [(each, usable(values[each])) for each in serve["split"]]
    removed = tuple((each, refusal) for each, refusal in refusals if refusal is not None)
    verdict = Verdict.UNUSABLE if len(removed) == len(serve["split"]) else Verdict.TAKEN
    return Step(Reason.SPLIT, verdict, removed=removed)


def _look(question: Question, compiled: CompiledClause, path: str) -> Look:
    clause = compiled.clause
    key, traits, now_ms, ask = question.key, question.traits, question.now_ms, question.ask
    holds = compiled.holds(key, traits, now_ms, ask)
    look = Look(path, clause["op"], None, None, holds)
    if clause["op"] == "any":
        return look._replace(inside=_groups(question, compiled.groups, f"{path}/values"))
    if clause["op"] == "segment":
        inside = (
            _segment(question, each, f"{path}/values/{index}")
            for index, each in enumerate(clause["values"])
        )
        return look._replace(inside=tuple(inside))
    if clause["op"] == "flag":
        answers = {each: ask(each.partition("=")[0]).variant for each in clause["values"]}
        return look._replace(seen=answers)
    if clause["op"] == "share":
        by = clause.get("by", KEY)
        value = question.value(by)
        at = bucket(seed_of(clause["salt"]), value) if isinstance(value, str) else None
        return look._replace(trait=by, seen=value, bucket=at, range=share_range(clause, now_ms))
    return look._replace(trait=clause["trait"], seen=question.value(clause["trait"]))


def _segment(question: Question, name: str, path: str) -> Look:
    members = question.segments[name]
    listed = None if question.key is None else members.listed.get(question.key)
    seen = {True: "included", False: "excluded", None: None}[listed]
    holds = members.holds(question.key, question.traits, question.now_ms, question.ask)
    inside = () if seen else _groups(question, members.groups, f"/segments/{name}/rules")
    return Look(path, "segment", name, seen, holds, inside=inside)


def _groups(
    question: Question, groups: tuple[tuple[CompiledClause, ...], ...], path: str
) -> tuple[Look, ...]:
    """Of each group the first clause that does not hold; of one that holds, all of them."""
    decided: list[Look] = []
    for number, group in enumerate(groups):
        looks: list[Look] = []
        for at, each in enumerate(group):
            look = _look(question, each, f"{path}/{number}/{at}")
            looks = [*looks, look] if look.holds else [look]
            if not look.holds:
                break
        decided += looks
    return tuple(decided)

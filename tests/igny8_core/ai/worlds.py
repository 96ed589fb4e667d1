"""Documents and accounts as the cases write them, and what the resolver says of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flags.accounts.facts import Facts
from flags.document.check import checked
from flags.engine import compile  # noqa: A004  (the word for it)
from flags.engine.times import microseconds
from flags.live.snapshot import Snapshot, Source
from igny8_core.ai.candidates import SnapshotCandidates
from igny8_core.ai.trail import trail
from igny8_core.catalogue.section import compile_section
from igny8_core.tasks.needs import Needs
from tests.igny8_core.ai.reference import Account, Asked, Look

Json = Mapping[str, Any]
NEVER = 2**63
PREFERENCES = "preferences"


def changed(base: Any, changes: Json) -> Any:
    """The document with what stands at each JSON pointer."""
    document = copy.deepcopy(base)
    for pointer, value in changes.items():
        *parents, last = pointer.split("/")[1:]
        target = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        target[last] = value
    return document


def account_of(case: Json) -> Account:
    said = case.get("account", {})
    overrides = {
        flag: (variant, NEVER if expires is None else milliseconds(expires))
        for flag, (variant, expires) in said.get("overrides", {}).items()
    }
    return Account(
        said.get("key", "acme"), said.get("traits", {}), overrides, said.get("preference")
    )


def asked_of(case: Json, at: str) -> Asked:
    return Asked(
        case.get("task", "generate_content"),
        case.get("needs", {}),
        case.get("model"),
        case.get("keep"),
        datetime.fromisoformat(case.get("at", at)),
    )


def milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def snapshot_of(document: Any) -> Snapshot:
    """As a process has it, of a document that could be published."""
    document = checked(document)
    catalogue: Any = document["sections"]["catalogue"]
    return Snapshot(
        1,
        "",
        Source.DATABASE,
        compile(document),
        {"catalogue": compile_section(catalogue)},
        {},
        {},
        {},
    )


def answer(snapshot: Snapshot, account: Account, asked: Asked) -> tuple[str | None, list[Look]]:
    """What the resolver says, in the reference's words; with and without its trail it is the same.

    (A flag that abstains is a DEFAULT without a model.)
    """
    host = {PREFERENCES: {"text": account.preference}} if account.preference else {}
    said = {flag: variant for flag, (variant, _) in account.overrides.items()}
    expiries = {
        flag: expires for flag, (_, expires) in account.overrides.items() if expires != NEVER
    }
    facts = Facts(account.key, account.traits, said, expiries, host)
    needs = Needs(**asked.needs) if asked.needs else None
    now = microseconds(asked.at)
    offered = SnapshotCandidates(snapshot).of_task(asked.task, needs, now)
    options: Any = {"pinned": asked.model, "kept": asked.keep}
    steps = trail(offered, facts, now // 1000, **options)
    chosen = offered.choose(facts, now // 1000, **options)
    told = steps[-1]
    if chosen is None:
        assert told.refusal is not None
    else:
        reason, choice, decision = chosen
        assert (reason, choice.asked, None) == (told.candidate, told.model_id, told.refusal)
        assert (decision and decision.rule) == (told.decision and told.decision.rule)
    looks = [(step.candidate.value, step.model_id, _text(step.refusal)) for step in steps]
    return chosen and chosen[1].model.model_id, looks


def _text(refusal: Any) -> str | None:
    return None if refusal is None else str(refusal.value)

"""Resolves a receipt's question again, by what its revision says and what the receipt keeps."""

from __future__ import annotations

from collections.abc import Mapping

from flags.accounts import Facts
from flags.engine.times import microseconds
from igny8_core.ai.candidates import SnapshotCandidates
from igny8_core.ai.replay.asked import Asked
from igny8_core.ai.resolution import Reason, Refusal, Resolution
from igny8_core.catalogue.names import REACH
from igny8_core.errors import AIError
from igny8_core.modules.usage.erased import ERASED
from igny8_core.modules.usage.models import Receipt


class AccountErased(AIError):
    code = "account_erased"

    def __init__(self) -> None:
        super().__init__("Its account was erased, and what was known of it.")


def asked_of(receipt: Receipt) -> Asked:
    """An older receipt does not say which model its run kept: where one was, it has it."""
    asked = Asked.from_json(receipt.asked)
    if asked.at_us is None and receipt.reason == Reason.KEPT:
        return asked._replace(keep=receipt.replaces or receipt.model_asked)
    return asked


def at_us_of(receipt: Receipt, asked: Asked) -> int:
    """When it was resolved; an older receipt says when it was opened, which is a moment later."""
    return microseconds(receipt.created_at) if asked.at_us is None else asked.at_us


def resolved_again(receipt: Receipt, of_snapshot: SnapshotCandidates) -> Resolution | None:
    """None where nothing is usable; raises AccountErased, UnknownTask."""
    if receipt.account_facts == ERASED:
        raise AccountErased
    asked = asked_of(receipt)
    at_us = at_us_of(receipt, asked)
    facts = Facts.from_json(receipt.account.key, receipt.account_facts)
    refused = {model_id: Refusal(why) for model_id, why in receipt.refused.items()}
    origins = None if asked.astray is None else _origins(of_snapshot, facts, asked)
    candidates = of_snapshot.of_task(receipt.task, asked.needs, at_us, origins)
    chosen = candidates.choose(facts, at_us // 1000, asked.model, asked.keep, refused)
    return chosen and Resolution(candidates, facts, chosen, at_us, None, refused)


def _origins(of_snapshot: SnapshotCandidates, facts: Facts, asked: Asked) -> Mapping[str, str]:
    """A key that was not astray was set for the address in use, whatever it is by now."""
    keys: Mapping[str, str] = facts.host.get(REACH, {}).get("keys", {})
    own = {name: origin for name, origin in keys.items() if name not in (asked.astray or ())}
    elsewhere = {name: f"not {keys[name]}" for name in asked.astray or ()}
    return {**of_snapshot.origins, **own, **elsewhere}

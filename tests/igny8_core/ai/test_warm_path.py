"""What a question of a warm process touches: memory alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from pytest_django import Settings

from flags.accounts.lookup import facts_of
from flags.decisions import decide
from flags.models import AccountOverride, Flag, Rule, Variant
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account

TASK = "generate_content"
# Where a database, a cache server, settings or a lock would be asked.
ELSEWHERE = ("/django/db/backends/", "/django/conf/", "/django/core/cache/", "/redis/", "/queue.py")
LOCKS = {"acquire", "release", "__enter__", "wait"}


def touched(call: Callable[[], object]) -> tuple[set[str], set[str]]:
    """The files of every Python function that runs meanwhile, and the names of those in C."""
    files: set[str] = set()
    names: set[str] = set()

    def see(frame: FrameType, event: str, what: Any) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)
        elif event == "c_call":
            names.add(what.__name__)

    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(None)
    return files, names


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_warm_path__of_every_asker__touches_no_query_server_lock_or_setting(
    acme: Account, bolt: Account, settings: Settings
) -> None:
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="next", value="gpt-5.2")
    Rule.objects.create(
        flag=flag,
        when=[{"op": "share", "salt": "s", "from": 0, "to": 500_000}],
        serve={"variant": "next"},
    )
    AccountOverride.objects.create(account=bolt, flag=flag, variant="next", reason="why")

    def ask() -> None:
        for account in (acme, bolt):
            resolve(account, TASK)
            decide("text", account)
        ModelRegistry.get_model("gpt-5.2")
        ModelRegistry.catalogue()

    def ask_anew() -> None:
        """With no answer held."""
        for account in (acme, bolt):
            facts_of(account).held = None
        ask()

    ask()
    for name in ("POLL_S", "REDIS_URL", "SNAPSHOT_FILE", "FACTS_TTL_S", "FACTS_KEPT"):
        delattr(settings, f"FLAGS_{name}")  # to read one is an AttributeError
    for question in (ask, ask_anew):
        files, names = touched(question)
        assert any(file.endswith("ai/resolver.py") for file in files)
        assert not [file for file in files if any(each in file for each in ELSEWHERE)]
        assert not names & LOCKS

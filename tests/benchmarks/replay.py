"""10,000 random receipts over 300 revisions replayed, before and after going back: `python -m`.

A few minutes, so it is no part of `make bench`; two numbers after it are other numbers of receipts
and revisions. Exit status 1 where a replay differs, or is not whole.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from tempfile import TemporaryDirectory

import django


def main(receipts: int, revisions: int) -> int:
    with TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/replay.sqlite3"
        os.environ |= {"REDIS_URL": "", "DJANGO_SETTINGS_MODULE": "igny8_core.settings"}
        django.setup()
        logging.disable(logging.CRITICAL)
        return _measure(receipts, revisions)


def _measure(number: int, revisions: int) -> int:
    from django.core.management import call_command

    from igny8_core.modules.usage.models import Receipt
    from tests.igny8_core.ai.replay.random_world import World

    call_command("migrate", verbosity=0)
    world, made = World(7, accounts=100), 0
    used: set[int | None] = set()
    began_s = time.perf_counter()
    while len(used) < revisions or made < number:
        world.change()
        if world.random.random() < 0.1:
            world.roll_back()
        each = -(-number // revisions)
        calls = [receipt for _ in range(each) if (receipt := world.call())]
        made += len(calls)
        used |= {receipt.revision for receipt in calls}
    print(f"{made:,} receipts over {len(used)} revisions: {time.perf_counter() - began_s:.0f} s")
    for name in ("reason", "status"):
        print(f"by {name}:", dict(Counter(Receipt.objects.values_list(name, flat=True))))
    faults = _replayed("replayed")
    world.roll_back()
    return 1 if faults + _replayed("replayed after going back") else 0


def _replayed(words: str) -> int:
    """How many do not agree, or are not whole."""
    from flags import live
    from igny8_core.ai.candidates import SnapshotCandidates
    from igny8_core.ai.replay.comparing import replay
    from igny8_core.modules.usage.models import Receipt

    rows = Receipt.objects.select_related("account", "price__model").order_by("revision", "pk")
    faults, items, known = 0, 0, None
    began_s = time.perf_counter()
    for receipt in rows:
        if known is None or known.snapshot.number != receipt.revision:
            known = SnapshotCandidates(live.at_revision(receipt.revision or 0))
        found = replay(receipt, known)
        items += len(found.items)
        if found.missing or not found.agrees:
            faults += 1
            print(receipt.pk, found.missing, [each for each in found.items if not each.agrees])
    took_s = time.perf_counter() - began_s
    print(f"{words}: {items:,} items, {faults} faults, {took_s:.1f} s", flush=True)
    return faults


def _numbers(words: Sequence[str]) -> tuple[int, int]:
    return (int(words[0]), int(words[1])) if words else (10_000, 300)


if __name__ == "__main__":
    sys.exit(main(*_numbers(sys.argv[1:])))

"""`make soak`: what processes that only follow keep in memory, after many revisions and accounts.

Two followers resolve while revisions are published, and then meet many accounts. Their memory ends
within a fifth of where it began, each time. `python -m` this, with how many revisions and accounts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import django

REVISIONS: Final = 10_000
ACCOUNTS: Final = 1_000_000
FOLLOWERS: Final = 2
_MOST: Final = 1.2
_FLAG: Final = "long-life"
# The first of either are met before the memory is measured, so that what grows once has grown.
_WARM: Final = 0.05


def main(revisions: int, accounts: int) -> int:
    with TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/life.sqlite3"
        os.environ |= {"REDIS_URL": "", "FLAGS_POLL_S": "0.05", "FLAGS_FACTS_KEPT": "10000"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        return _live(revisions, accounts)


def _live(revisions: int, accounts: int) -> int:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _prepare()
    followers = [_Follower() for _ in range(FOLLOWERS)]
    grown: dict[str, list[float]] = {"revisions": [], "accounts": []}
    warm = int(revisions * _WARM)
    _publish(warm)
    begun = [each.ask("rest") for each in followers]
    _publish(revisions - warm)
    print(f"{FOLLOWERS} followers", flush=True)
    for each, before in zip(followers, begun, strict=True):
        grown["revisions"].append(_grown(f"{revisions:,} revisions", before, each.ask("rest")))
    for each in followers:
        before = each.ask("meet", int(accounts * _WARM))
        after = each.ask("meet", accounts)
        grown["accounts"].append(_grown(f"{accounts:,} accounts", before, after))
    return 0 if all(max(ratios) <= _MOST for ratios in grown.values()) else 1


def _grown(what: str, before: dict[str, Any], after: dict[str, Any]) -> float:
    ratio: float = after["mib"] / before["mib"]
    print(f"{what}: {before['mib']} → {after['mib']} MiB, {ratio:.2f} of before", flush=True)
    return ratio


def _prepare() -> None:
    from flags import publishing
    from flags.models import Flag, Rule

    flag = Flag.objects.create(name=_FLAG)
    Rule.objects.bulk_create(
        Rule(flag=flag, rule_id=f"r{number}", position=number, when=_when(number), serve=_ON)
        for number in range(200)
    )
    publishing.publish()


_ON: Final = {"variant": "on"}


def _when(number: int) -> list[dict[str, Any]]:
    key = {"trait": "key", "op": "in", "values": [f"a{number}"]}
    return [key, {"op": "share", "salt": "s", "to": number % 1_000_000}]


def _publish(count: int) -> None:
    from flags import publishing
    from flags.models import Rule

    for number in range(count):
        with publishing.change(author="soak"):
            rule = Rule.objects.get(flag__name=_FLAG, rule_id=f"r{number % 200}")
            rule.when = _when(time.time_ns() % 1_000_000)
            rule.save()


class _Follower:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.long_life", "follow"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *words: object) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        print(*words, file=self._process.stdin, flush=True)
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


def _follow() -> None:
    """Answers `rest` (its memory, once it is current) and `meet N` (after N accounts)."""
    from threading import Thread

    django.setup()
    from flags import live
    from flags.models import Revision
    from igny8_core.ai.resolver import resolve
    from igny8_core.modules.accounts.models import Account

    accounts = [Account(key=f"a{number}", name="x", plan="pro") for number in range(200)]

    def work() -> None:
        while True:
            for account in accounts:
                resolve(account, "generate_content")
                time.sleep(0.001)

    Thread(target=work, daemon=True).start()
    for line in sys.stdin:
        word, *rest = line.split()
        for number in range(int(rest[0]) if word == "meet" else 0):
            resolve(Account(key=f"m{number}", name="x", plan="pro"), "generate_content")
        newest = Revision.objects.values_list("number", flat=True)[0]
        while live.current().number != newest:
            time.sleep(0.05)
        time.sleep(3)  # what a swap replaces is freed within seconds
        print(json.dumps({"mib": _mib(), "number": newest}), flush=True)


def _mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["follow"]:
            _follow()
        case []:
            sys.exit(main(REVISIONS, ACCOUNTS))
        case [revisions, accounts]:
            sys.exit(main(int(revisions), int(accounts)))

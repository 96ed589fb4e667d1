"""`make soak`: four processes decide for a minute while 300 changes are published.

Every process ends on the last revision, without an exception, and each answer that was noted is
what the revision that it names says. Exit status 1 otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any, Final

import django

WORKERS: Final = 4
CHANGES: Final = 300
SECONDS: Final = 60.0
ACCOUNTS: Final = 500
_FLAG: Final = "soak"
_NOTED_EVERY: Final = 97


def main() -> None:
    with TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/soak.sqlite3")
        os.environ.setdefault("REDIS_URL", "")
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        sys.exit(_soak())


def _soak() -> int:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _prepare()
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.soak", "worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WORKERS)
    ]
    last = _publish_changes()
    told = [json.loads(each.communicate(f"{last}\n")[0]) for each in workers]
    faults = [fault for each in told for fault in _faults(each, last)]
    for each in told:
        print(f"{each['asked']:,} answers, ends on revision {each['number']} of {last}")
    wrong = _wrong([answer for each in told for answer in each["noted"]])
    print(f"{sum(len(each['noted']) for each in told):,} answers compared with their revisions")
    for fault in (*faults, *wrong):
        print(fault, file=sys.stderr)
    return 1 if faults or wrong else 0


def _prepare() -> None:
    from django.db import transaction

    from flags import publishing
    from flags.models import Flag
    from flags.models.flag import Kind
    from flags.models.rule import Rule, Variant

    if Flag.objects.filter(name=_FLAG).exists():
        return
    with transaction.atomic():
        flag = Flag.objects.create(name=_FLAG, kind=Kind.STR, default={"split": {"a": 1, "b": 1}})
        for key in ("a", "b", "c"):
            Variant.objects.create(flag=flag, key=key, value=key)
        Rule.objects.create(flag=flag, when=_share(0), serve={"variant": "c"})
        publishing.publish(comment="soak")


def _share(to: int) -> list[dict[str, Any]]:
    return [{"op": "share", "salt": "soak", "from": 0, "to": to}]


def _publish_changes() -> int:
    """Evenly over the time; the number of the last revision."""
    from django.db import transaction

    from flags import publishing
    from flags.models import Rule

    started, number = time.monotonic(), 0
    for change in range(CHANGES):
        time.sleep(max(0.0, started + change * SECONDS / CHANGES - time.monotonic()))
        with transaction.atomic():
            rule = Rule.objects.get(flag__name=_FLAG)
            rule.when = _share(1_000 * (change + 1) + time.time_ns() % 1_000)
            rule.save()
            number = publishing.publish(comment=f"soak {change}").number
    return number


def _faults(told: dict[str, Any], last: int) -> list[str]:
    faults = [f"exception: {error}" for error in told["errors"]]
    if told["number"] != last:
        faults.append(f"a process ends on {told['number']}, not on {last}")
    return faults


def _wrong(noted: list[list[Any]]) -> list[str]:
    """Which answers are not those of the revision that they name, compiled anew."""
    from flags import publishing
    from flags.document.stored import content
    from flags.engine import Subject, compile  # noqa: A004  (the word for it)

    compiled: dict[int, Any] = {}
    found = []
    for number, account, variant in noted:
        if number not in compiled:
            compiled[number] = compile(content(publishing.revision(number)))
        wanted = compiled[number].evaluate(_FLAG, Subject(account), now=0).variant
        if wanted != variant:
            found.append(f"revision {number} gives {account} {wanted}, not {variant}")
    return found


def _worker() -> None:
    """Decide until the parent says which revision is the last, and this process has it."""
    import threading

    from flags import live
    from flags.engine import Subject
    from igny8_core.ai.resolver import resolve
    from igny8_core.modules.accounts.models import Account

    last: list[int] = []
    threading.Thread(target=lambda: last.append(int(sys.stdin.readline())), daemon=True).start()
    asked, noted, errors = 0, [], []
    ends_at = time.monotonic() + 2 * SECONDS
    while (not last or live.current().number != last[0]) and time.monotonic() < ends_at:
        account = f"account-{asked % ACCOUNTS}"
        try:
            ruleset = live.current().ruleset
            decision = ruleset.evaluate(_FLAG, Subject(account), now=0)
            resolve(Account(key=account, name=account), "generate_content")
        except Exception as error:  # noqa: BLE001 - told, and the soak fails
            errors.append(repr(error))
        if asked % _NOTED_EVERY == 0:
            noted.append([decision.number, account, decision.variant])
        asked += 1
    number = live.current().number
    print(json.dumps({"asked": asked, "number": number, "errors": errors[:5], "noted": noted}))


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        django.setup()
        _worker()
    else:
        main()

"""`make soak`: four processes decide for a minute while 300 changes are published.

Mixed in: rows written directly that do not check, stops of flags and of a provider, keys with a
NUL, settings that cannot be read, and a database that can only be read. Every process ends on the
last revision, without an exception; each answer that was noted is what the revision that it names
says; and no stop is older than the poll anywhere. Exit status 1 otherwise.
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
# What is stopped and let go again, and the flag whose rows do not check.
_KILLED: Final = "soak-killed"
_BAD: Final = "soak-bad"
# Within so many seconds a stop is in force everywhere: the poll, a load, and a busy machine.
_LATEST_S: Final = 3.0


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
            env={**os.environ, "SOAK_READS_ONLY": "1" if number == 0 else ""},
        )
        for number in range(WORKERS)
    ]
    last, stops = _publish_changes()
    told = [json.loads(each.communicate(f"{last}\n")[0]) for each in workers]
    faults = [fault for each in told for fault in _faults(each, last)]
    for each in told:
        print(f"{each['asked']:,} answers, ends on revision {each['number']} of {last}")
    wrong = _wrong([answer for each in told for answer in each["noted"]])
    wrong += _stale([answer for each in told for answer in each["seen"]], stops)
    print(f"{sum(len(each['noted']) for each in told):,} answers compared with their revisions")
    print(f"{sum(len(each['seen']) for each in told):,} answers of {len(stops)} stops and starts")
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
        Flag.objects.create(name=_KILLED, everyone=True)
        Flag.objects.create(name=_BAD, everyone=True)
        publishing.publish(comment="soak")


def _share(to: int) -> list[dict[str, Any]]:
    return [{"op": "share", "salt": "soak", "from": 0, "to": to}]


def _publish_changes() -> tuple[int, list[tuple[float, bool]]]:
    """Evenly over the time; the number of the last revision, and when what was stopped or not."""
    from django.db import transaction

    from flags import publishing
    from flags.models import Revision, Rule

    started, stops = time.monotonic(), [(time.time(), True)]
    for change in range(CHANGES):
        time.sleep(max(0.0, started + change * SECONDS / CHANGES - time.monotonic()))
        _trouble(change, stops)
        with transaction.atomic():
            rule = Rule.objects.get(flag__name=_FLAG)
            rule.when = _share(1_000 * (change + 1) + time.time_ns() % 1_000)
            rule.save()
        publishing.publish_pending()
    return Revision.objects.values_list("number", flat=True)[0], stops


def _trouble(change: int, stops: list[tuple[float, bool]]) -> None:
    """What may happen to a database that others read."""
    from django.db import connection, transaction
    from waffle.models import Switch

    from flags.models import Flag

    if change % 10 == 1:  # a row that does not check, written directly
        with transaction.atomic():
            Flag.objects.filter(name=_BAD).update(requires=[{"flag": f"typo-{change}"}])
    if change % 10 == 4:  # a stop, of the bad flag too, or a start
        is_on = change % 20 == 4
        Flag.objects.filter(name__in=[_KILLED, _BAD]).update(everyone=is_on)
        Switch.objects.update_or_create(name="provider.google", defaults={"active": is_on})
        stops.append((time.time(), is_on))
    if change % 50 == 27:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE constance_constance RENAME TO constance_gone")
            time.sleep(1)
            cursor.execute("ALTER TABLE constance_gone RENAME TO constance_constance")


def _stale(seen: list[list[Any]], stops: list[tuple[float, bool]]) -> list[str]:
    """The answers that are neither what was last said nor what was said a moment before."""
    found = []
    for at_s, name, answer in seen:
        settled = [is_on for said_s, is_on in stops if said_s <= at_s - _LATEST_S]
        recent = {is_on for said_s, is_on in stops if at_s - _LATEST_S < said_s <= at_s}
        allowed = {*recent, *(settled[-1:] or [True])}
        if answer not in allowed:
            found.append(f"{name} answers {answer} at {at_s}; allowed: {allowed}")
    return found[:10]


def _faults(told: dict[str, Any], last: int) -> list[str]:
    faults = [f"exception: {error}" for error in told["errors"]]
    if told["number"] != last:
        faults.append(f"a process ends on {told['number']}, not on {last}")
    return faults


def _wrong(noted: list[list[Any]]) -> list[str]:
    """Which answers are not those of the revision that they name, compiled anew."""
    from flags.document import stored
    from flags.document.stored import content
    from flags.engine import Subject, compile  # noqa: A004  (the word for it)

    compiled: dict[int, Any] = {}
    found = []
    for number, account, variant in noted:
        if number not in compiled:
            compiled[number] = compile(content(stored.revision(number)))
        wanted = compiled[number].evaluate(_FLAG, Subject(account), now=0).variant
        if wanted != variant:
            found.append(f"revision {number} gives {account} {wanted}, not {variant}")
    return found


def _worker() -> None:
    """Decide until the parent says which revision is the last, and this process has it."""
    import threading

    from flags import live
    from flags.accounts import facts_of_key
    from flags.engine import Subject
    from igny8_core.ai.resolver import resolve
    from igny8_core.live_settings import load
    from igny8_core.modules.accounts.models import Account

    last: list[int] = []
    threading.Thread(target=lambda: last.append(int(sys.stdin.readline())), daemon=True).start()
    asked, noted, seen, errors = 0, [], [], []
    load()  # settings that were never read have no last known value
    if os.environ.get("SOAK_READS_ONLY"):
        _read_only()
    ends_at = time.monotonic() + 2 * SECONDS
    while (not last or live.current().number != last[0]) and time.monotonic() < ends_at:
        account = f"account-{asked % ACCOUNTS}"
        try:
            ruleset = live.current().ruleset
            decision = ruleset.evaluate(_FLAG, Subject(account), now=0)
            resolve(Account(key=account, name=account), "generate_content")
            if asked % _NOTED_EVERY == 0:
                resolve(Account(key="a\0b", name="nobody"), "generate_content")
                facts_of_key("a\0b")
                load()
                for name in (_KILLED, _BAD):
                    answer = ruleset.evaluate(name, Subject(account), now=0).value
                    seen.append([time.time(), name, answer is True])
        except Exception as error:  # noqa: BLE001 - told, and the soak fails
            errors.append(repr(error))
        if asked % _NOTED_EVERY == 0:
            noted.append([decision.number, account, decision.variant])
        asked += 1
    number = live.current().number
    told = {"asked": asked, "number": number, "errors": errors[:5], "noted": noted, "seen": seen}
    print(json.dumps(told))


def _read_only() -> None:
    """This process's connections write nothing from now on."""
    from django.db import connection
    from django.db.backends.signals import connection_created

    statement = {
        "sqlite": "PRAGMA query_only = 1",
        "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    }[connection.vendor]

    def refuse(connection: Any, **_signal: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    connection_created.connect(refuse, weak=False)
    connection.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        django.setup()
        _worker()
    else:
        main()

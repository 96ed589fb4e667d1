"""`make soak`: four processes decide for a minute while 300 changes are published.

Mixed in: rows written directly that do not check, stops of flags and of a provider, keys with a
NUL, settings that cannot be read, and a database that can only be read; forks, and clocks that step
back by a second or a day; with SOAK_POSTGRESQL and SOAK_REDIS, the servers' addresses, also a
database and a Redis that are cut off at random. Every process ends on the last revision, without an
exception; each answer that was noted is what the revision that it names says; and no stop is older
than the poll anywhere that hears of it. Exit status 1 otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import django
import time_machine

from tests.benchmarks.liveness import new_database
from tests.flags.live.proxy import Proxy

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
_CUT_EVERY: Final = 30
_CUTS_S: Final = (0.3, 2.0)
_STEPS_S: Final = (1, 86_400)
_random: Final = SystemRandom()


def main() -> None:
    with TemporaryDirectory() as folder:
        postgresql, redis = (os.environ.get(f"SOAK_{name}", "") for name in ("POSTGRESQL", "REDIS"))
        own = f"sqlite:///{folder}/soak.sqlite3"
        database = new_database("soak", postgresql) if postgresql else own
        os.environ |= {"DATABASE_URL": database, "REDIS_URL": redis, "DEBUG": "false"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        sys.exit(_soak())


def _soak() -> int:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _prepare()
    cutters, theirs = [], {**os.environ}
    for name in ("DATABASE_URL", "REDIS_URL"):
        address = urlsplit(os.environ[name])
        if address.hostname and address.port:
            cutters.append(Proxy(address.hostname, address.port))
            there = f"{address.hostname}:{address.port}"
            theirs[name] = theirs[name].replace(there, f"127.0.0.1:{cutters[-1].port}")
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.soak", "worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**theirs, "SOAK_READS_ONLY": "1" if number == 0 else ""},
        )
        for number in range(WORKERS)
    ]
    last, stops, cuts = _publish_changes(cutters)
    told = [json.loads(each.communicate(f"{last}\n")[0]) for each in workers]
    faults = [fault for each in told for fault in _faults(each, last)]
    for each in told:
        print(
            f"{each['asked']:,} answers, {each['forks']} forks, {each['steps']} clock steps, "
            f"ends on revision {each['number']} of {last}"
        )
    wrong = _wrong([answer for each in told for answer in each["noted"]])
    seen = [answer for each in told for answer in each["seen"] if not _is_cut(answer[0], cuts)]
    wrong += _stale(seen, stops)
    print(f"{sum(len(each['noted']) for each in told):,} answers compared with their revisions")
    print(f"{len(seen):,} answers of {len(stops)} stops and starts, {len(cuts)} cuts")
    for fault in (*faults, *wrong):
        print(fault, file=sys.stderr)
    return 1 if faults or wrong else 0


def _is_cut(at_s: float, cuts: list[tuple[float, float]]) -> bool:
    """Whether a process may not have heard yet."""
    return any(began_s <= at_s <= ended_s + _LATEST_S for began_s, ended_s in cuts)


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


Change = tuple[float, bool]
Cut = tuple[float, float]


def _publish_changes(cutters: list[Proxy]) -> tuple[int, list[Change], list[Cut]]:
    """Evenly over the time; the last revision, when what was stopped or not, and when was cut."""
    from django.db import transaction

    from flags import publishing
    from flags.document.stored import newest_number
    from flags.models import Rule

    started, stops, cuts = time.monotonic(), [(time.time(), True)], []
    for change in range(CHANGES):
        time.sleep(max(0.0, started + change * SECONDS / CHANGES - time.monotonic()))
        _trouble(change, stops)
        if cutters and change % _CUT_EVERY == _CUT_EVERY // 2:
            cuts.append(_cut(_random.choice(cutters)))
        with transaction.atomic():
            rule = Rule.objects.get(flag__name=_FLAG)
            rule.when = _share(1_000 * (change + 1) + time.time_ns() % 1_000)
            rule.save()
        publishing.publish_pending()
    return newest_number() or 0, stops, cuts


def _cut(cutter: Proxy) -> Cut:
    began_s = time.time()
    cutter.close()
    time.sleep(_random.uniform(*_CUTS_S))
    cutter.open()
    return began_s, time.time()


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
    asked, forks, steps, noted, seen, errors = 0, 0, 0, [], [], []
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
            if asked % _FORKED_EVERY == 0:
                forks += 1
                _fork()
            if asked % _STEPPED_EVERY == 0:
                steps += 1
                with time_machine.travel(time.time() - _random.choice(_STEPS_S)):
                    for each in range(20):
                        resolve(Account(key=f"account-{each}", name="x"), "generate_content")
        except Exception as error:  # noqa: BLE001 - told, and the soak fails
            errors.append(repr(error))
        if asked % _NOTED_EVERY == 0:
            noted.append([decision.number, account, decision.variant])
        asked += 1
    number = live.current().number
    told = {"asked": asked, "forks": forks, "steps": steps, "number": number}
    print(json.dumps(told | {"errors": errors[:5], "noted": noted, "seen": seen}))


_FORKED_EVERY: Final = 20_011
_STEPPED_EVERY: Final = 10_007


def _fork() -> None:
    """A child decides by what it has, and ends; raises RuntimeError where it could not."""
    from igny8_core.ai.resolver import resolve
    from igny8_core.modules.accounts.models import Account

    child = os.fork()
    if child == 0:
        try:
            for number in range(50):
                resolve(Account(key=f"account-{number}", name="x"), "generate_content")
        except BaseException:  # noqa: BLE001 - the parent is told by the status
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        message = f"a fork ended with {status}"
        raise RuntimeError(message)


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

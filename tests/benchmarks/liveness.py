"""How soon another process answers by a change, and what a great document takes.

Each part is a process of its own: `python -m tests.benchmarks.liveness PART`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import django

CHANGES: Final = 60
_BETWEEN_S: Final = 0.1
_POSTGRESQL: Final = "postgres://postgres@127.0.0.1:5432"
_REDIS: Final = "redis://127.0.0.1:6379/3"
_DATABASE: Final = "bench_liveness"
_ROWS: Final = {
    "Redis and PostgreSQL (15 / 50)": (True, _REDIS),
    "poll, PostgreSQL (600 / 1,000)": (True, ""),
    "poll, SQLite (600 / 1,000)": (False, ""),
}

Figures = dict[str, float]


def changes_ms() -> dict[str, Figures]:
    """By way: median and p99 from commit to another process's answer, and what loading takes."""
    with TemporaryDirectory() as folder:
        return {
            name: _change_ms(_database(Path(folder), is_postgresql=is_postgresql), redis)
            for name, (is_postgresql, redis) in _ROWS.items()
        }


def growth() -> Figures:
    """A document with 1,000 models, 10,000 rules and 1,000 segments of 1,000 accounts."""
    with TemporaryDirectory() as folder:
        env = _environment(f"sqlite:///{folder}/great.sqlite3", "")
        found: Figures = json.loads(_run("great", env))
        loaded: Figures = json.loads(_run("load", env))
        _run("accounts", env)
        facts: Figures = json.loads(_run("facts", env))
        _run("million", env)
        many: Figures = json.loads(_run("many", {**env, "FLAGS_FACTS_KEPT": "10000"}))
        return {**found, **loaded, **facts, **many}


def _database(folder: Path, *, is_postgresql: bool) -> str:
    return new_database(_DATABASE) if is_postgresql else f"sqlite:///{folder}/changes.sqlite3"


def new_database(name: str, server: str = "") -> str:
    """Its address; empty, in place of one of that name."""
    import psycopg

    server = server or _POSTGRESQL
    with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


def dropped_database(name: str, server: str = "") -> None:
    import psycopg

    with closing(psycopg.connect(f"{server or _POSTGRESQL}/postgres", autocommit=True)) as bare:
        bare.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _environment(database: str, redis: str) -> dict[str, str]:
    """Without DEBUG, which keeps every query."""
    own = {"DATABASE_URL": database, "REDIS_URL": redis, "FLAGS_SNAPSHOT_FILE": ""}
    own |= {"DEBUG": "false", "SECRET_KEY": "s" * 50, "ALLOWED_HOSTS": "localhost"}
    return {**os.environ, **own, "DJANGO_SETTINGS_MODULE": "igny8_core.settings"}


def _run(part: str, env: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.liveness", part]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


def _change_ms(database: str, redis: str) -> Figures:
    env = _environment(database, redis)
    _run("prepare", env)
    command = [sys.executable, "-m", "tests.benchmarks.liveness", "watch"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=env, stdout=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout is not None
        watcher.stdout.readline()
        committed: list[int] = json.loads(_run("change", env))
        seen = [int(watcher.stdout.readline()) for _ in committed]
        took: Figures = json.loads(watcher.stdout.readline())
        watcher.kill()
    ms = sorted((at - before) / 1e6 for before, at in zip(committed, seen, strict=True))
    tail = ms[int(len(ms) * 0.99)]
    return {"median ms": statistics.median(ms), "p99 ms": tail, **took}


# The parts


def document(rules: int, segments: int, keys: int, models: int) -> dict[str, Any]:
    """Ten rules a flag; the first serves `a`."""
    from tests.benchmarks import resolver, workload

    catalogue: Any = resolver.document(workload.decide(targets=1, accounts=10))["sections"]
    one = catalogue["catalogue"]["models"]["mini"]
    names = [f"segment-{number}" for number in range(segments)]
    flag: dict[str, Any] = {
        "kind": "str",
        "force": None,
        "off": None,
        "requires": [],
        "default": None,
    }
    return {
        "schema": 1,
        "hash": "r1",
        "number": None,
        "traits": {"plan": "str", "tier": "str"},
        "segments": {
            name: {
                "include": [f"{name}-{number}" for number in range(keys)],
                "exclude": [],
                "rules": [[{"trait": "plan", "op": "in", "values": [name]}]],
            }
            for name in names
        },
        "flags": {
            f"flag-{number}": {
                **flag,
                "variants": {"a": "A", "b": "B"},
                "rules": [_rule(number * 10 + at, at, names) for at in range(10)],
            }
            for number in range(rules // 10)
        },
        "switches": {},
        "sections": {
            "catalogue": {
                "models": {
                    f"model-{number}": {**one, "is_default": number == 0}
                    for number in range(models)
                }
            }
        },
    }


def _rule(number: int, at: int, segments: list[str]) -> dict[str, Any]:
    when = [
        {"op": "segment", "values": [segments[number % len(segments)]]},
        {"trait": "tier", "op": "in", "values": [f"tier-{number}"]},
    ]
    return {"id": f"r{at}", "when": when if at else [], "serve": {"variant": "a"}} | (
        {"when": [{"trait": "plan", "op": "in", "values": ["pro"]}]} if at == 0 else {}
    )


def _prepare(rules: int = 1_000, keys: int = 1) -> None:
    from django.core.management import call_command

    from flags import publishing

    call_command("migrate", verbosity=0)
    publishing.apply(json.dumps(document(rules, 1_000, keys, 1_000)))


def _change() -> None:
    """Change the first flag's first rule, and tell when each change was committed."""
    committed = []
    for number in range(CHANGES):
        time.sleep(_BETWEEN_S)
        _publish("b" if number % 2 == 0 else "a")
        committed.append(time.monotonic_ns())
        time.sleep(max(_BETWEEN_S, 1.0 if not os.environ["REDIS_URL"] else 0.0))
    print(json.dumps(committed))


def _publish(variant: str) -> None:
    from django.db import transaction

    from flags import publishing
    from flags.models import Rule

    with transaction.atomic():
        rule = Rule.objects.get(flag__name="flag-0", position=0)
        rule.serve = {"variant": variant}
        rule.save()
        publishing.publish()


def _watch() -> None:
    from flags import live, metrics
    from flags.engine import Subject

    subject = Subject("someone", {"plan": "pro"})

    def answer() -> str | None:
        return live.current().ruleset.evaluate("flag-0", subject, now=0).variant

    before = answer()
    print("ready", flush=True)
    for _ in range(CHANGES):
        while (now := answer()) == before:
            time.sleep(0.0002)
        print(time.monotonic_ns(), flush=True)
        before = now
    took = {
        f"{name} ms": 1000 * each._sum.get() / CHANGES
        for name, each in (("load", metrics.LOAD_S), ("compile", metrics.COMPILE_S))
    }
    print(json.dumps(took), flush=True)
    time.sleep(60)


def _great() -> None:
    _prepare(rules=10_000, keys=1_000)
    print(json.dumps({"publish of one changed rule, s (2)": _seconds(lambda: _publish("b"))}))


def _load() -> None:
    from flags import live
    from flags.models import Flag

    Flag.objects.count()
    before = _megabytes()
    seconds = _seconds(live.current)
    assert live.current().number
    figures = {"load and compile, s (3)": seconds, "its memory, MB (250)": _megabytes() - before}
    print(json.dumps(figures))


def _accounts() -> None:
    """100,000 accounts with three overrides each."""
    from flags.models import AccountOverride, Flag
    from igny8_core.modules.accounts.models import Account

    accounts = [Account(key=f"a{number}", name="x", plan="pro") for number in range(100_000)]
    Account.objects.bulk_create(accounts, batch_size=5_000)
    flags = list(Flag.objects.all()[:3])
    AccountOverride.objects.bulk_create(
        [
            AccountOverride(account=account, flag=flag, variant="a", reason="why")
            for account in Account.objects.all()
            for flag in flags
        ],
        batch_size=5_000,
    )


def _facts() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from flags.accounts.lookup import facts_of_key, facts_of_many
    from igny8_core.modules.accounts.models import Account

    facts_of_key("a0")
    with CaptureQueriesContext(connection) as queries:
        facts_of_key("a1")
    before = _megabytes()
    kept = [facts for _, facts in facts_of_many(Account.objects.iterator())]
    assert len(kept) == 100_000
    figures = {
        "queries of an account first met (2)": len(queries),
        "facts of 100,000 accounts, MB (80)": _megabytes() - before,
    }
    print(json.dumps(figures))


def _million() -> None:
    """1,000,000 accounts with three overrides each, all of them in one segment's list."""
    from django.db import connection

    from flags.models import AccountOverride, Flag
    from flags.models.segment import Segment, SegmentMember
    from igny8_core.modules.accounts.models import Account

    account = Account.objects.create(key="template", name="x", plan="pro")
    segment = Segment.objects.create(key="million", is_long=True)
    member = SegmentMember.objects.create(segment=segment, key="template")
    overrides = [
        AccountOverride.objects.create(account=account, flag=flag, variant="a", reason="why")
        for flag in Flag.objects.filter(name__in=["flag-0", "flag-1", "flag-2"])
    ]
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    key = "'million-' || i"
    copied: list[tuple[Any, dict[str, str]]] = [
        (account, {"id": "i + 10000000", "key": key}),
        (member, {"id": "i + 10000000", "key": key}),
    ]
    for at, each in enumerate(overrides, start=1):
        copied.append((each, {"id": f"i + {at}0000000", "account_id": "i + 10000000"}))
    with connection.cursor() as cursor:
        for row, changed in copied:
            table = row._meta.db_table
            names = [field.column for field in row._meta.concrete_fields]
            into = ", ".join(f'"{name}"' for name in names)
            chosen = ", ".join(changed.get(name, f'"{name}"') for name in names)
            cursor.execute(
                f"INSERT INTO {table} ({into}) {numbers} SELECT {chosen} FROM {table}, n "  # noqa: S608 - our own words
                f"WHERE id = {row.pk}"
            )


def _many() -> None:
    """Ask more of the million than are kept, each for the first time."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from flags.accounts.lookup import facts_of_key

    with CaptureQueriesContext(connection) as queries:
        found = facts_of_key("million-7")
    assert len(found.overrides) == 3
    before, asked = _megabytes(), 20_000
    seconds = _seconds(
        lambda: [facts_of_key(f"million-{8 * at}") and None for at in range(1, asked)]
    )
    figures = {
        "queries of one of a million first met (2)": len(queries),
        "one of a million first met, ms": 1000 * seconds / asked,
        "20,000 of a million asked, 10,000 kept, MB (8)": _megabytes() - before,
    }
    print(json.dumps(figures))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _megabytes() -> float:
    """The most that this process has had; getrusage() has the most of those before it too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (each for each in lines if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    django.setup()
    _PARTS: Final = {
        "prepare": _prepare,
        "change": _change,
        "watch": _watch,
        "great": _great,
        "load": _load,
        "accounts": _accounts,
        "facts": _facts,
        "million": _million,
        "many": _many,
    }
    _PARTS[sys.argv[1]]()

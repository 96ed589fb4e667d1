"""Revisions: one immutable, numbered document for each change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from flags import changes, export, live, publishing
from flags.engine import DocumentError, parse
from flags.models import AccountOverride, Flag, Head, Revision, Rule, Segment
from igny8_core.modules.accounts.models import Account
from tests.conftest import ROOT, Manage, environment
from tests.flags.engine.documents import documents

pytestmark = pytest.mark.django_db
COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def same(one: Any, other: Any) -> bool:
    return not changes.diff(one, other)


def test_publish__changed_tables__are_the_next_number_with_what_changed() -> None:
    first = publishing.publish(author="alice", comment="begin")
    Flag.objects.create(name="f")
    second = publishing.publish(author="bob")
    assert (second.number, second.parent, second.author) == (first.number + 1, first, "bob")
    assert second.summary == ["flag f: added"]
    document = publishing.content(second)
    assert document["number"] == second.number
    assert same(document, export.document())


def test_publish__nothing_changed__is_the_last_revision() -> None:
    first = publishing.publish()
    Flag.objects.create(name="f", note="a").delete()
    assert publishing.publish() == first
    assert not publishing.is_pending()


def test_publish__tables_that_do_not_check__leaves_nothing() -> None:
    last = publishing.publish()
    flag = Flag.objects.create(name="f")
    Rule.objects.create(flag=flag, serve={"variant": "purple"})
    with pytest.raises(DocumentError):
        publishing.publish()
    assert Revision.objects.first() == last


def test_revision__text_tampered_with__is_refused() -> None:
    row = publishing.publish()
    Revision.objects.update(text=row.text.replace('"schema":1', '"schema":2'))
    with pytest.raises(publishing.DamagedRevision, match="does not match its checksum"):
        publishing.roll_back(row.number)


@settings(deadline=None, max_examples=15)
@given(st.lists(documents(), min_size=1, max_size=4), st.data())
def test_roll_back__to_any_revision__the_tables_say_what_it_says(
    wanted: list[Any], data: st.DataObject
) -> None:
    Revision.objects.all().delete()
    for document in wanted:
        export.restore(parse(document))
        publishing.publish()
    numbers = list(Revision.objects.values_list("number", flat=True))
    chosen = publishing.revision(data.draw(st.sampled_from(numbers)))
    newest = publishing.roll_back(chosen.number)
    assert same(export.document(), publishing.content(chosen))
    assert same(publishing.content(newest), publishing.content(chosen))
    rows = {row.number: publishing.content(row) for row in Revision.objects.all()}
    for before, after in zip(sorted(rows), sorted(rows)[1:], strict=False):
        applied = changes.apply(rows[before], changes.diff(rows[before], rows[after]))
        assert same(applied, rows[after])


def test_roll_back__flag_that_stays__keeps_its_overrides(acme: Account) -> None:
    flag = Flag.objects.create(name="f")
    first = publishing.publish()
    AccountOverride.objects.create(account=acme, flag=flag, variant="on", reason="why")
    flag.everyone = False
    flag.save()
    publishing.publish()
    done = publishing.roll_back(first.number, comment="mistake")
    assert (done.comment, done.summary) == ("mistake", ["flag f: force off → nothing"])
    assert flag.is_active_for_account(acme)


# Who publishes, and when


@COMMITTED
def test_direct_write__committed__is_published_at_once() -> None:
    before = Revision.objects.count()
    with transaction.atomic():
        Flag.objects.create(name="f")
        Segment.objects.create(key="s")
    assert Revision.objects.count() == before + 1
    last = Revision.objects.first()
    assert last is not None
    assert last.summary == ["flag f: added", "segment s: added"]
    with transaction.atomic():
        Flag.objects.create(name="g")
        transaction.set_rollback(True)
    assert Revision.objects.first() == last
    assert not publishing.is_pending()


@COMMITTED
def test_direct_write__that_does_not_check__stays_unpublished_until_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flag = Flag.objects.create(name="f")
    last = Revision.objects.first()
    rule = Rule.objects.create(flag=flag, serve={"variant": "purple"})
    assert Revision.objects.first() == last
    assert publishing.is_pending()
    assert "Unpublished changes, because they do not check" in caplog.text
    rule.serve = {"variant": "on"}
    rule.save()
    assert not publishing.is_pending()
    newest = Revision.objects.first()
    assert newest is not None
    assert newest.summary == ["flag f: rule r1 added"]


@COMMITTED
def test_killed_between_commit_and_publishing__the_next_publishes_what_it_left() -> None:
    """As a process leaves it that was killed there: changed, and not published."""
    Flag.objects.create(name="f")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flags_flag SET everyone = %s", [True])
    Head.objects.update(version="changed")
    assert publishing.is_pending()
    publishing.publish_pending()
    newest = Revision.objects.first()
    assert newest is not None
    assert newest.summary == ["flag f: force nothing → on"]


@COMMITTED
def test_fixture__loaded__is_published_and_leaves_no_stale_answer(tmp_path: Path) -> None:
    Flag.objects.create(name="f", everyone=True)
    path = tmp_path / "flags.json"
    call_command("dumpdata", "flags.flag", output=str(path))
    Flag.objects.update(everyone=False)
    assert live.current().flags["f"].everyone is False
    call_command("loaddata", str(path), verbosity=0)
    assert live.current().flags["f"].everyone is True
    assert not publishing.is_pending()


def test_admin__saved__is_published_under_the_operators_name(admin_client: Client) -> None:
    publishing.publish()
    data = {"key": "eu", "rules": "", "include": "acme", "exclude": ""}
    assert admin_client.post("/admin/flags/segment/add/", data).status_code == 302
    last = Revision.objects.first()
    assert last is not None
    assert (last.author, last.summary) == ("admin", ["segment eu: added"])
    admin_client.post("/admin/flags/segment/add/", {**data, "key": "us", "rules": "[[1]]"})
    assert Revision.objects.first() == last


def test_two_processes__publishing_at_once__lose_nothing(
    demo_database: Path, tmp_path: Path
) -> None:
    """Ten flags each, with a revision for each change, and the head equals the tables."""
    env = environment(tmp_path / "db.sqlite3")
    (tmp_path / "db.sqlite3").write_bytes(demo_database.read_bytes())
    before = int(_shell(env, "print(Revision.objects.first().number)"))
    make = "[Flag.objects.create(name=f'{who}-{{n}}') for n in range(10)]"
    both = [
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "manage.py", "shell", "--command", _PREFIX + make.format(who=who)],
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
        )
        for who in ("a", "b")
    ]
    assert [process.wait(60) for process in both] == [0, 0]
    told = (
        "numbers = list(Revision.objects.values_list('number', flat=True));"
        "head = publishing.content(Revision.objects.first());"
        "print(json.dumps([numbers, changes.diff(head, export.document())]))"
    )
    numbers, differing = json.loads(_shell(env, told))
    assert differing == []
    assert numbers == list(range(numbers[0], 0, -1))
    assert before < numbers[0] <= before + 20


_PREFIX = "import json; from flags import changes, export, publishing; from flags.models import *; "


def _shell(env: dict[str, str], code: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", _PREFIX + code],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()[-1]


# The commands


def test_commands__publish_show_compare_and_go_back(manage: Manage, tmp_path: Path) -> None:
    def told(*args: str) -> Any:
        done = manage(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = told("revisions", "list")[0]
    told("flag", "off", "long_articles")
    newest = told("revisions", "list")[0]
    assert newest["summary"] == ["flag long_articles: on true → false"]
    assert newest["comment"] == "flag off long_articles"
    one, other = str(first["number"]), str(newest["number"])
    assert told("revisions", "diff", one, other) == [
        {"path": "/flags/long_articles/on", "before": True, "after": False}
    ]
    shown = told("revisions", "show", other)
    assert shown["document"]["flags"]["long_articles"]["on"] is False
    file = str(tmp_path / "revision.json")
    told("revisions", "export", one, file)
    tried = manage("revisions", "apply", file, "--dry-run")
    assert tried.stdout.splitlines() == [
        "Nothing is changed yet. It would be:",
        f"Revision {newest['number'] + 1}:",
        "  flag long_articles: on false → true",
    ]
    assert told("flag", "list")["long_articles"]["on"] is False
    back = told("revisions", "rollback", one, "--comment", "mistake")
    assert (back["comment"], back["is_new"]) == ("mistake", True)
    assert told("flag", "list")["long_articles"]["on"] is True
    assert "says the same" in manage("revisions", "apply", file).stdout
    assert told("publish", "--check") == {"checks": True, "pending": False}
    assert told("publish")["number"] == back["number"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["revisions", "show", "99"], "There is no revision 99."),
        (["revisions", "rollback", "99"], "There is no revision 99."),
        (["revisions", "diff", "1", "99"], "There is no revision 99."),
        (["revisions", "apply", "/nowhere.json"], "/nowhere.json: No such file or directory."),
        (["revisions", "apply", "manage.py"], "(document): This is not JSON"),
        (["revisions", "export", "/nowhere/file"], "/nowhere/file: No such file or directory."),
    ],
)
def test_commands__wrong_arguments__are_a_sentence(
    manage: Manage, args: list[str], sentence: str
) -> None:
    done = manage(*args)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)

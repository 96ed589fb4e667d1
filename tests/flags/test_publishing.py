"""Revisions: one immutable, numbered document for each change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from flags import live, publishing
from flags.document import diff, export, stored
from flags.document.held import held_back
from flags.document.restore import restore
from flags.document.stored import canonical, content, document_in
from flags.engine import DocumentError, Subject, compile, parse  # noqa: A004
from flags.management import base
from flags.models import AccountOverride, Flag, Head, Revision, Rule, Segment
from igny8_core.modules.accounts.models import Account
from tests.benchmarks import tables
from tests.conftest import ROOT, Manage, environment, examples
from tests.flags.document.differences import applied
from tests.flags.engine.documents import documents

pytestmark = pytest.mark.django_db
COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def same(one: Any, other: Any) -> bool:
    return not diff.diff(one, other)


def test_publish__changed_tables__are_the_next_number_with_what_changed() -> None:
    first = publishing.publish(author="alice", comment="begin")
    Flag.objects.create(name="f")
    second = publishing.publish(author="bob")
    assert (second.number, second.parent, second.author) == (first.number + 1, first, "bob")
    assert second.summary == ["flag f: added"]
    document = content(second)
    assert document["number"] == second.number
    assert same(document, export.document())


def test_publish__nothing_changed__is_the_last_revision() -> None:
    first = publishing.publish()
    Flag.objects.create(name="f", note="a").delete()
    assert publishing.publish() == first
    assert not publishing.is_pending()


@pytest.mark.parametrize("rows", [[], [Head(pk=Head.PK)]])
def test_publish__head_without_a_version__leaves_nothing_pending(rows: list[Head]) -> None:
    Head.objects.all().delete()
    Head.objects.bulk_create(rows)
    publishing.publish()
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
    Revision.objects.update(text=row.text.replace('"schema":2', '"schema":1'))
    with pytest.raises(stored.DamagedRevision, match="does not match its checksum"):
        publishing.roll_back(row.number)


@examples(15)
@given(st.lists(documents(), min_size=1, max_size=4), st.data())
def test_roll_back__to_any_revision__the_tables_say_what_it_says(
    wanted: list[Any], data: st.DataObject
) -> None:
    Revision.objects.all().delete()
    for document in wanted:
        restore(parse(document))
        publishing.publish()
    numbers = list(Revision.objects.values_list("number", flat=True))
    chosen = stored.revision(data.draw(st.sampled_from(numbers)))
    newest = publishing.roll_back(chosen.number)
    assert same(export.document(), content(chosen))
    assert same(content(newest), content(chosen))
    rows = {row.number: content(row) for row in Revision.objects.all()}
    for before, after in zip(sorted(rows), sorted(rows)[1:], strict=False):
        made = applied(rows[before], diff.diff(rows[before], rows[after]))
        assert same(made, rows[after])


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
def test_transaction__changed_again_after_publishing__is_published_whole() -> None:
    with transaction.atomic():
        Flag.objects.create(name="f")
        publishing.publish()
        assert not publishing.is_pending()
        Flag.objects.create(name="g")
        assert publishing.is_pending()
    last = Revision.objects.first()
    assert last is not None
    assert last.summary == ["flag g: added"]
    assert not publishing.is_pending()


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
def test_direct_write__that_does_not_check__is_held_back_until_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flag = Flag.objects.create(name="f")
    last = Revision.objects.first()
    with transaction.atomic():
        rule = Rule.objects.create(flag=flag, serve={"variant": "purple"})
    assert Revision.objects.first() == last
    (held,) = held_back()
    assert str(held).startswith("flag f is held back since ")
    assert "has no variant 'purple'" in held.reason
    live._process.try_refresh()
    assert "held back: flag f: " in caplog.text
    rule.serve = {"variant": "on"}
    rule.save()
    assert not held_back()
    newest = Revision.objects.first()
    assert newest is not None
    assert newest.summary == ["flag f: rule r1 added"]


def test_killed_between_commit_and_publishing__the_next_publishes_what_it_left(
    demo_database: Path, tmp_path: Path
) -> None:
    env = environment(tmp_path / "db.sqlite3")
    (tmp_path / "db.sqlite3").write_bytes(demo_database.read_bytes())
    # What is done on commit is done in order, so this comes before publishing.
    killed = (
        "import os, signal; from django.db import transaction\n"
        "with transaction.atomic():\n"
        "    transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "    Flag.objects.create(name='left')"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", _PREFIX + killed],
        cwd=ROOT,
        env=env,
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    assert _shell(env, "print(publishing.is_pending())") == "True"
    told = "publishing.publish_pending(); print(json.dumps(Revision.objects.first().summary))"
    assert json.loads(_shell(env, told)) == ["flag left: added"]
    assert _shell(env, "print(publishing.is_pending())") == "False"


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


def test_file__of_another_database__decides_the_same_for_ten_thousand_accounts(
    manage_process: Manage, tmp_path: Path
) -> None:
    """From SQLite, to whatever these tests run on."""
    document, file = tmp_path / "tables.json", tmp_path / "exported.json"
    document.write_text(json.dumps(tables.document()))
    for args in (["apply", document], ["export", file]):
        done = manage_process("revisions", *map(str, args))
        assert done.returncode == 0, done.stderr
    call_command("revisions", "apply", str(file))
    there, here = (
        compile(parse(text)) for text in (file.read_text(), json.dumps(export.document()))
    )
    flags = [*there.document["flags"]][::20]
    plans, countries = ("pro", "free", "starter"), ("DE", "AT", "US", "FR")
    for index in range(10_000):
        traits = {"plan": plans[index % 3], "country": countries[index % 4], "seats": index % 50}
        account = Subject(f"account-{index}", traits)
        for flag in flags:
            one, other = (
                side.evaluate(flag, account, now=1_800_000_000_000) for side in (there, here)
            )
            assert one._replace(number=None) == other._replace(number=None)


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
        "head = stored.content(Revision.objects.first());"
        "print(json.dumps([numbers, diff.diff(head, export.document())]))"
    )
    numbers, differing = json.loads(_shell(env, told))
    assert differing == []
    assert numbers == list(range(numbers[0], 0, -1))
    assert before < numbers[0] <= before + 20


_PREFIX = (
    "import json; from flags import publishing; from flags.document import diff, export, stored; "
    "from flags.models import *; "
)


def _shell(env: dict[str, str], code: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", _PREFIX + code],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
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
    assert told("publish", "--check") == {"checks": True, "pending": False, "held_back": []}
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


def test_publish_check__after_raw_sql__tells_of_what_is_not_published(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Flag.objects.create(name="f")
    publishing.publish()
    call_command("publish", "--check")
    assert "nothing unpublished" in capsys.readouterr().out
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flags_flag SET is_on = false")
    call_command("publish", "--check")
    assert "are unpublished changes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["publish", "--comment", "x" * 501], "it has 501 characters; at most 500 are kept"),
        (["revisions", "list", "--limit", "-5"], "'-5' is not a number from 1 to 1,000,000"),
        (["revisions", "export", "5"], "Into which file shall revision 5 go?"),
    ],
)
def test_commands__bad_usage__is_a_sentence(manage: Manage, args: list[str], sentence: str) -> None:
    done = manage(*args)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_user__without_a_name__is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert base.user() == "uid 54321"


# The pages


@pytest.fixture
def three(client: Client) -> list[Revision]:
    rows = [publishing.publish()]
    for name in ("f", "g"):
        Flag.objects.create(name=name)
        rows.append(publishing.publish(author="alice", comment=f"add {name}"))
    return rows


def test_pages__feed_show_and_compare__tell_what_changed(
    admin_client: Client, three: list[Revision]
) -> None:
    first, second, third = three
    feed = admin_client.get("/admin/flags/revision/").content.decode()
    assert "flag g: added" in feed
    assert "unpublished" not in feed
    page = admin_client.get(f"/admin/flags/revision/{second.number}/change/").content.decode()
    for word in ("alice", "add f", "flag f: added", second.checksum, "/flags/f"):
        assert word in page
    compare = f"/admin/flags/revision/compare/?before={first.number}&after={third.number}"
    page = admin_client.get(compare).content.decode()
    assert "flag f: added" in page
    assert "flag g: added" in page
    document = admin_client.get(f"/admin/flags/revision/{third.number}/document/")
    assert document.content.decode() == third.text
    for address in ("99/change/", "x/change/", "99/document/", "compare/?before=1&after=99"):
        assert admin_client.get(f"/admin/flags/revision/{address}").status_code == 404
    assert "required" in admin_client.get("/admin/flags/revision/compare/").content.decode()


def test_pages__roll_back__shows_what_would_change_and_then_changes_it(
    admin_client: Client, three: list[Revision]
) -> None:
    url = f"/admin/flags/revision/{three[1].number}/rollback/"
    assert "flag g: removed" in admin_client.get(url).content.decode()
    assert Flag.objects.filter(name="g").exists()
    typed = {"comment": "mistake", "newest": three[2].number}
    page = admin_client.post(url, typed, follow=True)
    done = Revision.objects.first()
    assert done is not None
    assert (done.author, done.comment, done.summary) == ("admin", "mistake", ["flag g: removed"])
    assert f"Revision {done.number} says what" in page.content.decode()
    assert not Flag.objects.filter(name="g").exists()
    page = admin_client.post(url, {"newest": done.number}, follow=True)
    assert f"Revision {done.number} says that already." in page.content.decode()
    assert Revision.objects.first() == done


def test_pages__roll_back_after_another_was_published__shows_it_first(
    admin_client: Client, three: list[Revision]
) -> None:
    Flag.objects.create(name="h")
    newest = publishing.publish()
    url = f"/admin/flags/revision/{three[0].number}/rollback/"
    page = admin_client.post(url, {"newest": three[2].number}, follow=True)
    assert f"Revision {newest.number} was published meanwhile" in page.content.decode()
    assert "flag h: removed" in page.content.decode()
    assert Revision.objects.first() == newest


def test_pages__roll_back_with_unpublished_changes__says_that_they_go(
    admin_client: Client, three: list[Revision]
) -> None:
    Flag.objects.create(name="h")
    url = f"/admin/flags/revision/{three[2].number}/rollback/"
    assert "going back discards them" in admin_client.get(url).content.decode()
    page = admin_client.post(url, {"newest": three[2].number}, follow=True)
    assert "what was not published is gone" in page.content.decode()
    assert not Flag.objects.filter(name="h").exists()


def test_pages__damaged_revision__says_so_and_is_not_gone_back_to(
    admin_client: Client, three: list[Revision]
) -> None:
    Revision.objects.filter(pk=three[1].pk).update(checksum="0")
    for address in ("change", "rollback"):
        page = admin_client.get(f"/admin/flags/revision/{three[1].number}/{address}/")
        assert "does not match its checksum" in page.content.decode()
    typed = {"newest": three[2].number}
    page = admin_client.post(f"/admin/flags/revision/{three[1].number}/rollback/", typed)
    assert Revision.objects.first() == three[2]


def test_pages__unpublished_changes__are_shown_and_can_be_published(
    admin_client: Client, three: list[Revision]
) -> None:
    flag = Flag.objects.create(name="h")
    rule = Rule.objects.create(flag=flag, serve={"variant": "purple"})
    feed = admin_client.get("/admin/flags/revision/").content.decode()
    assert f"revision {three[2].number} goes on serving" in feed
    assert "Publish them now" in feed
    page = admin_client.post("/admin/flags/revision/publish/", follow=True)
    assert "has no variant" in str(next(iter(page.context["messages"])))
    for address in ("revision/", f"flag/{flag.pk}/change/"):
        shown = admin_client.get(f"/admin/flags/{address}").content.decode()
        assert "flag h is held back since" in shown
        assert "has no variant &#x27;purple&#x27;" in shown
    rule.delete()
    admin_client.post("/admin/flags/revision/publish/")
    assert not publishing.is_pending()
    assert not held_back()


def test_pages__staff_who_may_only_look__neither_publish_nor_go_back(
    client: Client, three: list[Revision], django_user_model: Any
) -> None:
    user = django_user_model.objects.create_user("eve", password="x", is_staff=True)
    client.force_login(user)
    assert client.get("/admin/flags/revision/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_revision"))
    number = three[0].number
    page = client.get(f"/admin/flags/revision/{number}/change/")
    assert page.status_code == 200
    assert "Go back" not in page.content.decode()
    assert client.post(f"/admin/flags/revision/{number}/rollback/").status_code == 403
    assert client.post("/admin/flags/revision/publish/").status_code == 403
    assert Flag.objects.filter(name="g").exists()


@pytest.mark.parametrize(
    "value",
    [
        {"number": 7, "schema": 2, "sections": {}},
        {"a": {"hash": "r1", "number": 7, "schema": 2, "x": [{"number": 7, "schema": 2}]}},
        ',"number":7,"schema":2,',
        '"number":7,"schema":2,"sections":{}}',
    ],
)
def test_document_in__words_of_the_document_within_a_flag__are_the_flags(value: Any) -> None:
    flag: dict[str, Any] = {
        "kind": "json",
        "force": None,
        "variants": {"a": value},
        "off": None,
        "requires": [],
        "rules": [],
        "default": None,
    }
    whole = {
        "schema": 2,
        "hash": "r1",
        "number": 7,
        "traits": {},
        "segments": {},
        "flags": {"f": flag},
    }
    whole |= {"switches": {}, "sections": {"number": {"schema": 2}}}
    for number in (7, 8):
        document = {**whole, "number": number}
        text = canonical(document)
        assert document_in(number, text) == document


def test_document_in__next_number__shares_what_has_not_changed() -> None:
    flags = {"f": {"kind": "bool"}}
    whole = {"schema": 2, "hash": "r1", "traits": {}, "segments": {}, "flags": flags}
    whole |= {"switches": {}, "sections": {"a": {}}}
    first, second = (
        document_in(number, canonical({**whole, "number": number})) for number in (7, 8)
    )
    assert (first["number"], second["number"]) == (7, 8)
    assert first["flags"] is second["flags"]
    assert first["sections"] is second["sections"]


def test_change__in_a_transaction_that_wrote_a_fault_before_it__is_refused() -> None:
    publishing.publish()
    with transaction.atomic():
        Flag.objects.create(name="bad", requires=[{"flag": "typo"}])
        with pytest.raises(publishing.Unpublishable, match="typo"), publishing.change():
            Flag.objects.create(name="good")
        transaction.set_rollback(True)

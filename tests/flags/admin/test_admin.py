"""The operators' pages: all rows of a flag together, or none, and each refusal on its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from waffle.models import Sample, Switch

from flags.document import export
from flags.models import AccountOverride, Flag, Rule, Segment, Trait, Variant
from igny8_core.modules.accounts.models import Account

pytestmark = pytest.mark.django_db

ADD = "/admin/flags/flag/add/"
PRO = '[{"trait": "plan", "op": "in", "values": ["pro"]}]'


def posted(
    *,
    variants: list[dict[str, Any]] | None = None,
    rules: list[dict[str, Any]] | None = None,
    stored: int = 0,
    **fields: Any,
) -> dict[str, Any]:
    """What the flag's page posts; `stored` variants and rules are there already."""
    data = {"name": "headline", "kind": "str", "is_on": "on", "everyone": "unknown", **fields}
    for prefix, rows in (("variants", variants or []), ("rules", rules or [])):
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": stored}
        for index, row in enumerate(rows):
            data |= {f"{prefix}-{index}-{name}": value for name, value in row.items()}
    return data


TWO = [{"key": "a", "value": "Short"}, {"key": "b", "value": "[Long]"}]


def rule(**facts: Any) -> dict[str, Any]:
    return {"position": 0, "when": PRO, "serve": "b", **facts}


def errors_of(page: Any) -> dict[str, list[str]]:
    """By the field's name in the page, each sentence; the form's own by nothing."""
    assert page.status_code == 200
    found: dict[str, list[str]] = {}
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += inline.formset.forms
        found.setdefault("", []).extend(inline.formset.non_form_errors())
    for form in forms:
        for field, sentences in form.errors.items():
            name = "" if field == "__all__" else form.add_prefix(field)
            found.setdefault(name, []).extend(sentences)
    return {name: sentences for name, sentences in found.items() if sentences}


def test_flag__with_variants_and_rules__is_saved_and_answers(
    admin_client: Client, acme: Account, bolt: Account
) -> None:
    split = '{"split": {"a": 1, "b": 1}}'
    page = admin_client.post(ADD, posted(variants=TWO, rules=[rule(name="Pro")], default=split))
    assert page.status_code == 302
    flag = Flag.objects.get()
    assert flag.values() == {"a": "Short", "b": "[Long]"}
    assert [(each.rule_id, each.serve) for each in flag.rules.all()] == [("r1", {"variant": "b"})]
    assert (flag.default, flag.salt) == ({"split": {"a": 1, "b": 1}}, "headline")
    assert flag.is_active_for_account(acme)


def test_rule__added_below_the_others__goes_last(admin_client: Client) -> None:
    flag = Flag.objects.create(name="headline", kind="str")
    for row in TWO:
        Variant.objects.create(flag=flag, **row)
    for name in ("first", "second"):
        Rule.objects.create(flag=flag, name=name, serve={"variant": "a"}, when=json.loads(PRO))
    page = admin_client.get(f"/admin/flags/flag/{flag.pk}/change/").content.decode()
    assert 'name="rules-__prefix__-position" value' not in page
    stored = {
        "variants": [
            {"id": row.pk, "flag": flag.pk, "key": row.key, "value": row.value}
            for row in flag.variants.all()
        ],
        "rules": [
            {"id": row.pk, "flag": flag.pk, **rule(name=row.name, position=row.position)}
            for row in flag.rules.all()
        ],
    }
    stored["rules"] += [rule(name=name, position="") for name in ("third", "fourth")]
    data = posted(**stored, stored=2)
    url = f"/admin/flags/flag/{flag.pk}/change/"
    assert admin_client.post(url, data).status_code == 302
    names = [row["name"] for row in export.flag_of(flag)["rules"]]
    assert names == ["first", "second", "third", "fourth"]


def test_flag__opened_and_saved_as_it_is__changes_nothing(admin_client: Client) -> None:
    admin_client.post(ADD, posted(variants=TWO, rules=[rule(), rule(position=1)], default="a"))
    flag = Flag.objects.get()
    before = export.document()
    url = f"/admin/flags/flag/{flag.pk}/change/"
    page = admin_client.get(url)
    data = {}
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [*inline.formset.initial_forms]
        for field in inline.formset.management_form:
            data[field.html_name] = field.value()
    for form in forms:
        for field in form:
            value = field.value()
            if value is not None and value is not False:
                data[field.html_name] = value
    assert admin_client.post(url, data).status_code == 302
    assert export.document() == before


KINDS = [
    ("bool", "false", False),
    ("int", "3", 3),
    ("num", "2.5", 2.5),
    ("json", '{"a": [null]}', {"a": [None]}),
    ("json", '"text"', "text"),
    ("str", "3", "3"),
    ("str", '{"a": 1}', '{"a": 1}'),
]


@pytest.mark.parametrize(("kind", "text", "value"), KINDS)
def test_variant__typed_by_its_kind__is_that_value_and_shown_so(
    admin_client: Client, kind: str, text: str, value: Any
) -> None:
    page = admin_client.post(ADD, posted(kind=kind, variants=[{"key": "a", "value": text}]))
    assert page.status_code == 302
    stored = Variant.objects.get()
    assert (stored.value, type(stored.value)) == (value, type(value))
    page = admin_client.get(f"/admin/flags/flag/{stored.flag_id}/change/")
    (form,) = page.context["inline_admin_formsets"][0].formset.initial_forms
    assert form["value"].value() == text


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"default": "c"}, "default", "Variant: The flag 'headline' has no variant 'c'."),
    ({"default": '{"split": {"c": 1}}'}, "default", "Split, c: The flag"),
    ({"default": '{"split": 3}'}, "default", "Split: 3 is of the wrong type: an object is wanted"),
    ({"default": "{"}, "default", "This is not JSON"),
    ({"off_variant": "c"}, "off_variant", "The flag 'headline' has no variant 'c'."),
    ({"everyone": "true", "active_variant": "c"}, "active_variant", "has no variant 'c'"),
    ({"everyone": "true"}, "active_variant", "Name the variant"),
    ({"percent": "10", "active_variant": "c"}, "percent", "has no variant 'c'"),
    ({"vocabulary": "nowhere"}, "vocabulary", "There is no vocabulary 'nowhere'."),
    ({"requires": '[{"flag": "nope"}]'}, "requires", "Entry 1, flag: There is no flag 'nope'."),
    ({"requires": '{"a": 1}'}, "requires", "a list is wanted"),
    ({"requires": "[1]"}, "requires", "Entry 1: 1 is of the wrong type: an object is wanted"),
    ({"name": "Not a key"}, "name", "“Not a key” is not a key"),
    ({"kind": "int"}, "variants-0-value", "This is not JSON"),
    ({"variants": []}, "", "variants: This is empty."),
    ({"rules": [rule(when='[{"op": "in"}]')]}, "rules-0-when", "Entry 1, trait: The key 'trait'"),
    (
        {"rules": [rule(), rule(when='[{"trait": "x", "op": "in", "values": ["a"]}]')]},
        "rules-1-when",
        "Entry 1, trait: There is no trait 'x'.",
    ),
    ({"rules": [rule(when="[1")]}, "rules-0-when", "This is not JSON"),
    ({"rules": [rule(serve="c")]}, "rules-0-serve", "Variant: The flag 'headline' has no"),
    ({"rules": [rule(serve="")]}, "rules-0-serve", "This field is required."),
    ({"rules": [rule(group="g")]}, "rules-0-group", "A rule of the group 'g' has one share"),
    (
        {
            "rules": [
                rule(
                    starts_at_0="2026-01-02",
                    starts_at_1="00:00",
                    ends_at_0="2026-01-01",
                    ends_at_1="00:00",
                )
            ]
        },
        "rules-0-ends_at",
        "is not after",
    ),
    ({"rules": [rule(when="", position=0), rule(position=1)]}, "rules-1-when", "No account"),
    ({"rules": [rule(when="")], "percent": "10", "active_variant": "a"}, "percent", "No account"),
    ({"rules": [rule(rule_id="x"), rule(rule_id="x")]}, "", "duplicate"),
]


@pytest.mark.parametrize(("fields", "field", "sentence"), REFUSED)
def test_flag__that_does_not_check__says_so_on_the_field_and_saves_nothing(
    admin_client: Client, fields: dict[str, Any], field: str, sentence: str
) -> None:
    page = admin_client.post(ADD, posted(**{"variants": TWO, **fields}))
    found = errors_of(page)
    assert any(sentence in each for each in found.get(field, [])), found
    assert not any(model.objects.exists() for model in (Flag, Variant, Rule))


def test_flag__changed_so_that_another_breaks__is_refused_and_stays(admin_client: Client) -> None:
    admin_client.post(ADD, posted(variants=TWO))
    other = Flag.objects.create(name="other", requires=[{"flag": "headline", "variants": ["b"]}])
    flag = Flag.objects.get(name="headline")
    rows = [
        {"id": row.pk, "flag": flag.pk, "key": row.key, "value": row.value}
        for row in flag.variants.all()
    ]
    rows[1]["DELETE"] = "on"
    data = posted(variants=rows)
    data["variants-INITIAL_FORMS"] = 2
    page = admin_client.post(f"/admin/flags/flag/{flag.pk}/change/", data)
    assert errors_of(page)[""] == ["flag other: The flag 'headline' has no variant 'b'."]
    assert flag.variants.count() == 2
    for url in (f"/admin/flags/flag/{flag.pk}/delete/", "/admin/flags/flag/"):
        action = {"action": "delete_selected", "_selected_action": [flag.pk], "post": "yes"}
        page = admin_client.post(url, action, follow=True)
        (message,) = page.context["messages"]
        assert "There is no flag 'headline'." in str(message)
        assert Flag.objects.filter(pk=flag.pk).exists()
    other.delete()
    admin_client.post(f"/admin/flags/flag/{flag.pk}/delete/", {"post": "yes"})
    assert not Flag.objects.exists()


@pytest.mark.parametrize("rows", ["flags/flag", "waffle/switch", "waffle/sample"])
def test_list__deletes_by_one_action_that_asks(admin_client: Client, rows: str) -> None:
    Flag.objects.create(name="f")
    Switch.objects.create(name="s")
    Sample.objects.create(name="s", percent=1)
    choices = admin_client.get(f"/admin/{rows}/").context["action_form"].fields["action"].choices
    assert [name for name, _ in choices if "delete" in name] == ["delete_selected"]


def test_variant__that_a_live_override_serves__cannot_go(
    admin_client: Client, acme: Account
) -> None:
    admin_client.post(ADD, posted(variants=TWO))
    flag = Flag.objects.get()
    AccountOverride.objects.create(account=acme, flag=flag, variant="b", reason="why")
    rows = [
        {"id": row.pk, "flag": flag.pk, "key": row.key, "value": row.value}
        for row in flag.variants.all()
    ]
    rows[1]["DELETE"] = "on"
    data = posted(variants=rows)
    data["variants-INITIAL_FORMS"] = 2
    page = admin_client.post(f"/admin/flags/flag/{flag.pk}/change/", data)
    assert "b: An override of acme serves it." in errors_of(page)[""]
    assert flag.variants.count() == 2
    AccountOverride.objects.update(paused=True)
    assert admin_client.post(f"/admin/flags/flag/{flag.pk}/change/", data).status_code == 302


def test_percent__beside_a_deleted_rule__shows_its_fault(admin_client: Client) -> None:
    admin_client.post(ADD, posted(variants=TWO, rules=[rule()]))
    flag = Flag.objects.get()
    row = rule(id=flag.rules.get().pk, flag=flag.pk, rule_id="r1", DELETE="on")
    data = posted(rules=[row], percent="10", active_variant="c")
    data["rules-INITIAL_FORMS"] = 1
    page = admin_client.post(f"/admin/flags/flag/{flag.pk}/change/", data)
    assert "has no variant 'c'" in str(errors_of(page)["percent"])


def test_rules__moved_and_deleted__are_asked_in_the_new_order(admin_client: Client) -> None:
    names = ["first", "second", "third"]
    rules = [rule(name=name, position=at) for at, name in enumerate(names)]
    admin_client.post(ADD, posted(variants=TWO, rules=rules))
    flag = Flag.objects.get()
    rows = [
        rule(id=row.pk, flag=flag.pk, name=row.name, rule_id=row.rule_id, position=2 - at)
        for at, row in enumerate(flag.rules.all())
    ]
    rows[1]["DELETE"] = "on"
    rows.append(rule(name="new", position=3))
    data = posted(rules=rows)
    data["rules-INITIAL_FORMS"] = 3
    data["variants-TOTAL_FORMS"] = 0
    assert admin_client.post(f"/admin/flags/flag/{flag.pk}/change/", data).status_code == 302
    assert [(row.name, row.rule_id) for row in flag.rules.all()] == [
        ("third", "r3"),
        ("first", "r1"),
        ("new", "r4"),
    ]


def test_flag_list__shows_state_rules_and_live_overrides(
    admin_client: Client, acme: Account, bolt: Account
) -> None:
    admin_client.post(ADD, posted(variants=TWO, rules=[rule(), rule(position=1)], default="a"))
    flag = Flag.objects.get()
    AccountOverride.objects.create(account=acme, flag=flag, variant="a", reason="why")
    AccountOverride.objects.create(
        account=bolt, flag=flag, variant="a", reason="why", expires_at=timezone.now()
    )
    page = admin_client.get("/admin/flags/flag/")
    (row,) = page.context["cl"].result_list
    admin = page.context["cl"].model_admin
    shown = (admin.state(row), admin.rule_count(row), admin.serves(row), admin.overridden(row))
    assert shown == ("on", 2, "a", 1)


# Segments and traits


def segment(**fields: Any) -> dict[str, Any]:
    return {"key": "eu", "rules": "", "include": "", "exclude": "", **fields}


def test_segment__lists_a_line_each__are_saved_and_shown(admin_client: Client) -> None:
    data = segment(include="acme\r\nbolt\r\n", exclude="cobalt", rules=f"[{PRO}]")
    assert admin_client.post("/admin/flags/segment/add/", data).status_code == 302
    stored = Segment.objects.get()
    assert stored.lists() == (["acme", "bolt"], ["cobalt"])
    page = admin_client.get(f"/admin/flags/segment/{stored.pk}/change/")
    assert "acme\nbolt</textarea>" in page.content.decode()
    assert "2 included, 1 excluded" in admin_client.get("/admin/flags/segment/").content.decode()


def test_segment__long_list_from_a_file__is_rows_and_can_be_replaced(admin_client: Client) -> None:
    many = "\n".join(f"k{number}" for number in range(10_001)).encode()
    data = segment(include_file=SimpleUploadedFile("keys.txt", many))
    assert admin_client.post("/admin/flags/segment/add/", data).status_code == 302
    stored = Segment.objects.get()
    assert (stored.is_long, stored.members.count()) == (True, 10_001)
    url = f"/admin/flags/segment/{stored.pk}/change/"
    assert "10,001 included, 0 excluded" in admin_client.get(url).content.decode()
    before = stored.members.order_by("pk").first()
    admin_client.post(url, {"key": "eu", "rules": "", "note": "kept"})
    assert stored.members.count() == 10_001
    assert stored.members.order_by("pk").first() == before
    admin_client.post(
        url, {"key": "eu", "rules": "", "include_file": SimpleUploadedFile("keys.txt", b"acme")}
    )
    stored.refresh_from_db()
    assert (stored.is_long, stored.lists()) == (False, (["acme"], []))


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"include": "a b", "exclude": "b"}, "", "“b” is both included and excluded."),
        ({"rules": "[[1]]"}, "rules", "Entry 1, entry 1: "),
        ({"rules": '[[{"op": "segment", "values": ["no"]}]]'}, "rules", "There is no segment"),
        ({"key": "Big"}, "key", "is not a key"),
        ({"include_file": SimpleUploadedFile("k", b"\xff")}, "include_file", "no UTF-8 text"),
    ],
)
def test_segment__that_does_not_check__says_so_on_the_field(
    admin_client: Client, fields: dict[str, Any], field: str, sentence: str
) -> None:
    page = admin_client.post("/admin/flags/segment/add/", segment(**fields))
    assert any(sentence in each for each in errors_of(page)[field])
    assert not Segment.objects.exists()


@pytest.mark.parametrize("rules", ["[[1]]", '[[{"op": "segment", "values": ["no"]}]]'])
def test_segment__refused_beside_a_file__asks_for_the_file_again(
    admin_client: Client, rules: str
) -> None:
    data = segment(rules=rules, include_file=SimpleUploadedFile("keys.txt", b"acme"))
    page = admin_client.post("/admin/flags/segment/add/", data).content.decode()
    assert page.count("Choose keys.txt again.") == 1


def test_trait__that_a_rule_asks__cannot_go_or_change_its_type(admin_client: Client) -> None:
    admin_client.post(ADD, posted(variants=TWO, rules=[rule()]))
    plan = Trait.objects.get(name="plan")
    url = f"/admin/flags/trait/{plan.pk}/"
    page = admin_client.post(f"{url}change/", {"name": "plan", "type": "num"})
    assert "is not of the type num" in str(errors_of(page))
    admin_client.post(f"{url}delete/", {"post": "yes"})
    assert Trait.objects.get(name="plan").type == "str"


# Overrides


def test_override__added__has_its_author_and_takes_effect(
    admin_client: Client, admin_user: User, acme: Account
) -> None:
    flag = Flag.objects.create(name="f")
    data = {"account": acme.pk, "flag": flag.pk, "variant": "on", "reason": "asked for"}
    url = reverse("admin:flags_accountoverride_add")
    assert admin_client.post(url, data).status_code == 302
    assert AccountOverride.objects.get().author == admin_user.get_username()
    assert flag.is_active_for_account(acme)
    page = admin_client.post(url, data)
    assert errors_of(page) == {"": ["This account has a live override of this flag already."]}


@pytest.mark.parametrize(
    ("change", "field"),
    [({"variant": "purple"}, "variant"), ({"reason": ""}, "reason"), ({"account": ""}, "account")],
)
def test_override__nonsense__is_refused_on_the_field(
    admin_client: Client, acme: Account, change: dict[str, str], field: str
) -> None:
    flag = Flag.objects.create(name="f")
    data = {"account": acme.pk, "flag": flag.pk, "variant": "on", "reason": "asked for", **change}
    page = admin_client.post(reverse("admin:flags_accountoverride_add"), data)
    assert list(errors_of(page)) == [field]

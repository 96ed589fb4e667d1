"""Every refusal of the rule language by every route: a file, the rows, the forms. Nothing stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from flags import publishing
from flags.document import diff, export
from flags.document.check import checked
from flags.document.restore import restore
from flags.engine import DocumentError
from flags.models import Flag, Revision, Rule, Segment, Trait
from tests.flags.admin.test_admin import errors_of
from tests.flags.engine.test_refusals import CASES, DOCUMENT, changed

pytestmark = pytest.mark.django_db

# Where the rows keep a part of the document as it is: the flag's, the rule's, the segment's.
FLAG_COLUMNS = {"default": "default", "requires": "requires", "off": "off_variant"}
FLAG_COLUMNS |= {"vocabulary": "vocabulary", "salt": "salt"}
RULE_COLUMNS = {"when": "when", "serve": "serve", "group": "group", "id": "rule_id"}
SEGMENT_COLUMNS = {"rules": "rules", "include": "include", "exclude": "exclude"}


def pointers(case: dict[str, Any]) -> list[list[str]]:
    both = [*case.get("set", {}), *case.get("remove", [])]
    return [[part.replace("~1", "/") for part in pointer.split("/")[1:]] for pointer in both]


def is_in_columns(parts: list[str]) -> bool:
    """Whether a row's column holds what is changed: one of a flag, a rule or a segment there."""
    match parts:
        case ["flags", name, "rules", number, column, *_]:
            rules = DOCUMENT["flags"].get(name, {}).get("rules", [])
            return column in RULE_COLUMNS and number in map(str, range(len(rules)))
        case ["flags", name, column, *_]:
            return name in DOCUMENT["flags"] and column in FLAG_COLUMNS
        case ["segments", name, column, *_]:
            return name in DOCUMENT["segments"] and column in SEGMENT_COLUMNS
    return False


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(each, id=each["name"]) for each in cases]


# A row cannot lack a column.
IN_COLUMNS = [
    case
    for case in CASES["cases"]
    if all(map(is_in_columns, pointers(case)))
    and not any(removed.count("/") in {3, 5} for removed in case.get("remove", []))
]
# What is typed is text, a line an account; and a form keeps long lists as rows of their own.
NOT_TYPED = {
    "account that is a number",
    "account of nothing",
    "too many accounts in a segment",
    "serve that is a text",
}
TYPED = [
    case
    for case in IN_COLUMNS
    if case["name"] not in NOT_TYPED and len({tuple(each[:2]) for each in pointers(case)}) == 1
]


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    """The tables say the base document, and go on saying it."""
    restore(checked(DOCUMENT))
    last = publishing.publish()
    before = export.document()
    yield
    assert not diff.diff(export.document(), before)
    assert Revision.objects.first() == last


def test_columns__hold_most_of_the_cases() -> None:
    assert len(IN_COLUMNS) > 0.6 * len(CASES["cases"])


@pytest.mark.parametrize("case", named(CASES["cases"]))
def test_file__that_does_not_check__is_refused(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(changed(case)))
    with pytest.raises(DocumentError) as refusal:
        call_command("revisions", "apply", str(file))
    found = [[each["path"], each["value"], each["code"]] for each in refusal.value.errors]
    assert found == case["refused"]


@pytest.mark.parametrize("case", named(IN_COLUMNS))
def test_rows__that_do_not_check__are_not_published(case: dict[str, Any]) -> None:
    wanted = changed(case)
    with pytest.raises((DocumentError, ValidationError, IntegrityError)), transaction.atomic():
        put_and_publish(wanted, pointers(case))


def put_and_publish(wanted: Any, all_parts: list[list[str]]) -> None:
    for parts in all_parts:
        put(wanted, parts)
    publishing.publish()


def put(wanted: Any, parts: list[str]) -> None:
    """Write the column by the rows' own save()."""
    row: Flag | Rule | Segment
    match parts:
        case ["flags", name, "rules", number, column, *_]:
            rule = wanted["flags"][name]["rules"][int(number)]
            row = Flag.objects.get(name=name).rules.all()[int(number)]
            setattr(row, RULE_COLUMNS[column], rule.get(column, ""))
        case ["flags", name, column, *_]:
            row = Flag.objects.get(name=name)
            setattr(row, FLAG_COLUMNS[column], wanted["flags"][name].get(column, ""))
        case ["segments", name, column, *_]:
            row = Segment.objects.get(key=name)
            setattr(row, SEGMENT_COLUMNS[column], wanted["segments"][name].get(column))
        case _:
            raise AssertionError(parts)
    row.save()


@pytest.mark.parametrize("case", named(TYPED))
def test_form__that_does_not_check__says_so_and_saves_nothing(
    admin_client: Client, case: dict[str, Any]
) -> None:
    wanted = changed(case)
    section, name, *_ = pointers(case)[0]
    model, key = (Flag, "name") if section == "flags" else (Segment, "key")
    pk = model._default_manager.get(**{key: name}).pk
    url = f"/admin/flags/{model._meta.model_name}/{pk}/change/"
    data = shown(admin_client, url)
    for parts in pointers(case):
        data |= typed(wanted, parts)
    page = admin_client.post(url, data)
    assert errors_of(page)


def shown(client: Client, url: str) -> dict[str, Any]:
    """What the page would post as it is."""
    page = client.get(url)
    forms = [page.context["adminform"].form]
    data: dict[str, Any] = {}
    for inline in page.context.get("inline_admin_formsets", ()):
        forms += inline.formset.initial_forms
        data |= {each.html_name: each.value() for each in inline.formset.management_form}
    values = {field.html_name: field.value() for form in forms for field in form}
    return data | {
        name: each for name, each in values.items() if each is not None and each is not False
    }


def typed(wanted: Any, parts: list[str]) -> dict[str, str]:
    """The field for what is changed, and what is typed into it."""
    match parts:
        case ["flags", name, "rules", number, column, *_]:
            value = wanted["flags"][name]["rules"][int(number)].get(column, "")
            return {f"rules-{number}-{RULE_COLUMNS[column]}": as_text(value)}
        case ["flags", name, column, *_]:
            return {FLAG_COLUMNS[column]: as_text(wanted["flags"][name].get(column, ""))}
    value = wanted["segments"][parts[1]].get(parts[2])
    if parts[2] != "rules" and isinstance(value, list):
        return {parts[2]: "\n".join(map(str, value))}
    return {parts[2]: as_text(value)}


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_trait__of_an_unknown_type__is_refused_by_every_route(admin_client: Client) -> None:
    page = admin_client.post("/admin/flags/trait/add/", {"name": "tea", "type": "cup"})
    assert "type" in errors_of(page)
    Trait.objects.create(name="tea", type="cup")
    with pytest.raises(DocumentError):
        publishing.publish()
    Trait.objects.get(name="tea").delete()

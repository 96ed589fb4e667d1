"""Every refusal, by its exact path, value and code."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from typing import Any

import pytest

from flags.engine import DocumentError, parse
from flags.engine.problems import Code
from tests.conftest import ROOT

CASES = json.loads((ROOT / "tests/cases/engine_refusals.json").read_text())
DOCUMENT, VOCABULARIES = CASES["document"], CASES["vocabularies"]

# Refusals of texts, which no JSON file can hold.
TEXTS: dict[str, tuple[object, str, Code]] = {
    "no JSON": ("{", "", Code.NOT_JSON),
    "two documents": ("{} {}", "", Code.NOT_JSON),
    "bytes that are no UTF-8": (b'"\xff"', "", Code.NOT_JSON),
    "a key twice": ('{"traits": {"a": "str", "a": "num"}}', "/traits/a", Code.DUPLICATE_KEY),
    "not a number": ('{"number": NaN}', "/number", Code.NOT_FINITE),
    "infinity": ('{"number": 1e999}', "/number", Code.NOT_FINITE),
    "an integer of 5,000 digits": ("1" * 5_000, "", Code.INTEGER_TOO_BIG),
    "a Python integer of 5,000 digits": ({"number": 10**5_000}, "/number", Code.INTEGER_TOO_BIG),
    "lists 100,000 deep": ("[" * 100_000, "", Code.TOO_DEEP),
    "objects 5,000 deep": ('{"a":' * 5_000 + "1" + "}" * 5_000, "", Code.TOO_DEEP),
    "more than 32 MB": (" " * (32 * 1024 * 1024 + 1), "", Code.TOO_BIG),
    "UTF-16": ("{}".encode("utf-16"), "", Code.NOT_JSON),
    "400,000 lists and objects": ("{[" * 200_000, "", Code.TOO_BIG),
    "3,000,000 values": ("[" + "0," * 3_000_000 + "0]", "", Code.TOO_BIG),
    "400,000 objects in an object": (
        {"sections": {"s": {f"{at}": [{}] * 8 for at in range(50_000)}}},
        "/sections/s/33333",
        Code.TOO_BIG,
    ),
    "18 million characters of three bytes": (
        {"sections": {"s": {"t": "€" * 18_000_000}}},
        "/sections/s/t",
        Code.TOO_BIG,
    ),
    "brackets beside a string that is not closed": (
        "[" * 300_001 + '"' + '\\"' * 1_000_000,
        "",
        Code.TOO_BIG,
    ),
    "a set": ({"traits": {1, 2}}, "/traits", Code.NOT_PLAIN),
    "a key that is a number": ({"traits": {1: "str"}}, "/traits", Code.KEY_NOT_TEXT),
    "a tuple": ({"flags": ()}, "/flags", Code.NOT_PLAIN),
    "nothing": (None, "", Code.WRONG_TYPE),
    "schema true": ({**DOCUMENT, "schema": True}, "/schema", Code.NOT_SUPPORTED),
    "schema 1.0": ({**DOCUMENT, "schema": 1.0}, "/schema", Code.NOT_SUPPORTED),
    "an ordered object": (OrderedDict(DOCUMENT), "", Code.NOT_PLAIN),
}  # fmt: skip


def expand(value: object) -> object:
    if value == "$flag":
        return copy.deepcopy(DOCUMENT["flags"]["yes"])
    if value == "$10001":
        return [f"account-{number}" for number in range(10_001)]
    if value == "$any21":
        nested: Any = {"trait": "plan", "op": "exists"}
        for _ in range(21):
            nested = {"op": "any", "values": [[nested]]}
        return [nested]
    if value == "$deep":
        deep: Any = [0]
        for _ in range(97):
            deep = [deep]
        return deep
    return value


def changed(case: dict[str, Any]) -> Any:
    document: Any = copy.deepcopy(DOCUMENT)
    for pointer in [*case.get("set", {}), *case.get("remove", [])]:
        *parents, last = (
            part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]
        )
        where = document
        for part in parents:
            where = where[int(part) if isinstance(where, list) else part]
        if pointer in case.get("set", {}):
            where[int(last) if isinstance(where, list) else last] = expand(case["set"][pointer])
        else:
            del where[last]
    return document


@pytest.mark.parametrize("case", [pytest.param(each, id=each["name"]) for each in CASES["cases"]])
def test_parse__refused_document__names_path_value_and_code(case: dict[str, Any]) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(changed(case), vocabularies=VOCABULARIES)
    found = [[each["path"], each["value"], each["code"]] for each in caught.value.errors]
    assert found == case["refused"]
    assert all(each["path"] in str(caught.value) for each in caught.value.errors)


@pytest.mark.parametrize("name", TEXTS)
def test_parse__refused_text_or_object__names_path_and_code(name: str) -> None:
    source, path, code = TEXTS[name]
    with pytest.raises(DocumentError) as caught:
        parse(source)
    assert {(path, code.name.lower())} <= {
        (each["path"], each["code"]) for each in caught.value.errors
    }


def test_parse__the_document_of_the_cases__is_accepted() -> None:
    assert parse(DOCUMENT, vocabularies=VOCABULARIES) == DOCUMENT


def test_parse__brackets_and_commas_in_a_string__are_text() -> None:
    crowded = {**DOCUMENT, "sections": {"s": {"t": '[{,\\"' * 700_000}}}
    assert parse(crowded) == parse(json.dumps(crowded)) == crowded


def test_parse__schema_that_is_none__is_named() -> None:
    for value, shown in (("1", "1"), (True, True), ([1], "a list of 1")):
        with pytest.raises(DocumentError) as refusal:
            parse({**DOCUMENT, "schema": value})
        assert [each["value"] for each in refusal.value.errors] == [shown]


def test_error__printed__is_a_line_a_problem() -> None:
    with pytest.raises(DocumentError) as refusal:
        parse({**DOCUMENT, "traits": {"a\n/b: fine": "str"}})
    assert len(str(refusal.value).splitlines()) == len(refusal.value.errors) == 1


@pytest.mark.parametrize(
    ("op", "kind", "value"), [("glob", "str", "*a*"), ("cidr", "ip", "10.0.0.0/8")]
)
def test_parse__many_values_to_scan_many_times__is_too_much_work(
    op: str, kind: str, value: str
) -> None:
    clause = {"op": op, "trait": "t", "values": [value] * 1_000}
    document = copy.deepcopy(DOCUMENT)
    document["traits"]["t"] = kind
    document["segments"] = {"s": {"include": [], "exclude": [], "rules": [[clause]]}}
    variant = next(iter(document["flags"]["yes"]["variants"]))
    document["flags"] = {"yes": document["flags"]["yes"]}
    document["flags"]["yes"]["requires"] = []
    asked = [{"op": "segment", "values": ["s"]}]
    rules = [{"id": f"r{at}", "when": asked, "serve": {"variant": variant}} for at in range(250)]
    document["flags"]["yes"]["rules"] = rules
    with pytest.raises(DocumentError, match="would look at"):
        parse(document)
    document["flags"]["yes"]["rules"] = rules[:100]
    parse(document)


def test_parse__defaults_said__are_the_defaults() -> None:
    said = {"not": False, "absent": None, "fold": False}
    clauses = [
        {"op": "exists", "trait": "plan", **said},
        {"op": "segment", "values": ["all"], **said},
        {"op": "share", "salt": "s", "to": 1, **said},
    ]
    clauses.append({"op": "any", "values": [[each] for each in clauses], **said})
    document = copy.deepcopy(DOCUMENT)
    document["segments"]["all"] = {"include": [], "exclude": [], "rules": []}
    document["flags"]["yes"]["rules"] = [
        {
            "id": "r",
            "when": clauses,
            "serve": {"variant": next(iter(document["flags"]["yes"]["variants"]))},
        }
    ]
    document["flags"]["yes"]["requires"] = []
    assert parse(document) == document


def test_parse__no_vocabularies_at_hand__takes_the_names_as_they_are() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["flags"]["text"]["vocabulary"] = "anything"
    assert parse(document) == document


def test_parse__hundreds_of_problems__stops_at_a_hundred() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["segments"]["eu-pro"]["rules"] = [[{"trait": "x", "op": "exists"}]] * 500
    with pytest.raises(DocumentError) as caught:
        parse(document)
    assert len(caught.value.errors) == 100


def test_codes__each__has_a_refusal_that_shows_it() -> None:
    shown = {refused[2] for case in CASES["cases"] for refused in case["refused"]}
    shown |= {code.name.lower() for _, _, code in TEXTS.values()}
    assert shown == {code.name.lower() for code in Code}

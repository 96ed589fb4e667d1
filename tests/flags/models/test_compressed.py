"""A revision's text is a tenth of itself in the database, and what is no text is damage."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from django.core import serializers
from django.db import connection

from flags import publishing
from flags.document.stored import DamagedRevision, content
from flags.models import Flag, Revision, Rule

pytestmark = pytest.mark.django_db


def stored(number: int) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM flags_revision WHERE number = %s", [number])
        return bytes(cursor.fetchone()[0])


def test_revision__of_a_thousand_rules__takes_an_eighth_of_its_text() -> None:
    flag = Flag.objects.create(name="f")
    Rule.objects.bulk_create(
        Rule(
            flag=flag,
            rule_id=f"r{number}",
            position=number,
            when=[{"op": "share", "salt": f"salt-{number * 7919}", "to": number}],
            serve={"variant": "on"},
        )
        for number in range(1_000)
    )
    row = Revision.objects.get(pk=publishing.publish().pk)
    kept = stored(row.number)
    assert zlib.decompress(kept).decode() == row.text
    assert len(kept) * 8 <= len(row.text.encode())
    assert len(content(row)["flags"]["f"]["rules"]) == 1_000


@pytest.mark.parametrize(
    "kept", [b"", b"{}", b"\xff", zlib.compress(b"\xff"), zlib.compress(b"{}")]
)
def test_revision__bytes_that_are_not_its_text__are_damage(kept: bytes) -> None:
    row = publishing.publish()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flags_revision SET text = %s", [kept])
    with pytest.raises(DamagedRevision):
        content(Revision.objects.get(pk=row.pk))


def test_revision__as_a_fixture__is_its_text() -> None:
    row = publishing.publish()
    dumped = serializers.serialize("json", [row])
    assert json.loads(dumped)[0]["fields"]["text"] == row.text
    (loaded,) = serializers.deserialize("json", dumped)
    revision: Any = loaded.object
    assert revision.text == row.text

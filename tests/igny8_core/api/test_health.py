"""What a load balancer and Prometheus ask."""

from __future__ import annotations

import re

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from flags import live, publishing
from flags.engine import DocumentError
from flags.models import Flag, Head, Revision, Rule

COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_livez__without_a_database__is_ok(client: Client) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz__serving__has_details_and_asks_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    live.current()
    with django_assert_num_queries(0):
        answer = client.get("/readyz")
    assert answer.status_code == 200
    facts = answer.json()
    assert (facts["status"], facts["source"], facts["error"]) == ("ok", "database", None)
    assert (facts["number"], facts["behind"]) == (live.current().number, 0)
    assert facts["age_s"] >= 0


@COMMITTED
def test_readyz__nothing_to_serve_from__is_503(client: Client) -> None:
    Revision.objects.all().delete()
    Head.objects.update(version="x", published="x")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")


@COMMITTED
def test_readyz__tables_that_do_not_check__serves_on_and_says_so(client: Client) -> None:
    live.current()
    with transaction.atomic():
        flag = Flag.objects.create(name="f")
        Rule.objects.create(flag=flag, serve={"variant": "purple"})
    live._process.try_refresh()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["faults"] == ["held_back"]
    assert "purple" not in answer.content.decode()


@COMMITTED
@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("database", 'connection to server at "db.internal", port 5432 failed: database "prod"'),
        ("copy", "The copy on disk cannot be written: [Errno 13] denied: '/var/lib/secret'"),
        ("announcements", "Redis: Error 111 connecting to redis.internal:6379."),
        ("held back", "segment vips: 'secret-customer-gmbh' is both included and excluded."),
        ("thread", "OperationalError('host=db.internal')"),
    ],
)
def test_readyz__faults__name_no_host_and_no_file(client: Client, what: str, fault: str) -> None:
    live.current()
    live._process.health.note(what, fault)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["faults"]) == (200, [what.replace(" ", "_")])
    assert answer.json()["error"].endswith(".")
    assert not re.search(r"internal|secret|prod|5432|6379", answer.content.decode())


@pytest.mark.django_db
def test_metrics__of_this_process__are_prometheus_text(client: Client) -> None:
    before = sample(client, "flags_refused_publishes_total")
    flag = Flag.objects.create(name="f")
    Rule.objects.create(flag=flag, serve={"variant": "purple"})
    with pytest.raises(DocumentError):
        publishing.publish()
    assert sample(client, "flags_refused_publishes_total") == before + 1
    for name in (
        "flags_revision",
        'flags_snapshot_source{source="database"}',
        "flags_snapshot_checked_timestamp_seconds",
        "flags_load_seconds_count",
        "flags_compile_seconds_count",
        "flags_reconnects_total",
        "flags_account_facts_hits_total",
        "flags_account_facts_misses_total",
    ):
        sample(client, name)


def sample(client: Client, name: str) -> float:
    lines = client.get("/metrics").content.decode().splitlines()
    (line,) = [each for each in lines if each.startswith(f"{name} ")]
    return float(line.split()[1])


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_health__where_only_https_is_served__answers_http(
    client: Client, settings: Settings, path: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(path).status_code == 200

"""What a load balancer and Prometheus ask: alive, ready, measured."""

from __future__ import annotations

import os
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.registry import REGISTRY

from flags import live
from igny8_core.modules.usage import waiting


def livez(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_request: HttpRequest) -> HttpResponse:
    """200 while there is something to serve from, with what is wrong; else 503."""
    live.current()
    status = live.snapshot_status()
    entries = waiting.status()
    faults = [*status.faults, *(["spool"] if entries.entries else [])]
    told = {what: _told(what) for what in faults}
    word = "degraded" if told or status.error is not None else "ok"
    body = {
        "status": word if status.is_serving else "down",
        "spool": {"entries": entries.entries, "age_s": entries.age_s},
        "number": status.number,
        "source": status.source,
        "age_s": status.age_s,
        "behind": status.behind,
        "faults": [what.replace(" ", "_") for what in told],
        "error": " ".join(told.values()) or None,
    }
    answer = HTTPStatus.OK if status.is_serving else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(body, status=answer)


# What may be told to anybody: the log has the hosts, ports, names and files.
_TOLD = {
    "held back": "Some of what the tables say is held back; `manage.py publish` says what and why.",
    "announcements": "Redis cannot be used; changes are heard by the poll.",
    "copy": "The copy on disk cannot be used.",
    "spool": "Entries of the ledger wait on this machine's disk for the database.",
    "database": "The database cannot be used, or its newest revision cannot.",
    "facts": "What is known of some accounts cannot be read again.",
}


def _told(what: str) -> str:
    return _TOLD.get(what, "The process cannot become current; its log says why.")


def metrics(_request: HttpRequest) -> HttpResponse:
    """Of this process; of all that live where PROMETHEUS_MULTIPROC_DIR is set."""
    live.measure()
    registry = REGISTRY
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _forget_the_dead(folder: Path) -> None:
    """What a process that was killed said last holds no longer."""
    for pid in {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another scrape was sooner
                multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]

"""What can be measured of this process, for Prometheus."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram


# Made when first set: of a process that was never asked there is nothing to say, not even 0.
@cache
def revision() -> Gauge:
    return Gauge("flags_revision", "The revision in force.", multiprocess_mode="livemin")


@cache
def checked_at() -> Gauge:
    return Gauge(
        "flags_snapshot_checked_timestamp_seconds",
        "When the database last said what is newest; time() minus this is the snapshot's age.",
        multiprocess_mode="livemin",
    )


SOURCE = Gauge(
    "flags_snapshot_source",
    "How many processes have their snapshot from there.",
    ["source"],
    multiprocess_mode="livesum",
)
LOAD_S = Histogram("flags_load_seconds", "Reading the document of a revision.")
COMPILE_S = Histogram("flags_compile_seconds", "Compiling a revision.")
REFUSED = Counter("flags_refused_publishes", "Changes that did not check.")
TAKEN = Counter("flags_taken_models", "Publishes by programs that took models away.")
RECONNECTS = Counter("flags_reconnects", "Connections to Redis made anew.")
FACTS_HITS = Counter("flags_account_facts_hits", "Accounts whose facts were at hand.")
FACTS_MISSES = Counter("flags_account_facts_misses", "Accounts whose facts had to be read.")

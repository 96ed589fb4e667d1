"""flags knows no host: here its tables begin without the host's flags."""

from __future__ import annotations

import pytest

from flags.models import Flag


@pytest.fixture(autouse=True)
def _no_flags(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("django_db") or "db" in request.fixturenames:
        request.getfixturevalue("db")
        Flag._base_manager.all().delete()

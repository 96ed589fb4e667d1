"""A database of an earlier version migrates, says what it said before, and what it now means."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from igny8_core.tasks.tasks import TASKS
from tests.conftest import ROOT, environment, run_manage

CASES = ROOT / "tests" / "cases" / "upgrade"
NOW = re.compile(r" from \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$")
TOLD = """
import json
from django.core.management import call_command
from flags.document import export
from flags.models import Revision
from igny8_core.modules.usage.models import Receipt
before = Revision.objects.first().number
call_command("migrate", verbosity=0)
print(json.dumps({
    "document": export.document(),
    "summary": Revision.objects.first().summary,
    "new_revisions": Revision.objects.filter(number__gt=before).count(),
    "receipts": sorted({(row.variant, row.arm) for row in Receipt.objects.all()}),
}))
"""


@pytest.mark.parametrize("dump", sorted(CASES.glob("*.sql")), ids=lambda path: path.stem)
def test_migrate__database_of_an_earlier_version__exports_the_same(
    tmp_path: Path, dump: Path
) -> None:
    database = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(dump.read_text())
    done = run_manage("shell", "--verbosity=0", "--command", TOLD, env=environment(database))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    exported = json.loads(dump.with_suffix(".json").read_text())
    assert told["document"]["sections"].pop("tasks")["tasks"].keys() == {*TASKS}
    section = told["document"]["sections"]["catalogue"]
    assert {*section.pop("providers")} == {"openai", "anthropic", "google", "runware"}
    assert section.pop("aliases")["gpt-4o-2024-08-06"].popitem()[1] == "gpt-4o"
    had = exported["sections"]["catalogue"]["models"]
    begun = []
    for model_id, model in section["models"].items():
        model.pop("context_window", None)  # a migration fills them in
        begun += [
            model["prices"].pop(moment)  # another adds lines, by a price from now
            for moment in {*model["prices"]} - {*had[model_id]["prices"]}
        ]
    assert len(begun) == 10  # the eleventh model has another price than the plan's
    assert told["document"] == {**exported, "schema": 2}
    assert (told["new_revisions"], told["receipts"]) == (1, [["", ""]])
    told["summary"] = [NOW.sub(" from now", fact) for fact in told["summary"]]
    assert told["summary"] == json.loads(dump.with_suffix(".summary.json").read_text())

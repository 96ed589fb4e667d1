"""A process that a test talks to, a line of JSON each way: it asks as a pipeline, or operates."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any

import django


class Worker:
    """Each method is a command, and its answer is printed."""

    def __init__(self) -> None:
        self._asking = threading.Event()
        self._asked = 0
        self._errors: list[str] = []
        self._seen: list[Any] = []
        self._child = (-1, -1)

    # As a pipeline

    def status(self) -> Any:
        from flags import live

        live.current()
        return live.snapshot_status()._asdict()

    def ask_in_a_loop(self) -> Any:
        """What a coroutine of an ASGI server gets, asking first of all; of an account too."""
        from flags import live

        async def ask() -> Any:
            return [live.current().number, self.active("f"), self.resolve()[0]]

        return asyncio.run(ask())

    def active(self, flag: str, account: str = "acme") -> Any:
        from flags import live
        from flags.accounts.lookup import facts_of_key

        facts = facts_of_key(account)
        now = int(time.time() * 1000)
        ruleset = live.current().ruleset
        override = facts.override_at(now)
        return ruleset.evaluate(flag, facts.subject, now=now, override=override).value

    def resolve(self, account: str = "acme", task: str = "generate_content") -> Any:
        from igny8_core.ai.resolver import resolve
        from igny8_core.modules.accounts.models import Account

        found = resolve(Account(key=account), task)
        return [found.model.model_id, found.reason]

    def load(self) -> None:
        """Ask on and on, in a thread, until `rest`."""
        self._asking.set()
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        while self._asking.is_set():
            try:
                self.active("f")
                self.resolve()
            except Exception as error:  # noqa: BLE001 - the test says that there is none
                self._errors.append(repr(error))
            self._asked += 1
            time.sleep(0.001)

    def asked(self) -> int:
        return self._asked

    def rest(self) -> Any:
        self._asking.clear()
        return {"asked": self._asked, "errors": self._errors[:5]}

    def clock(self, by_s: float) -> None:
        import time_machine

        time_machine.travel(time.time() + by_s, tick=True).start()

    def limit(self, file_bytes: int) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    def fork(self) -> None:
        """A child that asks nothing before `child` tells it to, and then says what it is told."""
        from flags import live

        live.current()
        answer, say = os.pipe()
        wait, go = os.pipe()
        if os.fork() == 0:
            os.read(wait, 1)
            os.write(say, str(live.current().number).encode())
            os._exit(0)
        self._child = (go, answer)

    def child(self) -> Any:
        """The first answer that it gets."""
        go, answer = self._child
        os.write(go, b"x")
        return int(os.read(answer, 100))

    # As an operator

    def turn(self, on: bool | None) -> Any:
        from flags.models import Flag, Revision

        flag, _ = Flag.objects.get_or_create(name="f")
        flag.everyone = on
        flag.save()
        return Revision.objects.values_list("number", flat=True).first()

    def turn_in_a_transaction(self, on: bool) -> Any:
        """Change the flag and ask before the commit: what is seen, and whether the thread was done.

        A thread that waits for this transaction has no snapshot to answer from yet.
        """
        from django.db import transaction

        from flags import live
        from flags.models import Flag

        with transaction.atomic():
            flag = Flag.objects.get(name="f")
            flag.everyone = on
            flag.save()
            seen = self.active("f")
            has_snapshot = live._process.first.is_set()
        return {"seen": seen, "has_snapshot": has_snapshot}

    def override(self, account: str, variant: str | None) -> None:
        from flags.models import AccountOverride, Flag
        from igny8_core.modules.accounts.models import Account

        row, _ = Account.objects.get_or_create(key=account, defaults={"name": account})
        for each in AccountOverride.objects.filter(account=row):
            each.delete()
        if variant is not None:
            flag = Flag.objects.get(name="f")
            AccountOverride.objects.create(account=row, flag=flag, variant=variant, reason="test")

    def sql(self, text: str, *parameters: Any) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(text, parameters)

    def store(self, schema: int) -> Any:
        """A revision as another version of the software would store it."""
        from flags.document import stored
        from flags.models import Head, Revision

        last = Revision.objects.latest("number")
        document = {**stored.content(last), "schema": schema, "number": last.number + 1}
        text = stored.canonical(document)
        Revision.objects.create(
            number=last.number + 1, text=text, checksum=stored.checksum_of(text), parent=last
        )
        Head.objects.update(version=f"of {schema}", published=f"of {schema}")
        return last.number + 1

    def text_serving(self, variant: str) -> str:
        """A document whose flag serves by default a variant that it may not have."""
        from flags.document import stored
        from flags.models import Revision

        last = Revision.objects.latest("number")
        document: Any = stored.content(last)
        flag = {**document["flags"]["f"], "default": {"variant": variant}}
        flags = {**document["flags"], "f": flag}
        return stored.canonical({**document, "number": last.number + 1, "flags": flags})

    def store_text(self, text: str) -> None:
        """A revision that is no document, under its right checksum."""
        from flags.document import stored
        from flags.models import Head, Revision

        last = Revision.objects.latest("number")
        Revision.objects.create(
            number=last.number + 1, text=text, checksum=stored.checksum_of(text), parent=last
        )
        Head.objects.update(version="by hand", published="by hand")


def main() -> None:
    django.setup()
    worker = Worker()
    for line in sys.stdin:
        name, arguments, named = json.loads(line)
        try:
            answer: Any = {"answer": getattr(worker, name)(*arguments, **named)}
        except Exception as error:  # noqa: BLE001 - the test fails with it
            answer = {"error": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

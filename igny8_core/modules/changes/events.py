"""What is told in the feed beside changes of rows: revisions, and logins that were refused."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from flags.models import Revision
from igny8_core.modules.accounts.guessing import wait_s
from igny8_core.modules.changes.models import Action
from igny8_core.modules.changes.recording import add


def published(instance: Revision, *, created: bool, raw: bool = False, **_signal: Any) -> None:
    """A receiver of `post_save`: the revision's number, comment and sentences."""
    if created and not raw:
        after = {"summary": instance.summary}
        add(
            Action.ADDED,
            "flags.revision",
            str(instance.number),
            after=after,
            why=instance.comment,
        )


def login_refused(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any
) -> None:
    """A receiver of `user_login_failed`; attempts that were not even tried are not told."""
    if not wait_s(request):
        name = str(credentials.get("username", "")).replace("\0", "\\0")
        shown = name.encode(errors="backslashreplace").decode()
        add(Action.REFUSED, "login", shown, after={"name": shown[:200]})

"""What is told in the feed beside changes of rows: revisions, and logins that were refused."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from flags.models import Revision, Segment
from igny8_core.modules.accounts.guessing import wait_s
from igny8_core.modules.changes.entries import entry, keep
from igny8_core.modules.changes.models import Action


def published(instance: Revision, *, created: bool, raw: bool = False, **_signal: Any) -> None:
    """A receiver of `post_save`: the revision's number, comment and sentences."""
    if created and not raw:
        after = {"summary": instance.summary}
        number = str(instance.number)
        keep([entry(Action.ADDED, "flags.revision", number, after=after, why=instance.comment)])


def list_changed(segment: Segment, added: list[str], removed: list[str], **_signal: Any) -> None:
    """A receiver of `flags.host.list_changed`: what a revision does not say of a long list."""
    after = {"accounts (added)": added, "accounts (removed)": removed}
    told = {name: keys for name, keys in after.items() if keys}
    keep([entry(Action.CHANGED, segment._meta.label_lower, segment.key, after=told)])


def login_refused(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any
) -> None:
    """A receiver of `user_login_failed`; attempts that were not even tried are not told."""
    if not wait_s(request):
        name = str(credentials.get("username", "")).replace("\0", "\\0")
        shown = name.encode(errors="backslashreplace").decode()
        keep([entry(Action.REFUSED, "login", shown, after={"name": shown[:200]})])

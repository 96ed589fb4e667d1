"""What changes what is published, beside the saving of its rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_migrate,
    post_save,
    pre_delete,
    pre_save,
)
from django.db.utils import DEFAULT_DB_ALIAS
from waffle import get_waffle_switch_model

from flags import guarding, live, publishing
from flags.accounts.cache import ALL_ACCOUNTS
from flags.accounts.heard import changed
from flags.accounts.reading import account_model
from flags.models import (
    AccountOverride,
    Flag,
    Revision,
    Rule,
    Segment,
    SegmentMember,
    Trait,
    Variant,
    published,
)
from flags.models.pending import accounts_changed, mark_changed, revision_published, tables_changed
from flags.moved import moved

logger = logging.getLogger(__name__)


def connect() -> None:
    published.in_one_change = publishing.change
    watch(Flag, Variant, Rule, Segment, Trait, get_waffle_switch_model())
    pre_save.connect(_changing, sender=get_waffle_switch_model())
    post_save.connect(_changed, sender=get_waffle_switch_model())
    post_save.connect(_revision_loaded, sender=Revision)
    tables_changed.connect(_publish_committed)
    revision_published.connect(live.published)
    revision_published.connect(guarding.tell)
    _watch_accounts()
    post_migrate.connect(_publish_migrated, sender=apps.get_app_config("flags"))
    for relation in (Flag.users, Flag.groups):
        m2m_changed.connect(_members_changed, sender=relation.through)
    pre_delete.connect(_user_deleted, sender=get_user_model())
    pre_delete.connect(_group_deleted, sender=Group)


def watch(*models: type[Model]) -> None:
    """Have deleted rows and fixtures change what is published; saving is for `Published.save()`.

    Before a row is deleted, so that every writer locks the head row first.
    """
    for sender in models:
        pre_delete.connect(_changed, sender=sender)
        post_save.connect(_loaded, sender=sender)


def _watch_accounts() -> None:
    """Have what is said of accounts forgotten where it is kept."""
    try:
        watch_facts(account_model(), lambda account: account.key)
    except LookupError:  # flags.E001 says what to set
        return
    watch_facts(AccountOverride, lambda override: override.account.key)
    watch_facts(SegmentMember, lambda member: member.key)
    accounts_changed.connect(_accounts_changed)


def watch_facts(sender: type[Model], key: Callable[[Any], str | None]) -> None:
    """Have its saved and deleted rows change the facts of the account with the key.

    ALL_ACCOUNTS: of every account; None: the row says nothing of accounts.
    """

    def hear(instance: Any, *, raw: bool = False, origin: Any = None, **_what: Any) -> None:
        """A fixture's rows may come before their account; of a cascade all is forgotten at once."""
        is_by_itself = not raw and (origin is None or origin is instance)
        told = key(instance) if is_by_itself else ALL_ACCOUNTS
        if told is not None:
            changed(told)

    for signal in (post_save, post_delete):
        signal.connect(hear, sender=sender, weak=False)


def _accounts_changed(keys: Sequence[str] | None, **_what: Any) -> None:
    changed(*([ALL_ACCOUNTS] if keys is None else keys))


def _revision_loaded(*, raw: bool = False, **_what: Any) -> None:
    """A fixture's revisions, as those of a test with `serialized_rollback`, begin anew."""
    if raw:
        live.forget()


def _publish_committed(**_what: Any) -> None:
    """The change is committed: what stands in the way now is left to the next poll."""
    try:
        publishing.publish_pending()
    except DatabaseError as error:
        logger.error("Not published yet: %s", error)  # noqa: TRY400 - it says it


def _publish_migrated(using: str, **what: Any) -> None:
    """Migrations tell of no change; after a part of them the tables may not be there yet."""
    if using != DEFAULT_DB_ALIAS:
        return
    if "plan" not in what:  # a flush, as between two tests of a host: what was in force is gone
        live.forget()
        publishing.publish_pending(comment="migrate")
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    publishing.publish(comment="migrate", remarks=moved)


def _loaded(*, raw: bool, **_what: Any) -> None:
    """A fixture's rows are saved without their own `save()`."""
    if raw:
        mark_changed()


def _changed(**_what: Any) -> None:
    mark_changed()


def _changing(**_what: Any) -> None:
    """By itself a row is saved in a transaction that begins after this signal."""
    if connection.in_atomic_block:
        mark_changed()


def _members_changed(action: str, **_what: Any) -> None:
    if action.startswith("pre_"):
        mark_changed()


def _user_deleted(instance: Model, **_what: Any) -> None:
    """A user's or group's rows in flags' lists go along with it, and send no signal."""
    if Flag.objects.filter(users=instance).exists():
        mark_changed()


def _group_deleted(instance: Model, **_what: Any) -> None:
    if Flag.objects.filter(groups=instance).exists():
        mark_changed()

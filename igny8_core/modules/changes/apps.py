"""Which rows' changes are recorded, and how each is told."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_login_failed
from django.db.models.signals import post_save


class ChangesConfig(AppConfig):
    name = "igny8_core.modules.changes"
    verbose_name = "Changes"

    def ready(self) -> None:
        from django.contrib.auth.models import Group, User

        from flags.host import list_changed
        from flags.models import AccountOverride, Flag, Revision
        from igny8_core import live_settings
        from igny8_core.modules.accounts.models import Account, Membership
        from igny8_core.modules.changes import events
        from igny8_core.modules.changes.members import watch_members
        from igny8_core.modules.changes.recording import Recorded, watch
        from igny8_core.modules.system.models import (
            AIPrompt,
            GlobalAIPrompt,
            GlobalIntegrationSettings,
            IntegrationSettings,
            ProviderKey,
        )

        def account(row: Any) -> str:
            return row.account.key if row.account_id else ""

        def name(row: Any) -> str:
            return str(row)

        clock = frozenset({"updated_at", "created_at"})
        password, login = frozenset({"password"}), frozenset({"last_login"})
        secret, set_at = frozenset({"secret"}), frozenset({"set_at"})
        watch(Account, Recorded(name, lambda row: row.key, unsaid=clock))
        watch(Membership, Recorded(name, account))
        watch(AccountOverride, Recorded(name, account, "reason", unsaid=clock))
        watch(IntegrationSettings, Recorded(name, account, unsaid=clock))
        watch(GlobalIntegrationSettings, Recorded(name, unsaid=clock))
        watch(
            ProviderKey,
            Recorded(name, account, hidden=secret, unsaid=set_at),
        )
        watch(GlobalAIPrompt, Recorded(name, unsaid=clock))
        watch(AIPrompt, Recorded(name, account, unsaid=clock))
        watch(User, Recorded(name, hidden=password, unsaid=login))
        watch(Group, Recorded(name))
        watch(live_settings.STORED, Recorded(lambda row: row.key))
        rights = (User.groups, User.user_permissions, Group.permissions)
        for relation in (*rights, Flag.users, Flag.groups):
            watch_members(relation)
        list_changed.connect(events.list_changed)
        post_save.connect(events.published, sender=Revision)
        user_login_failed.connect(events.login_refused)

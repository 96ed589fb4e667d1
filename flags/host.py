"""The public face for a host: what it registers with flags, and what its rows inherit."""

from __future__ import annotations

from flags.accounts.cache import ALL_ACCOUNTS
from flags.accounts.reading import UnknownAccount
from flags.actors import Actor, acting, actor
from flags.document.blame import last_change
from flags.document.naming import flags_naming
from flags.document.rows import fit
from flags.engine.problems import Path
from flags.models.form_fields import is_number
from flags.models.keys import KEY_PATTERN, check_key, check_visible
from flags.models.pending import (
    has_open_changes,
    list_changed,
    lock_head,
    mark_changed,
    rows_changing,
)
from flags.models.primary import PrimaryQuerySet
from flags.models.published import FactsQuerySet, Published, ToldQuerySet
from flags.registry import (
    AccountFacts,
    Guard,
    Progress,
    Retention,
    Section,
    Unfinished,
    WhyNot,
    keep_flags,
    register_account_facts,
    register_guard,
    register_retention,
    register_section,
    register_trait_values,
    register_vocabulary,
)
from flags.signals import watch, watch_facts

__all__ = [
    "ALL_ACCOUNTS",
    "KEY_PATTERN",
    "AccountFacts",
    "Actor",
    "FactsQuerySet",
    "Guard",
    "Path",
    "PrimaryQuerySet",
    "Progress",
    "Published",
    "Retention",
    "Section",
    "ToldQuerySet",
    "Unfinished",
    "UnknownAccount",
    "WhyNot",
    "acting",
    "actor",
    "check_key",
    "check_visible",
    "fit",
    "flags_naming",
    "has_open_changes",
    "is_number",
    "keep_flags",
    "last_change",
    "list_changed",
    "lock_head",
    "mark_changed",
    "register_account_facts",
    "register_guard",
    "register_retention",
    "register_section",
    "register_trait_values",
    "register_vocabulary",
    "rows_changing",
    "watch",
    "watch_facts",
]

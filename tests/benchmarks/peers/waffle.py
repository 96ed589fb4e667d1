"""django-waffle: a flag of users, then one of a group. Its percentage sticks to a cookie only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group, User
from waffle import get_waffle_flag_model

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import Workload


def waffle(workload: Workload) -> Contender:
    """Asked as waffle's own calls ask: the flag by its name out of the cache, then the user."""
    keys, segment = workload.rules
    flag: Any = get_waffle_flag_model()
    User.objects.bulk_create([User(username=account.key) for account in workload.accounts])
    users = User.objects.in_bulk(field_name="username")
    group = Group.objects.create(name="segment")
    group.user_set.set(
        users[account.key]
        for account in workload.accounts
        if all(account.traits[name] in values for name, values in segment.traits.items())
    )
    flag.objects.create(name="large").users.set(users[key] for key in keys.keys)
    flag.objects.create(name="next").groups.add(group)

    def decide(subjects: Sequence[User]) -> list[Any]:
        return [
            "large"
            if flag.get("large").is_active_for_user(each)
            else "next"
            if flag.get("next").is_active_for_user(each)
            else None
            for each in subjects
        ]

    return Contender(decide, [users[account.key] for account in workload.accounts])

"""The paying tenants, and which users belong to which."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from igny8_core.ai.exceptions import UnknownAccount


class AccountManager(models.Manager["Account"]):
    def by_key(self, key: str) -> Account:
        """The account with this key. One query; raises UnknownAccount."""
        try:
            return self.get(key=key)
        except self.model.DoesNotExist:
            raise UnknownAccount(key) from None


class Account(models.Model):
    """The paying tenant."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        CLOSED = "closed", "Closed"

    key = models.CharField(
        max_length=100,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[a-z0-9][a-z0-9._-]*\Z",
                "“%(value)s” is not a key: use a-z, 0-9, dot, dash and underscore.",
            ),
        ],
        help_text="Stable name; rules, splits and receipts refer to it, so it never changes.",
    )
    name = models.CharField(max_length=200)
    plan = models.CharField(max_length=50, default="free")
    country = models.CharField(
        max_length=2,
        blank=True,
        validators=[
            RegexValidator(
                r"\A[A-Z]{2}\Z", "“%(value)s” is not a country: use two capital letters."
            ),
        ],
        help_text="ISO 3166 code, e.g. DE; empty where unknown.",
    )
    is_internal = models.BooleanField(default=False, help_text="One of our own accounts.")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.ACTIVE)
    traits = models.JSONField(
        default=dict,
        blank=True,
        help_text="Further facts about the account, a JSON object.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        through="Membership",
        related_name="accounts",
    )

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta:
        swappable = "FLAGS_ACCOUNT_MODEL"
        ordering: ClassVar = ["key"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended", "closed"]),
                name="account_status_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class MembershipQuerySet(models.QuerySet["Membership"]):
    def account_of(self, user_id: int, *, preferred_key: str | None = None) -> Account | None:
        """The account that a user works in: the preferred one, else the first joined. One query."""
        memberships = self.filter(user_id=user_id).select_related("account").order_by("pk")
        accounts = [membership.account for membership in memberships]
        preferred = [account for account in accounts if account.key == preferred_key]
        return next(iter(preferred + accounts), None)


class Membership(models.Model):
    """A user's place in an account."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        ADMIN = "admin", "Admin"
        MEMBER = "member", "Member"

    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
    )
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "user"],
                name="one_membership_per_account_and_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.account} ({self.role})"

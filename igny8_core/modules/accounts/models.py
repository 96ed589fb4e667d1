"""The paying tenants, and which users belong to which."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils import timezone

from flags.host import (
    KEY_PATTERN,
    FactsQuerySet,
    ToldQuerySet,
    UnknownAccount,
    check_key,
    check_visible,
)
from igny8_core.modules.accounts.errors import AccountKeyIsFixed

# The columns that rules may ask for, by the trait's name.
COLUMN_TRAITS = ("plan", "country", "status", "is_internal", "created_at")


class AccountStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    CLOSED = "closed", "Closed"


def check_traits(traits: object) -> None:
    """A validator; raises ValidationError."""
    if not isinstance(traits, dict):
        message = f"Traits are a JSON object, not {traits!r}."
        raise ValidationError(message)
    for name in COLUMN_TRAITS:
        if name in traits:
            message = f"The trait “{name}” is a column of its own; set it there."
            raise ValidationError(message)


class AccountManager(models.Manager["Account"]):
    def get_queryset(self) -> models.QuerySet[Account]:
        return FactsQuerySet(self.model, using=self._db)

    def by_key(self, key: str) -> Account:
        """The account with this key. One query; raises UnknownAccount."""
        account = self.filter(key=key).first() if KEY_PATTERN.fullmatch(key) else None
        if account is None:
            raise UnknownAccount(key)
        return account


class Account(models.Model):
    """The paying tenant."""

    key = models.CharField(
        max_length=100,
        unique=True,
        validators=[check_key],
        help_text="Stable name; rules, splits and receipts refer to it, so it never changes.",
    )
    name = models.CharField(max_length=200, validators=[check_visible])
    plan = models.CharField(max_length=50, default="free", validators=[check_visible])
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
    status = models.CharField(
        max_length=20, choices=AccountStatus.choices, default=AccountStatus.ACTIVE
    )
    traits = models.JSONField(
        default=dict,
        blank=True,
        help_text="Further facts about the account, a JSON object.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[AccountManager] = AccountManager()

    _stored_key: str | None = None

    class Meta:
        swappable = "FLAGS_ACCOUNT_MODEL"
        ordering: ClassVar = ["key"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=AccountStatus.values),
                name="account_status_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @classmethod
    def from_db(cls, *columns: Any, **options: Any) -> Self:
        account = super().from_db(*columns, **options)
        account._stored_key = account.__dict__.get("key")
        return account

    def clean(self) -> None:
        super().clean()
        if self.traits is None:
            self.traits = {}
        try:
            check_traits(self.traits)
        except ValidationError as error:
            raise ValidationError({"traits": error}) from None

    def save(self, **options: Any) -> None:
        """Raises AccountKeyIsFixed, and ValidationError for a key or traits that are none."""
        if self._stored_key not in {None, self.key}:
            raise AccountKeyIsFixed(self._stored_key, self.key)
        check_key(self.key)
        check_traits(self.traits)
        with transaction.atomic():  # with the feed's entry
            super().save(**options)
        self._stored_key = self.key

    def flag_traits(self) -> dict[str, Any]:
        """What rules may ask of the account; a country that is not known is no trait."""
        columns = {name: getattr(self, name) for name in COLUMN_TRAITS}
        return {**self.traits, **columns, "country": self.country or None}


class MembershipQuerySet(ToldQuerySet):
    def account_of(self, user_id: int) -> Account | None:
        """The account that a user works in: the first joined. One query."""
        membership = self.filter(user_id=user_id).select_related("account").order_by("pk").first()
        return membership.account if membership else None


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"


class Membership(models.Model):
    """A user's place in an account."""

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
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values),
                name="membership_role_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.account} ({self.role})"

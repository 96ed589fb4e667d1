"""The pages of flags with their variants and rules."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import StackedInline, TabularInline
from waffle import admin as waffle_admin

from flags import publishing
from flags.admin.forms import (
    FlagForm,
    RowProblems,
    RuleForm,
    RuleFormSet,
    VariantForm,
    VariantFormSet,
)
from flags.admin.page_request import PageRequest
from flags.admin.problems import ON_ROWS, PlacedProblem, problems_of
from flags.admin.refusing import SHORT_TEXTS, PublishingAdmin
from flags.document import export, words
from flags.document.diff import Path
from flags.models import AccountOverride, Flag, Rule, Variant

_RULE_FIELDS = {
    "id": "rule_id",
    "name": "name",
    "when": "when",
    "from": "starts_at",
    "until": "ends_at",
    "group": "group",
    "serve": "serve",
}
_FLAG_FIELDS = {
    "kind": "kind",
    "on": "is_on",
    "force": "active_variant",
    "salt": "salt",
    "vocabulary": "vocabulary",
    "off": "off_variant",
    "requires": "requires",
    "default": "default",
}


class VariantInline(TabularInline):
    model = Variant
    form = VariantForm
    formset = VariantFormSet
    extra = 0
    verbose_name_plural = "Variants (a boolean flag without any has on and off)"


class RuleInline(StackedInline):
    model = Rule
    form = RuleForm
    formset = RuleFormSet
    formfield_overrides: ClassVar = SHORT_TEXTS
    extra = 0
    ordering_field = "position"
    hide_ordering_field = True
    verbose_name_plural = "Rules, asked from the top"
    fieldsets: ClassVar = (
        (
            None,
            {
                "fields": (
                    "position",
                    "name",
                    "when",
                    "serve",
                    "starts_at",
                    "ends_at",
                    ("group", "rule_id"),
                )
            },
        ),
    )


@admin.register(Flag)
class FlagAdmin(PublishingAdmin):
    form = FlagForm
    actions: ClassVar = [waffle_admin.enable_for_all, waffle_admin.disable_for_all]
    list_display: ClassVar = ["name", "kind", "state", "rule_count", "serves", "overridden", "note"]
    list_filter: ClassVar = ["kind", "is_on", "everyone", "superusers", "staff", "authenticated"]
    search_fields: ClassVar = ["name", "note"]
    autocomplete_fields: ClassVar = ["users", "groups"]
    readonly_fields: ClassVar = ["created", "modified"]
    inlines: ClassVar = [VariantInline, RuleInline]
    fieldsets: ClassVar = (
        (None, {"fields": ("name", "kind", "vocabulary", "note")}),
        (
            "Answer",
            {
                "fields": (
                    "is_on",
                    "default",
                    ("off_variant", "active_variant"),
                    ("everyone", "percent"),
                    "requires",
                )
            },
        ),
        (
            "People",
            {
                "description": (
                    "Asked by waffle's calls only, because they need a request: each adds people "
                    "for whom the flag is active. The pipeline never asks them."
                ),
                "fields": (
                    ("superusers", "staff", "authenticated"),
                    ("users", "groups"),
                    ("languages", "testing", "rollout"),
                ),
                "classes": ["collapse"],
            },
        ),
        ("More", {"fields": ("salt", ("created", "modified")), "classes": ["collapse"]}),
    )

    def entry_of(self, obj: Flag) -> Path:
        return ("flags", obj.name)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flag]:
        live = AccountOverride.objects.in_force(timezone.now())
        flags: QuerySet[Flag] = super().get_queryset(request)
        return flags.prefetch_related("variants", "rules").annotate(
            overridden=Count("overrides", filter=Q(overrides__in=live), distinct=True)
        )

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        name = request.POST.get("name", "")
        own = problem.within("flags", name)
        if own is None:
            return None, problem
        if own.parts[:1] in {("variants",), ("rules",)} and len(own.parts) > 1:
            return (
                "percent" if _row_of(request.refusal, name, own) == export.PERCENT else ON_ROWS
            ), own
        field = _FLAG_FIELDS.get(own.parts[0]) if own.parts else "name"
        return field, own._replace(parts=own.parts[1:]) if field else own

    def show_on_rows(self, request: PageRequest) -> None:
        for formset in request.formsets[0]:
            formset.refuse(
                _row_problems(request.refusal, request.POST.get("name", ""), formset.model)
            )

    @admin.display(description="State", ordering="is_on")
    def state(self, flag: Flag) -> str:
        return words.state_text(export.flag_of(flag))

    @admin.display(description="Rules")
    def rule_count(self, flag: Flag) -> int:
        return len(export.flag_of(flag)["rules"])

    @admin.display(description="Default")
    def serves(self, flag: Flag) -> str:
        return words.serve_text(flag.default)

    @admin.display(description="Overrides", ordering="overridden")
    def overridden(self, flag: Any) -> int:
        count: int = flag.overridden
        return count


def _row_of(error: Exception | None, flag: str, problem: PlacedProblem) -> str:
    """The key of the variant, or the id of the rule, that a flag's problem is about."""
    rows, row = problem.parts[:2]
    if rows == "variants" or not isinstance(error, publishing.Unpublishable):
        return row
    rule_id: str = error.document["flags"][flag]["rules"][int(row)]["id"]
    return rule_id


def _row_problems(error: Exception | None, flag: str, model: type) -> RowProblems:
    """By the row's key and its field, what is wrong with a flag's variants, or with its rules."""
    rows = "variants" if model is Variant else "rules"
    found: defaultdict[str, defaultdict[str | None, list[PlacedProblem]]]
    found = defaultdict(lambda: defaultdict(list))
    for problem in problems_of(error) if error else ():
        own = problem.within("flags", flag)
        if own is None or own.parts[:1] != (rows,) or len(own.parts) == 1:
            continue
        field = _RULE_FIELDS.get(own.parts[2]) if len(own.parts) > 2 else None  # noqa: PLR2004
        placed = own._replace(parts=own.parts[3:])
        found[_row_of(error, flag, own)]["value" if model is Variant else field].append(placed)
    return found

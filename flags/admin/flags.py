"""The pages of flags with their variants and rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import StackedInline, TabularInline
from waffle import admin as waffle_admin

from flags import doubts
from flags.admin.asking import PublishingAdmin
from flags.admin.flag_rows import row_of, row_problems
from flags.admin.forms import (
    FlagForm,
    RuleForm,
    RuleFormSet,
    VariantForm,
    VariantFormSet,
)
from flags.admin.page_request import PageRequest
from flags.admin.plain_values import PlainValues
from flags.admin.problems import ON_ROWS, PlacedProblem
from flags.admin.refusing import SHORT_TEXTS
from flags.document import export, words
from flags.document.diff import Path
from flags.models import AccountOverride, Flag, KeptFlag, Rule, Variant

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


class RuleInline(PlainValues, StackedInline):
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

    refusals: ClassVar = (KeptFlag,)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        queryset.refuse_kept("deleted")
        super().delete_queryset(request, queryset)

    def doubts(self, obj: Flag) -> Iterable[str]:
        return doubts.of_flag(obj.name, export.flag_of(Flag.objects.get(pk=obj.pk)))

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
                "percent" if row_of(request.refusal, name, own) == export.PERCENT else ON_ROWS
            ), own
        field = _FLAG_FIELDS.get(own.parts[0]) if own.parts else "name"
        return field, own._replace(parts=own.parts[1:]) if field else own

    def show_on_rows(self, request: PageRequest) -> None:
        for formset in request.formsets[0]:
            formset.refuse(
                row_problems(request.refusal, request.POST.get("name", ""), formset.model)
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

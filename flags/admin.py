"""The operators' pages: flags with their variants and rules, segments, traits and overrides.

A change is saved, exported and checked in one transaction; what does not check is rolled back, and
the page shows each sentence on the field that it is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet, TextField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget
from waffle import admin as waffle_admin
from waffle.models import Sample, Switch

from flags import explain, export, publishing
from flags.engine import DocumentError
from flags.forms import (
    Fault,
    FlagForm,
    Refusal,
    RefusedForm,
    RuleForm,
    RuleFormSet,
    SegmentForm,
    VariantForm,
    VariantFormSet,
)
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, Trait, Variant
from flags.revision_admin import RevisionAdmin
from flags.rows import lock_head

admin.site.unregister([Switch, Sample])
admin.site.register(Revision, RevisionAdmin)


SHORT_TEXTS = {TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}


class PublishedAdmin(ModelAdmin):
    """What is saved or deleted here leaves a document that checks, or is rolled back."""

    list_per_page = 25
    formfield_overrides: ClassVar = SHORT_TEXTS

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                if request.method == "POST":
                    lock_head()
                return self._changeform(request, *args, **options)
        except Refusal as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
        # Once more, for the page with the refusal on it.
        return self._changeform(request, *args, **options)

    def _changeform(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(request, *args, **options)
        return response

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._or_messages(super().changelist_view, request, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._or_messages(super().delete_view, request, *args, **options)

    def _or_messages(
        self, view: Callable[..., HttpResponse], request: HttpRequest, *args: Any, **options: Any
    ) -> HttpResponse:
        try:
            with transaction.atomic():
                if request.method == "POST":
                    lock_head()
                return view(request, *args, **options)
        except Refusal as refusal:
            for fault in refusal.faults:
                messages.error(request, str(fault))
            return HttpResponseRedirect(request.get_full_path())

    def save_related(self, request: HttpRequest, *args: Any) -> None:
        super().save_related(request, *args)
        publish(request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        publish(request)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        response = super().response_action(request, queryset)
        publish(request)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        """The form, with what was refused on its fields; at least a word on top of it."""
        form = super().get_form(request, obj, **options)
        refusal: Refusal | None = getattr(request, "refusal", None)
        if refusal is None:
            return form
        faults: dict[str | None, list[Fault]] = defaultdict(list)
        for fault in refusal.faults:
            field, placed = self.place(request, fault)
            if field != BELOW:
                faults[field].append(placed)
        if None not in faults:
            faults[None].append(Fault((), "Nothing was saved: the fields below say why."))
        return type(form.__name__, (RefusedForm, form), {"faults": faults})

    def place(self, request: HttpRequest, fault: Fault) -> tuple[str | None, Fault]:  # noqa: ARG002
        """The form's field that a fault is about, or BELOW, and the fault as it says it there."""
        return None, fault


# A fault that a row of an inline shows.
BELOW = "\0below"
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


def author_of(request: HttpRequest) -> str:
    name: str = request.user.get_username()
    return name


def publish(request: HttpRequest) -> None:
    """Raises Refusal where the tables make no document that checks."""
    try:
        publishing.publish(author=author_of(request))
    except DocumentError as error:
        raise Refusal(export.document(), error) from None


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
class FlagAdmin(PublishedAdmin):
    form = FlagForm
    actions: ClassVar = [
        waffle_admin.enable_for_all,
        waffle_admin.disable_for_all,
        waffle_admin.delete_individually,
    ]
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flag]:
        live = AccountOverride.objects.in_force(timezone.now())
        flags: QuerySet[Flag] = super().get_queryset(request)
        return flags.prefetch_related("variants", "rules").annotate(
            overridden=Count("overrides", filter=Q(overrides__in=live), distinct=True)
        )

    def get_formset_kwargs(
        self, request: HttpRequest, obj: Any, inline: Any, prefix: str
    ) -> dict[str, Any]:
        options: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        refusal: Refusal | None = getattr(request, "refusal", None)
        faults: dict[str, dict[str | None, list[Fault]]] = {}
        if refusal is not None:
            faults = _row_faults(refusal, request.POST.get("name", ""), inline.model)
        return {**options, "faults": faults}

    def place(self, request: HttpRequest, fault: Fault) -> tuple[str | None, Fault]:
        name = request.POST.get("name", "")
        own = fault.within("flags", name)
        if own is None:
            return None, fault
        if own.parts[:1] in {("variants",), ("rules",)} and len(own.parts) > 1:
            row = _row_of(request.refusal, name, own)  # type: ignore[attr-defined]
            return ("percent" if row == export.PERCENT else BELOW), own
        field = _FLAG_FIELDS.get(own.parts[0]) if own.parts else "name"
        return field, own._replace(parts=own.parts[1:]) if field else own

    @admin.display(description="State", ordering="is_on")
    def state(self, flag: Flag) -> str:
        return explain.state_text(export.flag_of(flag))

    @admin.display(description="Rules")
    def rule_count(self, flag: Flag) -> int:
        return len(export.flag_of(flag)["rules"])

    @admin.display(description="Default")
    def serves(self, flag: Flag) -> str:
        return explain.serve_text(flag.default)

    @admin.display(description="Overrides", ordering="overridden")
    def overridden(self, flag: Any) -> int:
        count: int = flag.overridden
        return count


def _row_of(refusal: Refusal, flag: str, fault: Fault) -> str:
    """The key of the variant, or the id of the rule, that a flag's fault is about."""
    rows, row = fault.parts[:2]
    if rows == "variants":
        return row
    rule_id: str = refusal.document["flags"][flag]["rules"][int(row)]["id"]
    return rule_id


def _row_faults(
    refusal: Refusal, flag: str, model: type
) -> dict[str, dict[str | None, list[Fault]]]:
    """By the row's key and its field, what is wrong with a flag's variants, or with its rules."""
    rows = "variants" if model is Variant else "rules"
    found: dict[str, dict[str | None, list[Fault]]] = defaultdict(lambda: defaultdict(list))
    for fault in refusal.faults:
        own = fault.within("flags", flag)
        if own is None or own.parts[0] != rows or len(own.parts) == 1:
            continue
        field = _RULE_FIELDS.get(own.parts[2]) if len(own.parts) > 2 else None  # noqa: PLR2004
        placed = own._replace(parts=own.parts[3:])
        found[_row_of(refusal, flag, own)]["value" if model is Variant else field].append(placed)
    return found


@admin.register(Segment)
class SegmentAdmin(PublishedAdmin):
    form = SegmentForm
    list_display: ClassVar = ["key", "accounts", "conditions", "note"]
    search_fields: ClassVar = ["key", "note"]
    readonly_fields: ClassVar = ["accounts"]

    def get_fields(self, _request: HttpRequest, obj: Segment | None = None) -> list[str]:
        lists = ["accounts"] if obj and obj.is_long else ["include", "exclude"]
        return ["key", "note", "rules", *lists, "include_file", "exclude_file"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        segments: QuerySet[Segment] = super().get_queryset(request)
        return segments.annotate(
            many_in=Count("members", filter=Q(members__is_excluded=False)),
            many_out=Count("members", filter=Q(members__is_excluded=True)),
        )

    def save_model(
        self,
        request: HttpRequest,
        obj: Segment,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        if form.lists is None:
            super().save_model(request, obj, form, change)
        else:
            obj.set_lists(*form.lists)

    def place(self, request: HttpRequest, fault: Fault) -> tuple[str | None, Fault]:
        own = fault.within("segments", request.POST.get("key", ""))
        if own is None:
            return None, fault
        return (own.parts[0] if own.parts else "key"), own._replace(parts=own.parts[1:])

    @admin.display(description="Accounts")
    def accounts(self, segment: Any) -> str:
        listed = len(segment.include), len(segment.exclude)
        include, exclude = (segment.many_in, segment.many_out) if segment.is_long else listed
        return f"{include:,} included, {exclude:,} excluded"

    @admin.display(description="Rules")
    def conditions(self, segment: Segment) -> str:
        return explain.groups_text(segment.rules)


@admin.register(Trait)
class TraitAdmin(PublishedAdmin):
    list_display: ClassVar = ["name", "type", "note"]
    search_fields: ClassVar = ["name", "note"]

    def place(self, request: HttpRequest, fault: Fault) -> tuple[str | None, Fault]:
        own = fault.within("traits", request.POST.get("name", ""))
        return (None, fault) if own is None else ("type", own)


@admin.register(AccountOverride)
class AccountOverrideAdmin(ModelAdmin):
    list_display: ClassVar = [
        "account",
        "flag",
        "variant",
        "state",
        "expires_at",
        "reason",
        "author",
    ]
    list_display_links: ClassVar = ["account", "flag"]
    list_select_related: ClassVar = ["account", "flag"]
    list_filter: ClassVar = ["paused", ("flag", admin.RelatedOnlyFieldListFilter)]
    search_fields: ClassVar = ["account__key", "flag__name", "reason", "author"]
    autocomplete_fields: ClassVar = ["account", "flag"]
    readonly_fields: ClassVar = ["author", "created_at"]
    list_per_page = 25

    def save_model(
        self,
        request: HttpRequest,
        obj: AccountOverride,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        if not change:
            obj.author = request.user.get_username()
        super().save_model(request, obj, form, change)

    @admin.display(description="State")
    def state(self, override: AccountOverride) -> str:
        return override.state


@admin.register(Switch)
class SwitchAdmin(PublishedAdmin):
    actions: ClassVar = [
        waffle_admin.enable_switches,
        waffle_admin.disable_switches,
        waffle_admin.delete_individually,
    ]
    list_display: ClassVar = ["name", "active", "note", "created", "modified"]
    list_filter: ClassVar = ["active"]
    search_fields: ClassVar = ["name", "note"]


@admin.register(Sample)
class SampleAdmin(ModelAdmin):
    actions: ClassVar = [waffle_admin.delete_individually]
    list_display: ClassVar = ["name", "percent", "note", "created", "modified"]
    search_fields: ClassVar = ["name", "note"]
    list_per_page = 25

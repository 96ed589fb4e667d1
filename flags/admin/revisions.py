"""The pages of revisions: the feed, one of them, two compared, and going back."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from flags import preview, publishing
from flags.admin.comparing import content_or_fault, raw_differences
from flags.admin.confirming import confirm_page, operate_by
from flags.admin.page_request import author_of
from flags.admin.revision_forms import CompareForm, RollBackForm
from flags.admin.row_keys import RowKeys
from flags.document import stored
from flags.document.held import held_back
from flags.document.sentences import sentences
from flags.document.stored import UnknownRevision, UnusableRevision
from flags.engine import DocumentError
from flags.guarding import Unconfirmed
from flags.models import Revision

_SHOWN = 3


@admin.register(Revision)
class RevisionAdmin(RowKeys, ModelAdmin):
    """Nothing here is edited: a revision is what was published."""

    list_display: ClassVar = ["number", "created_at", "author", "comment", "changes"]
    search_fields: ClassVar = ["=number", "author", "comment", "summary"]
    date_hierarchy = "created_at"
    list_per_page = 25
    list_before_template = "flags/revisions.html"

    class Media:
        css: ClassVar = {"all": ["flags/flags.css"]}

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False

    def may_publish(self, request: HttpRequest) -> bool:
        """Who may add a revision may publish and roll back."""
        return bool(super().has_add_permission(request))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("text")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("compare/", self._view(self.compare), name="flags_revision_compare"),
            path("publish/", self._view(require_POST(self.publish)), name="flags_revision_publish"),
            path(
                "<int:number>/document/", self._view(self.document), name="flags_revision_document"
            ),
            path(
                "<int:number>/rollback/", self._view(self.rollback), name="flags_revision_rollback"
            ),
        ]
        return [*own, *super().get_urls()]

    def _view(self, view: Any) -> Any:
        return self.admin_site.admin_view(view)

    @admin.display(description="Changes")
    def changes(self, row: Revision) -> str:
        more = len(row.summary) - _SHOWN
        shown = "; ".join(row.summary[:_SHOWN])
        return f"{shown}; and {more} more" if more > 0 else shown

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The feed, and above it what is not published."""
        context = {
            "is_pending": publishing.is_pending(),
            "held_back": held_back(),
            "may_publish": self.may_publish(request),
            "newest": Revision.objects.defer("text").first(),
        }
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), **context}
        )
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - Django's
        extra_context: Any = None,  # noqa: ARG002 - Django's
    ) -> HttpResponse:
        """One revision: who, why, what changed."""
        row = self._row(request, int(object_id) if re.fullmatch("[0-9]{1,18}", object_id) else 0)
        after, fault = content_or_fault(row)
        before, _ = content_or_fault(row.parent) if row.parent else (None, None)
        following = Revision.objects.filter(number__gt=row.number).order_by("number")
        context = {
            "row": row,
            "fault": fault,
            "raw": raw_differences(before, after),
            "parent": row.parent,
            "following": following.values_list("number", flat=True).first(),
            "newest": stored.newest_number(),
            "may_publish": self.may_publish(request),
        }
        return self._page(request, "flags/revision.html", str(row), context)

    def compare(self, request: HttpRequest) -> HttpResponse:
        """Two revisions: what differs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = CompareForm(request.GET)
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            rows = [self._row(request, form.cleaned_data[side]) for side in ("before", "after")]
            (before, fault), (after, other_fault) = (content_or_fault(row) for row in rows)
            context["fault"] = fault or other_fault
            if before is not None and after is not None:
                context["sentences"] = sentences(before, after)
                context["raw"] = raw_differences(before, after)
        return self._page(request, "flags/revision_compare.html", "Compare revisions", context)

    def document(self, request: HttpRequest, number: int) -> HttpResponse:
        """The revision's text, as it is stored."""
        row = self._row(request, number)
        headers = {"Content-Disposition": f'attachment; filename="revision-{number}.json"'}
        return HttpResponse(row.text, content_type="application/json", headers=headers)

    def rollback(self, request: HttpRequest, number: int) -> HttpResponse:
        """What would change, and on POST the change."""
        if not self.may_publish(request):
            raise PermissionDenied
        row = self._row(request, number)
        last = Revision.objects.defer("text").first()
        newest = last.number if last else 0
        form = RollBackForm(request.POST or None, initial={"newest": newest})
        is_pending, held = publishing.is_pending(), held_back()
        context: dict[str, Any] = {"row": row, "form": form, "is_pending": is_pending}
        try:
            if form.is_valid() and form.cleaned_data["newest"] != newest:
                messages.warning(request, f"Revision {newest} was published meanwhile: look again.")
                return HttpResponseRedirect(request.get_full_path())
            if form.is_valid():
                comment = form.cleaned_data["comment"]
                by = author_of(request)
                go_back = partial(publishing.roll_back, number, author=by, comment=comment)
                done = operate_by(request, go_back)
                gone = "; what was not published is gone" if is_pending or held else ""
                said = f"what revision {number} said" if done != last else "that already"
                messages.success(request, f"Revision {done.number} says {said}{gone}.")
                return HttpResponseRedirect(reverse("admin:flags_revision_change", args=[done.pk]))
            context |= preview.roll_back(number)._asdict()
        except Unconfirmed as asked:
            return confirm_page(self.admin_site, request, asked)
        except (DocumentError, UnusableRevision) as error:
            context["faults"] = str(error).splitlines()
        return self._page(
            request, "flags/revision_rollback.html", f"Back to revision {number}", context
        )

    def publish(self, request: HttpRequest) -> HttpResponse:
        """Publish what direct writes have left."""
        if not self.may_publish(request):
            raise PermissionDenied
        done = publishing.publish_waiting(author=author_of(request))
        held = held_back()
        for each in held:
            messages.warning(request, str(each))
        said = "what the tables say, but for what is held back" if held else "what the tables say"
        messages.success(request, f"Revision {done.number} is {said}.")
        return HttpResponseRedirect(reverse("admin:flags_revision_changelist"))

    def _row(self, request: HttpRequest, number: int) -> Revision:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return stored.revision(number)
        except UnknownRevision as error:
            raise Http404(str(error)) from None

    def _page(
        self, request: HttpRequest, template: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        site = self.admin_site.each_context(request)
        return TemplateResponse(
            request, template, {**site, "opts": self.opts, "title": title, **context}
        )

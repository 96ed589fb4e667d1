"""Admin pages whose changes are published in their own transaction, or refused with the reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet, TextField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from flags import publishing
from flags.document import export
from flags.engine import DocumentError
from flags.models.pending import lock_head

SHORT_TEXTS = {TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}


# A fault that a row of an inline shows.
BELOW = "\0below"


class PlacedProblem(NamedTuple):
    """Where a refused document is wrong, by its path's parts, and the sentence."""

    parts: tuple[str, ...]
    message: str

    def within(self, *parts: str) -> PlacedProblem | None:
        """The fault with its path below these parts, where it is there."""
        if self.parts[: len(parts)] != parts:
            return None
        return PlacedProblem(self.parts[len(parts) :], self.message)

    def __str__(self) -> str:
        return f"{'/'.join(self.parts)}: {self.message}" if self.parts else self.message


class ChangeRefused(Exception):
    """The document that the tables would make, and why it is refused."""

    def __init__(self, document: dict[str, Any], error: DocumentError) -> None:
        super().__init__(str(error))
        self.document = document
        self.faults = [
            PlacedProblem(tuple(map(_unescaped, each["path"].split("/")[1:])), each["message"])
            for each in error.errors
        ]


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


class RefusedForm:
    """Before a form's class: shows on its fields what the check of the whole document found."""

    # By field, None for the form itself.
    faults: Mapping[str | None, Iterable[PlacedProblem]]

    def clean(self) -> None:
        super().clean()  # type: ignore[misc]
        show(self, self.faults)


def show(
    form: Any, faults: Mapping[str | None, Iterable[PlacedProblem]], otherwise: str | None = None
) -> None:
    """Each on its field; what is about none of them on the one `otherwise`."""
    for field, each in faults.items():
        for fault in each:
            form.add_error(field if field in form.fields else otherwise, str(fault))


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
        except ChangeRefused as refusal:
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
        except ChangeRefused as refusal:
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
        refusal: ChangeRefused | None = getattr(request, "refusal", None)
        if refusal is None:
            return form
        faults: dict[str | None, list[PlacedProblem]] = defaultdict(list)
        for fault in refusal.faults:
            field, placed = self.place(request, fault)
            if field != BELOW:
                faults[field].append(placed)
        if None not in faults:
            faults[None].append(PlacedProblem((), "Nothing was saved: the fields below say why."))
        return type(form.__name__, (RefusedForm, form), {"faults": faults})

    def place(self, request: HttpRequest, fault: PlacedProblem) -> tuple[str | None, PlacedProblem]:  # noqa: ARG002
        """The form's field that a fault is about, or BELOW, and the fault as it says it there."""
        return None, fault


def author_of(request: HttpRequest) -> str:
    name: str = request.user.get_username()
    return name


def publish(request: HttpRequest) -> None:
    """Raises Refusal where the tables make no document that checks."""
    try:
        publishing.publish(author=author_of(request))
    except DocumentError as error:
        raise ChangeRefused(export.document(), error) from None

"""`/admin/ai-models/`: the catalogue's rows, for staff."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django_filters.rest_framework import ChoiceFilter, DjangoFilterBackend, FilterSet
from rest_framework.decorators import action
from rest_framework.filters import SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, ChoiceField, Field
from rest_framework.viewsets import ModelViewSet

from flags.guarding import operate
from igny8_core.api.authentication import MayView
from igny8_core.api.etags import Stale, etag_of
from igny8_core.api.plain_numbers import PlainSerializer
from igny8_core.api.strict import StrictOrdering, StrictView
from igny8_core.modules.system.models import AIModel, AIProvider


class MayChange(MayView):
    """A POST that changes a row needs the right to change, not to add."""

    perms_map = {**MayView.perms_map, "POST": MayView.perms_map["PUT"]}  # noqa: RUF012 - DRF's own


class AIModelFilter(FilterSet):
    """Equality of four fields; a value that is none is refused."""

    provider = ChoiceFilter(choices=AIProvider.choices)
    is_active = ChoiceFilter(choices=[("true", "true"), ("false", "false")], method="by_boolean")
    is_default = ChoiceFilter(choices=[("true", "true"), ("false", "false")], method="by_boolean")

    class Meta:
        model = AIModel
        fields: ClassVar = ["model_type"]

    def by_boolean(self, rows: QuerySet[AIModel], name: str, value: str) -> QuerySet[AIModel]:
        return rows.filter(**{name: value == "true"})


class AIModelSerializer(PlainSerializer[AIModel]):
    class Meta:
        model = AIModel
        fields: ClassVar = [
            "id",
            "model_id",
            "display_name",
            "provider",
            "model_type",
            "input_rate",
            "output_rate",
            "max_tokens",
            "context_window",
            "supports_json_mode",
            "supports_vision",
            "is_active",
            "is_default",
            "sort_order",
            "created_at",
            "updated_at",
        ]
        # A new default may be sent while another is set: save() clears that one first.
        validators: ClassVar[list[object]] = []
        extra_kwargs: ClassVar = {
            "input_rate": {"min_value": 0},
            "output_rate": {"min_value": 0},
            "max_tokens": {"min_value": 1},
        }

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "provider": ChoiceField(choices=AIProvider.choices())}

    def to_representation(self, instance: AIModel) -> dict[str, Any]:
        """The row; its rates are the headline of the price in force, every digit."""
        shown: dict[str, Any] = super().to_representation(instance)
        return shown | instance.headline_texts(timezone.now())

    def update(self, instance: AIModel, validated_data: dict[str, Any]) -> AIModel:
        """Write what was sent, and nothing that somebody else changed meanwhile."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=[*validated_data, "updated_at"])
        return instance


class Pages(PageNumberPagination):
    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 200


CHANGERS = (IsAdminUser & MayChange,)


class AIModelViewSet(StrictView, ModelViewSet[AIModel]):
    queryset = AIModel.objects.prefetch_related("prices__lines")
    serializer_class = AIModelSerializer
    permission_classes = (IsAdminUser & MayView,)
    pagination_class = Pages
    lookup_value_regex = r"[0-9]{1,18}"
    filter_backends = (DjangoFilterBackend, SearchFilter, StrictOrdering)
    filterset_class = AIModelFilter
    search_fields: ClassVar = ["model_id", "display_name"]
    ordering_fields: ClassVar = [
        *("model_id", "display_name", "provider", "model_type", "input_rate", "output_rate"),
        *("is_active", "is_default", "sort_order", "created_at"),
    ]

    def operate(self, do: Callable[[], AIModel | None], sent: object = None) -> AIModel | None:
        """One change, published in its transaction; raises DocumentError and Unconfirmed."""
        asked = [self.request.method, self.request.path, sent]

        def written() -> AIModel | None:
            self._refuse_stale()
            model = do()
            self.etag = etag_of(model) if model else ""
            return model

        return operate(
            written,
            author=self.request.user.get_username(),
            key=json.dumps(asked, sort_keys=True, default=str),
            confirmed=self.request.query_params.get("confirm", ""),
            report=self.moved.append,
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Of the row that is answered; and who has got another model by what was written.
        self.etag = ""
        self.moved: list[str] = []
        super().initial(request, *args, **kwargs)

    def retrieve(self, *_args: Any, **_kwargs: Any) -> Response:
        model = self.get_object()
        self.etag = etag_of(model)
        return Response(self.get_serializer(model).data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            if self.etag:
                response["ETag"] = self.etag
            if self.moved and response.data:
                response.data = {**response.data, "moved": self.moved}
        return super().finalize_response(request, response, *args, **kwargs)

    def _refuse_stale(self) -> None:
        """Raises Stale where If-Match names another state of the row than the stored one."""
        wanted = self.request.headers.get("If-Match")
        if wanted is None or "pk" not in self.kwargs:
            return
        stored = etag_of(model := self.get_object())
        if wanted.strip() != "*" and stored not in map(str.strip, wanted.split(",")):
            raise Stale(model.model_id, stored)

    def perform_create(self, serializer: BaseSerializer[AIModel]) -> None:
        def create() -> AIModel:
            serializer.instance = None
            return serializer.save()

        self.operate(create, serializer.initial_data)

    def perform_update(self, serializer: BaseSerializer[AIModel]) -> None:
        def update() -> AIModel:
            serializer.instance = AIModel.objects.get(pk=pk)
            return serializer.save()

        pk = self.get_object().pk
        self.operate(update, serializer.initial_data)

    def perform_destroy(self, instance: AIModel) -> None:
        def delete() -> None:
            AIModel.objects.get(pk=instance.pk).delete()

        self.operate(delete)

    def _switch(self, switch: Callable[[AIModel], None]) -> Response:
        def switched() -> AIModel:
            model = self.get_object()
            switch(model)
            return model

        return Response(self.get_serializer(self.operate(switched)).data)

    @action(detail=True, methods=["post"], url_path="toggle-active", permission_classes=CHANGERS)
    def toggle_active(self, _request: Request, **_where: str) -> Response:
        return self._switch(AIModel.toggle_active)

    @action(detail=True, methods=["post"], url_path="set-default", permission_classes=CHANGERS)
    def set_default(self, _request: Request, **_where: str) -> Response:
        return self._switch(AIModel.make_default)

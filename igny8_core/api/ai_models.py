"""`/admin/ai-models/`: the catalogue's rows, for staff."""

from __future__ import annotations

from typing import ClassVar

from django.db import transaction
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import DjangoModelPermissions, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from igny8_core.modules.system.global_settings_models import AIModel


class AIModelSerializer(ModelSerializer[AIModel]):
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


class Pages(PageNumberPagination):
    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 200


class AIModelViewSet(ModelViewSet[AIModel]):
    queryset = AIModel.objects.all()
    serializer_class = AIModelSerializer
    permission_classes = (IsAdminUser & DjangoModelPermissions,)
    pagination_class = Pages
    lookup_value_regex = r"\d{1,18}"
    filter_backends = (DjangoFilterBackend, SearchFilter, OrderingFilter)
    filterset_fields: ClassVar = ["provider", "model_type", "is_active", "is_default"]
    search_fields: ClassVar = ["model_id", "display_name"]
    ordering_fields: ClassVar = [
        "model_id",
        "display_name",
        "provider",
        "model_type",
        "input_rate",
        "output_rate",
        "is_active",
        "is_default",
        "sort_order",
        "created_at",
        "updated_at",
    ]

    @transaction.atomic
    def perform_destroy(self, instance: AIModel) -> None:
        instance.delete()

    @action(detail=True, methods=["post"], url_path="toggle-active")
    def toggle_active(self, _request: Request, **_where: str) -> Response:
        model = self.get_object()
        model.toggle_active()
        return Response(self.get_serializer(model).data)

    @action(detail=True, methods=["post"], url_path="set-default")
    def set_default(self, _request: Request, **_where: str) -> Response:
        model = self.get_object()
        model.make_default()
        return Response(self.get_serializer(model).data)

"""The API's addresses below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from igny8_core.api.ai_models import AIModelViewSet

router = SimpleRouter()
router.register("admin/ai-models", AIModelViewSet)

urlpatterns = router.urls

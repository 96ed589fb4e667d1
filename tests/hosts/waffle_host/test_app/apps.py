"""Some of waffle's tests import its own flag, which is swapped for ours."""

from django.apps import AppConfig


class TestAppConfig(AppConfig):
    name = "test_app"
    default_auto_field = "django.db.models.AutoField"

    def ready(self):
        from waffle import get_waffle_flag_model, models

        models.Flag = get_waffle_flag_model()

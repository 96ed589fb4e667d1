"""Our settings, with the app and the second database that waffle's tests ask for."""

from igny8_core.settings import *  # noqa: F403
from igny8_core.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = [*OURS, "test_app"]
ROOT_URLCONF = "test_app.urls"
DATABASES = {
    name: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    for name in ("default", "readonly")
}
JINJA_INSTALLED = False
WAFFLE_CACHE_PREFIX = "test:"
WAFFLE_CACHE_NAME = "default"  # some of them count what it saves

"""Django's settings, each from the environment or `.env`, with defaults that are safe.

Over 200 lines: Django's settings are one file, so that nobody looks for a setting in two.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from unfold.contrib.constance.settings import UNFOLD_CONSTANCE_ADDITIONAL_FIELDS

from igny8_core import env

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_dotenv(BASE_DIR / ".env")

DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.required(
    "SECRET_KEY",
    hint="Set it to a long random text, or let `make demo` write one to .env.",
)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.constance",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "constance",
    "flags",  # before waffle: its commands ask first
    "waffle",
    "igny8_core.modules.accounts",
    "igny8_core.modules.system",
    "igny8_core.modules.usage",
    "igny8_core.modules.changes",
    "igny8_core.ai",
    "igny8_core.console",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # With DEBUG on, runserver serves the static files itself.
    *([] if DEBUG else ["whitenoise.middleware.WhiteNoiseMiddleware"]),
    "igny8_core.plain_text.PlainTextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "igny8_core.modules.accounts.middleware.AccountMiddleware",
    "igny8_core.modules.accounts.login.LoginMiddleware",
    "igny8_core.modules.changes.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "waffle.middleware.WaffleMiddleware",
]
ROOT_URLCONF = "igny8_core.urls"
WSGI_APPLICATION = "igny8_core.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Data
_database = env.database("DATABASE_URL", default=BASE_DIR / "db.sqlite3")
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    _database["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}  # a file, so that tests meet WAL too
else:
    # A server that hangs is a server that is down.
    _database["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 3,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": 5_000,
        **_database.get("OPTIONS", {}),
    }
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL")
_redis_cache: dict[str, Any] = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": REDIS_URL,
    # A cache that is down costs 0.2 s and no answer.
    "OPTIONS": {
        "IGNORE_EXCEPTIONS": True,
        "SERIALIZER": "igny8_core.json_cache.CheckedJSONSerializer",
        "SOCKET_CONNECT_TIMEOUT": 0.2,
        "SOCKET_TIMEOUT": 0.2,
    },
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
_own_cache = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "logins",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
CACHES = {
    # Wrong passwords: all workers', and each worker's own while Redis is away.
    "logins": _redis_cache if REDIS_URL else _own_cache,
    "logins_here": _own_cache,
    "default": _redis_cache
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Waffle keeps pickled rows of its switches and samples, and each process would keep its own:
    # asking the database for one costs a query and is always current. Flags need no cache.
    "waffle": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
}
WAFFLE_CACHE_NAME = "waffle"

# Who and where
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
AUTHENTICATION_BACKENDS = [
    "igny8_core.modules.accounts.guessing.ThrottledLogins",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
FLAGS_ACCOUNT_MODEL = "accounts.Account"
WAFFLE_FLAG_MODEL = "flags.Flag"
# How workers learn of what was published: by a thread of their own, unless this is off.
FLAGS_THREAD = env.boolean("FLAGS_THREAD", default=True)
FLAGS_POLL_S = env.number("FLAGS_POLL_S", 0.5, least=0.05, most=60)
FLAGS_REDIS_URL = REDIS_URL
FLAGS_SNAPSHOT_FILE = env.text("FLAGS_SNAPSHOT_FILE")
# What is kept of accounts: for how long, and of how many.
FLAGS_FACTS_TTL_S = env.number("FLAGS_FACTS_TTL_S", 60, least=0.1)
FLAGS_FACTS_KEPT = int(env.number("FLAGS_FACTS_KEPT", 100_000))
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

# Files
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}

# Safety: one switch for everything that only HTTPS allows.
HTTPS_ONLY = env.boolean("HTTPS_ONLY", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|metrics)$"]  # asked from inside, without HTTPS
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
# A proxy in front says by which scheme and from where a request came.
BEHIND_PROXY = env.boolean("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# What operators change while it runs; read in live_settings.py alone.
CONSTANCE_BACKEND = "igny8_core.live_settings.LastKnownBackend"
LEAST_TIMEOUT_S, MOST_TIMEOUT_S = 0.1, 3600
CONSTANCE_ADDITIONAL_FIELDS = {
    **UNFOLD_CONSTANCE_ADDITIONAL_FIELDS,
    "timeout": [
        "flags.models.form_fields.PlainFloatField",
        {
            "min_value": LEAST_TIMEOUT_S,
            "max_value": MOST_TIMEOUT_S,
            "widget": "unfold.widgets.UnfoldAdminDecimalFieldWidget",
        },
    ],
    "count": [
        "flags.models.form_fields.PlainIntegerField",
        {
            "min_value": 0,
            "max_value": 1_000_000,
            "widget": "unfold.widgets.UnfoldAdminIntegerFieldWidget",
        },
    ],
    "days": [
        "flags.models.form_fields.PlainIntegerField",
        {
            "min_value": 0,
            "max_value": 36_500,
            "widget": "unfold.widgets.UnfoldAdminIntegerFieldWidget",
        },
    ],
}
CONSTANCE_CONFIG = {
    "AI_REQUEST_TIMEOUT_S": (
        60.0,
        "Seconds that a provider may take for one AI request before it is given up.",
        "timeout",
    ),
    "AI_OFFLINE_ANSWERS": (
        True,
        (
            "Where a provider has no key, the embedded offline provider answers in its place, "
            "plainly labelled. Turn this off in production: such a request is then refused."
        ),
    ),
    "AI_ATTEMPTS": (
        2,
        "How often a model is called at most where the failure may pass, such as an overload.",
        "count",
    ),
    "AI_FALLBACK": (
        True,
        "Whether the next usable model answers where one fails; never for a model that was named.",
    ),
    "AI_FALLBACK_OF_OVERRIDES": (
        False,
        "Whether another model may also answer for an override, or for the model of a run.",
    ),
    "AI_CIRCUIT_FAILURES": (
        5,
        "After how many failures in a row a process leaves a model alone for a moment; 0: never.",
        "count",
    ),
    "AI_CIRCUIT_OPEN_S": (30.0, "For how many seconds it is left alone.", "timeout"),
    "REVISIONS_KEPT": (
        500,
        (
            "How many of the last revisions are kept; 0: all. Older ones go with the next "
            "publish, but never one that a receipt names."
        ),
        "count",
    ),
    "CHANGES_KEPT_DAYS": (
        400,
        "For how many days the feed of changes is kept; 0: for ever.",
        "days",
    ),
}
CONSTANCE_CONFIG_FIELDSETS = {
    "AI requests": (
        "AI_REQUEST_TIMEOUT_S",
        "AI_OFFLINE_ANSWERS",
        "AI_ATTEMPTS",
        "AI_FALLBACK",
        "AI_FALLBACK_OF_OVERRIDES",
        "AI_CIRCUIT_FAILURES",
        "AI_CIRCUIT_OPEN_S",
    ),
    "Revisions and changes": ("REVISIONS_KEPT", "CHANGES_KEPT_DAYS"),
}

# Provider keys in the database are encrypted with the first, and read with any of them.
ENCRYPTION_KEYS = env.names("ENCRYPTION_KEYS", [])

# Inside an open transaction an AI request writes its receipt beside it. So many of the transactions
# around it are a test case's own: 2 in Django's TestCase, else none.
AI_TEST_CASE_TRANSACTIONS = 0

# A name and password with each request: for scripts, until there are keys for them.
API_BASIC_AUTH = env.boolean("API_BASIC_AUTH", default=False)
REST_FRAMEWORK = {
    # The first is what an answer of 401 names.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "igny8_core.api.authentication.Session",
        *(["igny8_core.api.authentication.Basic"] if API_BASIC_AUTH else []),
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "igny8_core.api.errors.respond",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# Where the ledger's entries wait on disk while the database is away: a folder that outlives the
# process, and how much may wait there. Beyond that, requests are refused before they are sent.
AI_SPOOL = env.text("AI_SPOOL") or str(BASE_DIR / "spool")
AI_SPOOL_MOST_BYTES = int(env.number("AI_SPOOL_MOST_MB", 100) * 2**20)

# Whether a provider's address may be without TLS, as on a machine of one's own.
AI_PLAIN_HTTP = env.boolean("AI_PLAIN_HTTP", default=False)

# How providers are reached. A provider without a key is answered for offline.
AI_CONNECTIONS = {
    provider: {
        "api_key": env.key(f"{provider.upper()}_API_KEY"),
        "base_url": env.web_address(f"{provider.upper()}_BASE_URL"),
    }
    for provider in ("openai", "anthropic", "google", "runware")
}

UNFOLD = {
    "SITE_TITLE": "igny8",
    "SITE_HEADER": "igny8",
    "LOGIN": {"form": "igny8_core.modules.accounts.login.LoginForm"},
}


class OneLine(logging.Filter):
    """A cache server that is away is one line, and not a traceback for every question."""

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        if fault is not None:
            record.msg, record.args, record.exc_info = "The cache is away: %s", (fault,), None
        return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"one_line": {"()": "igny8_core.settings.OneLine"}},
    "loggers": {"django_redis.cache": {"filters": ["one_line"]}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

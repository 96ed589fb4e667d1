#!/usr/bin/env python
"""Django's command line; a setting that makes no sense ends it with one sentence."""

from __future__ import annotations

import os
import signal
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "igny8_core.settings")
    # Ends as Ctrl-C does: what is under way is settled as interrupted.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(143))
    try:
        _ = settings.INSTALLED_APPS  # Some commands would go on without settings, and stumble.
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()

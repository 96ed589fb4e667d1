"""The columns of parameters, which the platform's settings and an account's have alike."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from igny8_core.errors import AIError
from igny8_core.tasks import parameters
from igny8_core.tasks.parameters import PARAMETERS, Value


class Parameters(models.Model):
    """What a call asks of a model beside its prompt; empty leaves it to the layer before."""

    temperature = models.FloatField(null=True, blank=True, help_text="Text: from 0 to 2.")
    max_tokens = models.IntegerField(
        null=True,
        blank=True,
        help_text="Text: the longest answer, in tokens; limited to what the model can do.",
    )
    image_size = models.CharField(
        max_length=9,
        blank=True,
        help_text="Image: WIDTHxHEIGHT in pixels, e.g. 1024x1024.",
    )

    class Meta:
        abstract = True

    def parameters(self) -> dict[str, Value]:
        """Those that are set."""
        columns = {field.name for field in self._meta.concrete_fields}
        values = {name: getattr(self, name) for name in PARAMETERS if name in columns}
        return {name: value for name, value in values.items() if value is not None and value != ""}

    def clean(self) -> None:
        super().clean()
        faults = {}
        for name, value in self.parameters().items():
            try:
                parameters.check(name, value)
            except AIError as error:
                faults[name] = ValidationError(str(error), code=error.code)
        if faults:
            raise ValidationError(faults)

    def save(self, **options: Any) -> None:
        """Raises InvalidParameter."""
        for name, value in self.parameters().items():
            parameters.check(name, value)
        super().save(**options)

"""What is wrong with providers, with their switches, and with other names of models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from igny8_core.catalogue.models import CatalogueProvider
from igny8_core.catalogue.names import ALIASES, OFFLINE, PROVIDER_ROWS, PROVIDER_SWITCH
from igny8_core.catalogue.problem import NO_MOMENT, SectionProblem, is_moment, problem
from igny8_core.catalogue.section import Json


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_sound = parts.port != 0 and parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False
    more = (parts.username, parts.query, parts.fragment)
    return is_sound and not any(more) and url.isprintable() and " " not in url


def provider_problems(providers: Mapping[str, CatalogueProvider]) -> Iterator[SectionProblem]:
    for name, provider in providers.items():
        path = (*PROVIDER_ROWS, name)
        if name == OFFLINE:
            sentence = "Receipts say “offline” where no provider was called: take another name."
            yield problem(path, name, sentence, "reserved")
        if provider.base_url and not _is_address(provider.base_url):
            sentence = f"{provider.base_url!r} is no address, such as https://api.example.com/v1."
            yield problem((*path, "base_url"), provider.base_url, sentence, "invalid_address")
        if not provider.base_url and name != provider.protocol:
            sentence = f"Say where it is reached: empty is the address of {provider.protocol}."
            yield problem((*path, "base_url"), "", sentence, "no_address")


def alias_problems(
    aliases: Mapping[str, Mapping[str, str]], models: Mapping[str, Json]
) -> Iterator[SectionProblem]:
    for name, entry in aliases.items():
        if name in models:
            sentence = f"{name!r} is a model and another name of one: one of the two has to go."
            yield problem((*ALIASES, name), name, sentence, "is_a_model")
        for moment, model_id in entry.items():
            path = (*ALIASES, name, moment)
            if not is_moment(moment):
                yield problem(path, moment, NO_MOMENT.format(moment), "malformed")
            if model_id not in models:
                sentence = f"There is no model {model_id!r}."
                yield problem(path, model_id, sentence, "unknown_model")


def switch_problems(
    providers: Mapping[str, CatalogueProvider], switches: Iterable[str]
) -> Iterator[SectionProblem]:
    """Switches that look like a provider's and switch nothing off."""
    there = f"there are {', '.join(PROVIDER_SWITCH + each for each in providers)}"
    for switch in switches:
        provider = switch.removeprefix(PROVIDER_SWITCH)
        if provider != switch and provider not in providers:
            sentence = (
                f"There is no provider {provider!r}, so {switch} would switch nothing off; {there}."
            )
            yield problem(("switches", switch), switch, sentence, "unknown_provider")
        elif provider == switch and switch.strip().lower() in providers:
            sentence = (
                f"{switch!r} would switch nothing off; a provider's switch is one of: {there}."
            )
            yield problem(("switches", switch), switch, sentence, "unknown_provider")

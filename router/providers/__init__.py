"""The model providers: the only code here that connects to anything."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from problems import BackrouteError, nearest
from router.providers.base import Answer, BadRequest, Provider, ProviderFault

__all__ = ["PROVIDERS", "Answer", "BadRequest", "Provider", "ProviderFault", "provider"]

# A provider is a file and a line here.
PROVIDERS = {"openai": "OpenAI", "anthropic": "Anthropic", "groq": "Groq"}


def provider(name: str, *, base_url: str | None = None) -> Provider:
    """The provider of that name; nothing is connected, and no key is read, before its first call.

    Args:
        name: one of `PROVIDERS`; any other name is an OpenAI-compatible server, which needs an address.
        base_url: where it is; `NAME_BASE_URL` in the environment when left out. With `/v1` for OpenAI and compatible
            servers; the host alone for Anthropic and Groq.

    Raises:
        BackrouteError: an unknown name without an address.
    """
    if name in PROVIDERS:
        make: Callable[..., Provider] = getattr(import_module(f"router.providers.{name}"), PROVIDERS[name])
        return make(name, base_url=base_url)
    from router.providers.openai import OpenAI

    server = OpenAI(name, base_url=base_url)
    if server.base_url is None:
        known = nearest(name, PROVIDERS) or f"the providers are {', '.join(PROVIDERS)}"
        fix = f"{known}; for an OpenAI-compatible server set its address, {server.base_url_name}"
        raise BackrouteError("provider", f"unknown provider ({name!r})", fix=fix)
    return server

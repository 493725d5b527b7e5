"""Whether what a shop needs is installed, asked before anything is begun."""

from __future__ import annotations

from importlib.util import find_spec

from everloop.errors import Missing

LIBRARIES = {"shopify_app": "shopifyapp", "starlette": "starlette", "cryptography": "cryptography", "graphql": "graphql-core"}


def require_shopify(what: str) -> None:
    """Raises Missing with the extra's name where a library of ``everloop[shopify]`` is not there."""
    for module, library in LIBRARIES.items():
        if find_spec(module) is None:
            raise Missing(library, "shopify", what)

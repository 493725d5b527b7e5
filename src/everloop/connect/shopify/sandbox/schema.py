"""Shopify's own schema of the Admin API, 2026-10, from ``@shopify/dev-mcp`` 1.16.0 (ISC; its licence is beside it, LICENSE-schema.txt).

Besides types it says, of each, which scopes it takes and what protected customer data it shows (``access.py``).
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from everloop.connect.shopify.sandbox.language import GraphQLSchema, build_client_schema

HERE: Final = Path(__file__).parent / "admin_2026-10.json.gz"


@cache
def described(file: Path = HERE) -> dict[str, Any]:
    """The schema as introspection tells it, ``__schema`` with Shopify's metadata on its types and fields."""
    told: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))["data"]
    return told


@cache
def schema(file: Path = HERE) -> GraphQLSchema:
    """The schema as graphql-core knows it: half a second and 90 MB, once in a process."""
    return build_client_schema(described(file), assume_valid=True)  # type: ignore[arg-type]

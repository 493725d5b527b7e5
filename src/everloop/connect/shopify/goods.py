"""Products, their variants and how many are left: rows, the same whichever way they were told. Values only.

``products`` and ``inventory`` are the house's. What only the door needs is called by names no source can have: ``#variants`` says whose an
inventory item is, ``#orders`` that an order was deleted, ``#wanted`` that something changed that was not told whole, so that it is asked
for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from everloop.connect.shopify.house import Row
from everloop.connect.shopify.said import lag, minor, text

VARIANTS, ORDERS, WANTED = "#variants", "#orders", "#wanted"


@dataclass(frozen=True)
class Variant:
    """A variant, and the inventory item it is counted by (None: not told); ``endless``: it is sold although none is left; ``since`` when
    there is such a variant (None: not told)."""

    id: str
    item_id: str | None = None
    endless: bool = False
    since: datetime | None = None


@dataclass(frozen=True)
class Product:
    """A product as it stood at ``version`` (UTC), with all its variants; ``price`` is of the first, in major units."""

    id: str
    version: datetime
    title: str | None
    vendor: str | None
    product_type: str | None
    status: str | None
    price: Decimal | None
    currency: str | None
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Level:
    """How many pieces of an item a location could still sell from ``updated_at`` on (UTC), told at ``told_at`` (None: asked for)."""

    item_id: str
    location_id: str
    updated_at: datetime
    told_at: datetime | None
    available: int
    product_id: str | None = None
    variant_id: str | None = None


def product_rows(product: Product) -> list[tuple[str, Row]]:
    """The row of a product, and whose its inventory items are."""
    known = product.price is not None and product.currency is not None
    row = {
        "product_id": product.id,
        "updated_at": text(product.version),
        "deleted_at": None,
        "title": product.title,
        "vendor": product.vendor,
        "product_type": product.product_type,
        "status": product.status,
        "price": minor(product.price, product.currency) if known else None,  # type: ignore[arg-type]
        "currency": product.currency if known else None,
    }
    return [("products", row), *(variant_row(product.id, v, text(product.version)) for v in product.variants)]


def variant_row(product_id: str, variant: Variant, updated_at: str | None = None) -> tuple[str, Row]:
    """Whose a variant is; ``updated_at`` where all variants of the product were told, None where only this one was."""
    said = {
        "product_id": product_id,
        "variant_id": variant.id,
        "inventory_item_id": variant.item_id,
        "endless": variant.endless,
        "since": text(variant.since),
        "updated_at": updated_at,
    }
    return VARIANTS, said


def deleted_product(product_id: str, at: datetime) -> list[tuple[str, Row]]:
    """The row that takes a product out."""
    return [("products", {"product_id": product_id, "updated_at": text(at), "deleted_at": text(at)})]


def deleted_order(order_id: str, at: datetime) -> list[tuple[str, Row]]:
    """That an order is gone, with all its lines."""
    return [(ORDERS, {"order_id": order_id, "updated_at": text(at)})]


def wanted(kind: str, id: str, since: datetime, why: str) -> list[tuple[str, Row]]:
    """That a thing (``Order``, ``Product``, ``InventoryItem``) is to be asked for: it changed at ``since``, and was not told whole."""
    return [(WANTED, {"kind": kind, "id": id, "since": text(since), "why": why})]


def level_rows(level: Level) -> list[tuple[str, Row]]:
    """The row of a level; a product nobody knows yet is None, and found by the item later."""
    row = {
        "inventory_item_id": level.item_id,
        "location_id": level.location_id,
        "updated_at": text(level.updated_at.replace(microsecond=0)),
        "product_id": level.product_id,
        "variant_id": level.variant_id,
        "available": level.available,
        "lag": lag(level.updated_at.replace(microsecond=0), level.told_at),
    }
    known = level.product_id is not None and level.variant_id is not None
    of = [variant_row(level.product_id, Variant(level.variant_id, level.item_id))] if known else []  # type: ignore[arg-type]
    return [*of, ("inventory", row)]

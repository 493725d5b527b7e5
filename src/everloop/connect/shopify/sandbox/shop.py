"""A shop in memory: products, stock, orders, what apps keep in it. Its verbs are what people do; whoever listens hears webhooks of it.

Things are dicts with the Admin API's own field names, so that the real schema reads them as they are. Instants are whole seconds UTC, as
Shopify's are; money is text. Safe between threads.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import everloop.connect.shopify.sandbox.payloads as payloads
from everloop.clock import utc, wall
from everloop.connect.shopify.scopes import SCOPES

Thing = dict[str, Any]
Listener = Callable[[str, Mapping[str, Any], datetime], None]
"""Told a topic, its payload, and when it happened."""


@dataclass(frozen=True)
class Bought:
    """One line of an order to be: a variant's id, how many, and what the line carries, such as ``{"_everloop": …}``."""

    variant: str
    quantity: int = 1
    price: Decimal | None = None
    discount: Decimal = Decimal(0)
    properties: Mapping[str, str] = field(default_factory=dict)
    gift_card: bool = False


class Shop:
    """A shop with nothing in it. ``now`` is its business time; ``scopes`` are what the app was granted."""

    def __init__(
        self,
        domain: str = "sandbox.myshopify.com",
        *,
        currency: str = "EUR",
        taxes_included: bool = True,
        tax_rate: str = "0.19",
        scopes: Sequence[str] = SCOPES,
        now: Callable[[], datetime] = wall,
    ) -> None:
        self.domain, self.currency, self.taxes_included, self.tax_rate = domain, currency, taxes_included, Decimal(tax_rate)
        self.scopes, self.now = tuple(scopes), now
        self.lock = threading.RLock()
        self.things: dict[str, dict[str, Thing]] = {}
        self.metafields: dict[tuple[str, str, str], Thing] = {}
        self.flow: list[tuple[str, Any]] = []
        """What was said to Flow: trigger and payload."""
        self.listeners: list[Listener] = []
        self._ids = itertools.count(1_001)
        self.location = self.add("Location", name="Warehouse", isActive=True)
        self.app = self.add("AppInstallation")

    # -- things ------------------------------------------------------------------------------------------------------------------

    def gid(self, kind: str) -> str:
        return f"gid://shopify/{kind}/{next(self._ids)}"

    def all(self, kind: str) -> list[Thing]:
        """Every thing of a type, in the order it was made."""
        return list(self.things.get(kind, {}).values())

    def thing(self, id: str) -> Thing | None:
        """The thing with this id, such as ``gid://shopify/Order/1001``."""
        return self.things.get(id.split("/")[3], {}).get(id) if id.count("/") >= 4 else None

    def add(self, kind: str, id: str | None = None, **fields: Any) -> Thing:
        with self.lock:
            at = self.moment(None)
            made = {"__typename": kind, "id": id or self.gid(kind), "createdAt": at, "updatedAt": at, **fields}
            self.things.setdefault(kind, {})[made["id"]] = made
            return made

    def moment(self, at: datetime | None) -> str:
        return f"{utc(at or self.now()):%Y-%m-%dT%H:%M:%SZ}"

    def tell(self, topic: str, payload: Mapping[str, Any], at: datetime | None) -> None:
        for listener in self.listeners:
            listener(topic, payload, utc(at or self.now()))

    # -- products ----------------------------------------------------------------------------------------------------------------

    def add_product(
        self, title: str, price: Decimal | str, *, vendor: str = "Everloop", kind: str = "", stock: int = 100, at: datetime | None = None,
        id: str | None = None,
    ) -> Thing:  # fmt: skip
        """A product with one variant, and so many of it in the warehouse."""
        with self.lock:
            moment = self.moment(at)
            said = {"title": title, "handle": _handle(title), "vendor": vendor, "productType": kind, "status": "ACTIVE", "tags": []}
            product = self.add("Product", id, **said, variants=[])
            item = self.add("InventoryItem", tracked=True, sku=f"SKU-{payloads.number(product['id'])}")
            variant = self.add(
                "ProductVariant", title="Default Title", price=f"{Decimal(price):.2f}", compareAtPrice=None, sku=item["sku"], position=1,
                inventoryPolicy="DENY", product=product, inventoryItem=item,
            )  # fmt: skip
            level = self.add("InventoryLevel", f"gid://shopify/InventoryLevel/{payloads.number(item['id'])}?inventory_item_id={payloads.number(item['id'])}",
                available=stock, item=item, location=self.location)  # fmt: skip
            item["variant"], item["inventoryLevels"] = variant, [level]
            product["variants"].append(variant)
            for thing in (product, item, variant, level):
                thing["createdAt"] = thing["updatedAt"] = moment
            self.tell("products/create", payloads.product(product), at)
            return product

    def change_product(self, id: str, *, price: Decimal | str | None = None, at: datetime | None = None, **fields: Any) -> Thing:
        """Say something else of a product (field names of the Admin API), or another price of its first variant."""
        with self.lock:
            product = self.needed(id)
            if price is not None:
                product["variants"][0]["price"] = f"{Decimal(price):.2f}"
            product.update(fields, updatedAt=self.moment(at))
            self.tell("products/update", payloads.product(product), at)
            return product

    def delete_product(self, id: str, at: datetime | None = None) -> None:
        with self.lock:
            gone = self.things["Product"].pop(id)
            for variant in gone["variants"]:
                self.things["ProductVariant"].pop(variant["id"])
            event = self.add("BasicEvent", action="destroy", subjectId=id, subjectType="PRODUCT")
            event["createdAt"] = self.moment(at)
            self.tell("products/delete", {"id": payloads.number(id)}, at)

    def set_stock(self, variant: str, available: int, at: datetime | None = None) -> Thing:
        """How many of a variant the warehouse can still sell from now on."""
        with self.lock:
            (level,) = self.needed(variant)["inventoryItem"]["inventoryLevels"]
            level.update(available=available, updatedAt=self.moment(at))
            self.tell("inventory_levels/update", payloads.level(level), at)
            return level  # type: ignore[no-any-return]

    # -- orders ------------------------------------------------------------------------------------------------------------------

    def order(
        self, lines: Sequence[Bought], *, customer: str | None = None, at: datetime | None = None, test: bool = False,
        attributes: Mapping[str, str] | None = None, shipping: Decimal = Decimal(0), stock: bool = True,
    ) -> Thing:  # fmt: skip
        """Somebody buys; ``customer`` is any name of theirs (the same name, the same customer), ``attributes`` the order's notes."""
        with self.lock:
            moment = self.moment(at)
            order = self.add(
                "Order", processedAt=moment, cancelledAt=None, test=test, currencyCode=self.currency, taxesIncluded=self.taxes_included,
                sourceName="web", tags=[], customAttributes=_pairs(attributes or {}), shipping=shipping, refunds=[],
                customer=None if customer is None else self._customer(customer), name="",
            )  # fmt: skip
            order["name"] = f"#{payloads.number(order['id'])}"
            order["lineItems"] = [self._line(one) for one in lines]
            order["createdAt"] = order["updatedAt"] = moment
            self.tell("orders/create", payloads.order(self, order), at)
            for line in order["lineItems"] if stock and not test else ():
                if line["variant"] is not None:
                    level = line["variant"]["inventoryItem"]["inventoryLevels"][0]
                    self.set_stock(line["variant"]["id"], max(0, level["available"] - line["quantity"]), at)
            return order

    def refund(self, order: str, line: int = 0, quantity: int = 1, at: datetime | None = None) -> Thing:
        """So many pieces of an order's line (counted from 0) are given back."""
        with self.lock:
            found = self.needed(order)
            of = found["lineItems"][line]
            taken = min(quantity, of["currentQuantity"])
            of["currentQuantity"] -= taken
            refund = self.add("Refund", order=found, quantity=taken, line=of)
            refund["createdAt"] = refund["updatedAt"] = found["updatedAt"] = self.moment(at)
            found["refunds"].append(refund)
            self.tell("refunds/create", payloads.refund(refund), at)
            self.tell("orders/updated", payloads.order(self, found), at)
            return refund

    def cancel(self, order: str, at: datetime | None = None) -> Thing:
        """The whole order is called off; what was paid is given back."""
        with self.lock:
            found = self.needed(order)
            found["cancelledAt"] = found["updatedAt"] = self.moment(at)
            for line in found["lineItems"]:
                line["currentQuantity"] = 0
            self.tell("orders/cancelled", payloads.order(self, found), at)
            self.tell("orders/updated", payloads.order(self, found), at)
            return found

    # -- what apps keep ----------------------------------------------------------------------------------------------------------

    def edit(self, metaobject_type: str, handle: str, at: datetime | None = None, **fields: Any) -> Thing:
        """What the merchant does under Content > Metaobjects: these fields of an entry, made if it is not there."""
        with self.lock:
            found = next((m for m in self.all("Metaobject") if (m["type"], m["handle"]) == (metaobject_type, handle)), None)
            fresh = found is None
            entry = found or self.add("Metaobject", type=metaobject_type, handle=handle, displayName=handle, values={})
            entry["values"].update({key: value if isinstance(value, str) else _as_text(value) for key, value in fields.items()})
            entry["updatedAt"] = self.moment(at)
            self.tell("metaobjects/create" if fresh else "metaobjects/update", payloads.metaobject(entry), at)
            return entry

    def keep(self, owner: str, namespace: str, key: str, value: str, type: str | None) -> Thing:
        """A metafield with this value; its digest is Shopify's to choose."""
        with self.lock:
            kept = self.metafields.get((owner, namespace, key))
            if kept is None:
                kept = self.add("Metafield", namespace=namespace, key=key, ownerType=owner.split("/")[3].upper(), owner=self.thing(owner))
                self.metafields[owner, namespace, key] = kept
            kept.update(value=value, jsonValue=value, type=type or kept.get("type", "json"), updatedAt=self.moment(None))
            kept["compareDigest"] = hashlib.blake2b(f"{kept['id']} {value}".encode(), digest_size=16).hexdigest()
            return kept

    def needed(self, id: str) -> Thing:
        found = self.thing(id)
        if found is None:
            raise KeyError(f"The sandbox has no {id}.")
        return found

    def _customer(self, name: str) -> Thing:
        id = f"gid://shopify/Customer/{name if name.isdigit() else int.from_bytes(hashlib.sha256(name.encode()).digest()[:5])}"
        return self.thing(id) or self.add("Customer", id)

    def _line(self, bought: Bought) -> Thing:
        variant = self.needed(bought.variant)
        price = Decimal(variant["price"]) if bought.price is None else bought.price
        paid = price * bought.quantity - bought.discount
        tax = paid * self.tax_rate / (1 + self.tax_rate) if self.taxes_included else paid * self.tax_rate
        return self.add(
            "LineItem", quantity=bought.quantity, currentQuantity=bought.quantity, isGiftCard=bought.gift_card, sku=variant["sku"],
            title=variant["product"]["title"], name=variant["product"]["title"],
            product=variant["product"], variant=variant, customAttributes=_pairs(bought.properties), price=price,
            originalUnitPriceSet=self.money(price), discountedTotalSet=self.money(paid),
            discountAllocations=[_taken_off(self.money(bought.discount))] if bought.discount else [],
            taxLines=[{"__typename": "TaxLine", "title": "VAT", "rate": float(self.tax_rate), "priceSet": self.money(tax)}] if tax else [],
        )  # fmt: skip

    def money(self, amount: Decimal) -> Thing:
        """An amount as the Admin API says it: the shop's currency is everybody's here."""
        one = {"__typename": "MoneyV2", "amount": str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP)), "currencyCode": self.currency}
        return {"__typename": "MoneyBag", "shopMoney": one, "presentmentMoney": one}


def _handle(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def _taken_off(money: Thing) -> Thing:
    return {"__typename": "DiscountAllocation", "allocatedAmountSet": money}


def _pairs(said: Mapping[str, str]) -> list[Thing]:
    return [{"__typename": "Attribute", "key": key, "value": value} for key, value in said.items()]


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

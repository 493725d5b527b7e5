"""A shop as far as the merchant's hand goes, and a house asked without a socket; both can be made to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from everloop.connect.shopify.house import Refused, Unreachable
from everloop.errors import ClockWentBack, EverloopError, Overtaken, Unknown
from everloop.loop import hand, look, people
from everloop.registry.written import as_data

try:
    from everloop.connect.shopify.admin import UserErrors
except ImportError:

    class UserErrors(EverloopError):  # noqa: N818
        def __init__(self, document, errors):
            self.codes = frozenset(one["code"] for one in errors)
            super().__init__("; ".join(one["message"] for one in errors))


@dataclass
class FakeShop:
    """Metaobjects, metafields and tags, by the documents the hand uses; every second something is changed in takes a second."""

    flags: dict = field(default_factory=dict)
    metafields: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    products: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    down: bool = False
    race: list = field(default_factory=list)
    """Called before the next compare-and-set, once each: somebody else is faster."""
    clock: count = field(default_factory=lambda: count(1))
    digests: count = field(default_factory=lambda: count(1))
    per_call: int = 25

    def now(self):
        return f"2026-11-22T00:{next(self.clock):04d}Z"

    def edit(self, handle, **fields):
        """As a merchant does in the admin; the webhook that tells of it."""
        there = self.flags.setdefault(handle, {"id": f"gid://shopify/Metaobject/{handle}", "fields": {}})
        there["fields"] |= fields
        there["updated_at"] = self.now()
        return self.webhook(handle)

    def webhook(self, handle):
        there = self.flags[handle]
        return {"type": "app--77--model_flag", "handle": handle, "fields": dict(there["fields"]), "updated_at": there["updated_at"]}

    def ask(self, document, /, **said):
        if self.down:
            raise Unreachable("The shop does not answer.")
        self.asked.append((document, said))
        return getattr(self, f"_{document}")(**said)

    def _metaobjects(self, type, after=None):
        names = sorted(name for name, one in self.flags.items() if one.get("type", "$app:model_flag") == type)
        at = names.index(after) + 1 if after else 0
        page = names[at : at + 2]
        nodes = [self._node(name) for name in page]
        return {"metaobjects": {"nodes": nodes, "pageInfo": {"hasNextPage": at + 2 < len(names), "endCursor": page[-1] if page else None}}}

    def _node(self, name):
        there = self.flags[name]
        fields = [{"key": key, "value": value} for key, value in there["fields"].items()]
        return {"id": there["id"], "handle": name.split("/")[-1], "updatedAt": there["updated_at"], "fields": fields}

    def _metaobject_upsert(self, handle, metaobject):
        name = handle["handle"]
        there = self.flags.setdefault(name, {"id": f"gid://shopify/Metaobject/{name}", "fields": {}})
        there["type"] = handle["type"]
        there["fields"] |= {one["key"]: one["value"] for one in metaobject["fields"]}
        there["updated_at"] = self.now()
        return {"metaobjectUpsert": {"metaobject": {"id": there["id"], "handle": name, "updatedAt": there["updated_at"]}, "userErrors": []}}

    def _metaobject_delete(self, id):
        self.flags = {name: one for name, one in self.flags.items() if one["id"] != id}
        return {"metaobjectDelete": {"deletedId": id, "userErrors": []}}

    def _app_metafield(self, namespace, key):
        found = self.metafields.get(("app", namespace, key))
        return {"currentAppInstallation": {"id": "app", "metafield": found and dict(found)}}

    def _product_metafields(self, ids, namespace, key):
        return {"nodes": [{"id": id, "metafield": self.metafields.get((id, namespace, key))} for id in ids]}

    def _metafields_set(self, metafields):
        if len(metafields) > self.per_call:
            raise UserErrors("metafields_set", [{"field": None, "message": "Exceeded", "code": "LESS_THAN_OR_EQUAL_TO"}])
        if self.race:
            self.race.pop(0)()
        for one in metafields:
            there = self.metafields.get((one["ownerId"], one["namespace"], one["key"]))
            if "compareDigest" in one and one["compareDigest"] != (there or {}).get("compareDigest"):
                raise UserErrors(
                    "metafields_set", [{"field": ["metafields"], "message": "changed since it was read", "code": "STALE_OBJECT"}]
                )
        for one in metafields:
            self.write(one["ownerId"], one["namespace"], one["key"], one["value"])
        return {"metafieldsSet": {"metafields": [], "userErrors": []}}

    def write(self, owner, namespace, key, value):
        self.metafields[owner, namespace, key] = {"value": value, "compareDigest": f"d{next(self.digests)}"}

    def _metafields_delete(self, metafields):
        for one in metafields:
            self.metafields.pop((one["ownerId"], one["namespace"], one["key"]), None)
        return {"metafieldsDelete": {"deletedMetafields": [], "userErrors": []}}

    def _tags_add(self, id, tags):
        self.tags.setdefault(id, set()).update(tags)
        return {"tagsAdd": {"node": {"id": id}, "userErrors": []}}

    def _tags_remove(self, id, tags):
        self.tags.get(id, set()).difference_update(tags)
        return {"tagsRemove": {"node": {"id": id}, "userErrors": []}}

    def _product_page(self, after=None):
        at = int(after or 0)
        page = self.products[at : at + 3]
        return {"products": {"nodes": page, "pageInfo": {"hasNextPage": at + 3 < len(self.products), "endCursor": str(at + 3)}}}

    def mirrored(self):
        return json.loads(self.metafields["app", "everloop", "serving"]["value"])


@dataclass
class HereAsked:
    """A house that is asked without a socket, by the same words as over HTTP, and refuses as it does there."""

    house: object
    now: object
    down: bool = False
    operated: list = field(default_factory=list)
    loses: int = 0
    """So many replies are lost, once what was asked is done."""

    def standing(self):
        self.up()
        return [as_data(vars(one)) for one in look.status(self.house)]

    def operate(self, path, said):
        self.up()
        _, name, verb = path.split("/")
        words = {"by": said["by"], "reason": said["reason"], "now": self.now}
        self.now += timedelta(seconds=1)
        try:
            model = self.house.project.model(name)
            if verb in ("approve", "reject"):
                told = people.answer_question(self.house, model, verb == "approve", question=said.get("question"), **words)
            elif verb == "share":
                told = hand.set_share(self.house, model, said["share"], **words)
            else:
                told = {"hold": hand.hold, "release": hand.release, "undo": people.undo}[verb](self.house, model, **words)
        except (Overtaken, ClockWentBack) as error:
            raise Refused(409, "overtaken", str(error)) from None
        except Unknown as error:
            raise Refused(404, "unknown", str(error)) from None
        except EverloopError as error:
            raise Refused(422, "invalid", str(error)) from None
        self.operated.append((verb, said))
        if self.loses:
            self.loses -= 1
            raise Unreachable("The reply was lost.")
        return {"sentence": told}

    def up(self):
        if self.down:
            raise Unreachable("The house does not answer.")

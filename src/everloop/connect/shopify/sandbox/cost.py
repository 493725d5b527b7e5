"""What a query costs, in points: objects 1, mutations 10, a connection 2 and its page times what one node costs.

Shopify charges large pages less than this; how much less is not published. So this is never below the truth where it is used to judge our
own documents, and the sandbox is a little stricter than a shop. https://shopify.dev/docs/api/usage/limits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from everloop.connect.shopify.sandbox.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_object_type,
)

MOST = 1000
"""No single query may cost more."""
LONGEST_PAGE = 250
_MUTATIONS = {"flowTriggerReceive": 1}


def requested(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any] | None = None, data: Any = None) -> int:
    """The points a document asks for with these variables; with ``data``, what its answer took: pages as long as they came.

    >>> from graphql import build_schema, parse
    >>> shop = build_schema("type Query { items(first: Int): ItemConnection } type ItemConnection { nodes: [Item] } type Item { id: ID }")
    >>> requested(shop, parse("{ items(first: 48) { nodes { id } } }")), requested(shop, parse("{ items(first: 3) { nodes { id } } }"))
    (50, 5)
    """
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    (operation,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    if operation.operation.value == "mutation":
        return sum(_MUTATIONS.get(f.name.value, 10) for f in fields(operation.selection_set, fragments))
    counted = _Counted(schema, fragments, {**_defaults(operation), **(variables or {})})
    return counted.of(operation.selection_set, schema.query_type, data)


def fields(selected: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """The fields of a selection, those of its fragments with them."""
    for one in selected.selections if selected else ():
        if isinstance(one, FieldNode):
            yield one
        elif isinstance(one, InlineFragmentNode):
            yield from fields(one.selection_set, fragments)
        elif isinstance(one, FragmentSpreadNode):
            yield from fields(fragments[one.name.value].selection_set, fragments)


class _Counted:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]) -> None:
        self.schema, self.fragments, self.variables = schema, fragments, variables

    def of(self, selected: SelectionSetNode | None, parent: Any, data: Any) -> int:
        return sum(self.one(f, kind, data) for f, kind in self.typed(selected, parent))

    def one(self, field: FieldNode, kind: Any, data: Any) -> int:
        named = get_named_type(kind)
        if not is_composite_type(named) or named.name == "PageInfo":
            return 0
        key = (field.alias or field.name).value
        answer = data.get(key) if isinstance(data, dict) else None
        if data is not None and answer is None:
            return 1
        if not named.name.endswith("Connection"):
            if isinstance(answer, list):
                return sum(1 + self.of(field.selection_set, named, one) for one in answer if one is not None)
            return self.many(field, answer) * (1 + self.of(field.selection_set, named, answer))
        if isinstance(answer, dict):
            nodes = answer.get("nodes") or [edge.get("node") for edge in answer.get("edges") or ()]
            return 2 + sum(1 + self.node(field, named, node or {}) for node in nodes)
        return 2 + self.page(field) * (1 + self.node(field, named, None))

    def node(self, connection: FieldNode, kind: Any, data: Any) -> int:
        """What one node costs; nodes and edges are two ways to say it."""
        most = 0
        for field, inner in self.typed(connection.selection_set, kind):
            named = get_named_type(inner)
            if field.name.value == "nodes":
                most = max(most, self.of(field.selection_set, named, data))
            elif field.name.value == "edges":
                for edge_field, node in self.typed(field.selection_set, named):
                    if edge_field.name.value == "node":
                        most = max(most, self.of(edge_field.selection_set, get_named_type(node), data))
        return most

    def page(self, field: FieldNode) -> int:
        return int(self.argument(field, "first") or self.argument(field, "last") or 1)

    def many(self, field: FieldNode, answer: Any) -> int:
        """How many objects a list by ids asks for."""
        ids = self.argument(field, "ids") if answer is None else None
        return len(ids) if isinstance(ids, list) else LONGEST_PAGE if ids is not None else 1

    def argument(self, field: FieldNode, name: str) -> Any:
        for argument in field.arguments or ():
            if argument.name.value == name:
                value = argument.value
                if isinstance(value, VariableNode):
                    return self.variables.get(value.name.value, LONGEST_PAGE if name in ("first", "last", "ids") else None)
                return getattr(value, "value", None) or list(getattr(value, "values", ()))
        return None

    def typed(self, selected: SelectionSetNode | None, parent: Any) -> Iterator[tuple[FieldNode, Any]]:
        """The fields selected with their types; a fragment says the type it is on."""
        for one in selected.selections if selected else ():
            if isinstance(one, FieldNode):
                definition = getattr(parent, "fields", {}).get(one.name.value)
                if definition is not None:
                    yield one, definition.type
            elif isinstance(one, InlineFragmentNode | FragmentSpreadNode):
                fragment = one if isinstance(one, InlineFragmentNode) else self.fragments[one.name.value]
                on = fragment.type_condition
                yield from self.typed(fragment.selection_set, self.schema.type_map[on.name.value] if on else parent)


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    return {v.variable.name.value: getattr(v.default_value, "value", None) for v in operation.variable_definitions or () if v.default_value}


def connections(schema: GraphQLSchema, document: DocumentNode) -> tuple[int, int]:
    """How many connections a document has, and how deep they go in one another."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    (operation,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    typed = _Counted(schema, fragments, {}).typed

    def below(selected: SelectionSetNode | None, parent: Any) -> tuple[int, int]:
        count = depth = 0
        for field, kind in typed(selected, parent):
            named = get_named_type(kind)
            inner_count, inner_depth = below(field.selection_set, named)
            here = int(is_object_type(named) and named.name.endswith("Connection"))
            count, depth = count + here + inner_count, max(depth, here + inner_depth)
        return count, depth

    root = schema.query_type
    assert isinstance(root, GraphQLObjectType)
    return below(operation.selection_set, root)

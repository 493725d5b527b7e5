"""GraphQL as graphql-core has it: the one file of the shop in a box that imports it."""

from __future__ import annotations

from everloop.errors import Missing

try:
    from graphql import (
        DocumentNode,
        FieldNode,
        FragmentDefinitionNode,
        FragmentSpreadNode,
        GraphQLError,
        GraphQLNonNull,
        GraphQLObjectType,
        GraphQLResolveInfo,
        GraphQLSchema,
        InlineFragmentNode,
        OperationDefinitionNode,
        SelectionSetNode,
        TypeInfo,
        TypeInfoVisitor,
        VariableNode,
        Visitor,
        build_client_schema,
        execute,
        get_named_type,
        get_nullable_type,
        is_composite_type,
        is_list_type,
        is_object_type,
        parse,
        validate,
        visit,
    )
except ImportError:
    raise Missing("graphql-core", "shopify", "The sandbox") from None

__all__ = [
    "DocumentNode", "FieldNode", "FragmentDefinitionNode", "FragmentSpreadNode", "GraphQLError", "GraphQLNonNull", "GraphQLObjectType",
    "GraphQLResolveInfo", "GraphQLSchema", "InlineFragmentNode", "OperationDefinitionNode", "SelectionSetNode", "TypeInfo",
    "TypeInfoVisitor", "VariableNode", "Visitor", "build_client_schema", "execute", "get_named_type", "get_nullable_type",
    "is_composite_type", "is_list_type", "is_object_type", "parse", "validate", "visit",
]  # fmt: skip

"""Arrow schemas of the kernel, as Spark wants them: a schema in words."""

from __future__ import annotations

import pyarrow as pa

RETRIED = ("first_seen", "tries")
"""Columns of a record that only one taken up from suspense fills."""


def ddl(schema: pa.Schema, without: tuple[str, ...] = ()) -> str:
    """The schema in Spark's words, but for some columns."""
    return ", ".join(
        f"`{field.name}` {_type(field.type)}" for field in schema if field.name not in without
    )


def struct(schema: pa.Schema) -> str:
    """The type of a struct with these fields."""
    return _type(pa.struct(list(schema)))


def _type(type_: pa.DataType) -> str:
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "string"
    if pa.types.is_int64(type_):
        return "bigint"
    if pa.types.is_boolean(type_):
        return "boolean"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pa.types.is_list(type_):
        return f"array<{_type(type_.value_type)}>"
    if pa.types.is_struct(type_):
        return (
            "struct<" + ", ".join(f"`{field.name}`: {_type(field.type)}" for field in type_) + ">"
        )
    raise TypeError(
        f"the kernel's type {type_} has no Spark type here; expected one of those that its"
        " schemas had"
    )

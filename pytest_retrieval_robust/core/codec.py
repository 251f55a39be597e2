"""Values as plain data and back, by the types of their fields.

Plain data is what JSON has: it crosses between processes and stands in files. A
frozen dataclass that inherits `Written` needs no code of its own for that. The numeric
types of this module say what a field may hold; `run.schema.json` is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from typing_extensions import Self

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")
V = TypeVar("V")

# The schema says these bounds, and so they are checked where a file is read. What a
# worker sends is taken as it is: a rounding beyond 1 must not end a run.
Share: TypeAlias = Annotated[
    float, Meta(extra_json_schema={"minimum": 0, "maximum": 1})
]
Count: TypeAlias = Annotated[int, Meta(extra_json_schema={"minimum": 0})]
Positive: TypeAlias = Annotated[int, Meta(extra_json_schema={"minimum": 1})]
AtLeastOne: TypeAlias = Annotated[float, Meta(extra_json_schema={"minimum": 1})]
NOT_EMPTY = Meta(extra_json_schema={"minItems": 1})
NAMED_BY_K = Meta(
    extra_json_schema={
        "propertyNames": {"pattern": "^[1-9][0-9]*$"},
        "minProperties": 1,
    }
)
ByK: TypeAlias = Annotated[Mapping[int, V], NAMED_BY_K]
"""A value for each k. JSON writes the k as text."""


class Written:
    """The base of dataclasses that are written as plain data and read back."""

    def as_json(self) -> Json:
        """Its fields by name, as plain data."""
        data: Json = to_plain(self)
        return data

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """The value that `as_json` was called on.

        Fields that are missing take their defaults, and unknown ones are ignored.

        Raises:
            msgspec.ValidationError: A field holds something of another type.
        """
        return from_plain(cls, data)


def to_plain(value: object) -> Any:
    """Dictionaries, sequences, texts and numbers; keys are texts, bytes are base64."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_base)


def from_plain(kind: type[T], data: object) -> T:
    """The value of a type that `to_plain` made plain; `msgspec.ValidationError` for others."""
    return msgspec.convert(data, kind, str_keys=True)


def _base(value: object) -> str | float | dict[Any, Any]:
    """What a value of a subclass is, such as numpy's float64; any mapping is a `dict`."""
    if isinstance(value, Mapping):
        return dict(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise NotImplementedError(f"no plain data for {type(value).__name__}")

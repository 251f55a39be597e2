"""Data sets and occluders as they are typed, with parameters, and nothing opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Protocol

from ..core.catalogue import Catalogue, Entry, unknown_name
from ..core.errors import ConfigError, DatasetError, OcclusionError
from ..core.names import parse_call
from ..datasets import DatasetEntry
from ..occluders import Occluder, OccluderEntry

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset


@dataclass(frozen=True, repr=False)
class SelectedDataset:
    """A data set of this run, not opened yet."""

    entry: DatasetEntry
    name: str
    options: Mapping[str, object]

    def with_parameters(self, parameters: Mapping[str, object]) -> SelectedDataset:
        """With further parameters, which are then part of the name; `ConfigError` for
        an unfit one.
        """
        if not parameters and self.entry.of_files:
            return self
        selected = configured_dataset(self.entry, {**self.options, **parameters})
        if not self.options:
            return selected
        extra = configured_dataset(self.entry, parameters).name.removeprefix(
            self.entry.name
        )
        return SelectedDataset(self.entry, self.name + extra, selected.options)

    def load(self) -> RetrievalDataset:
        from ..datasets.contract import opened

        named = {"name": self.name} if self.entry.of_files else {}
        return opened(self.entry.load, self.name, {**named, **self.options})


def checked_value(entry: DatasetEntry, key: str, value: object) -> object:
    wanted = entry.parameters[key]
    fits = {int: (int,), float: (int, float), str: (str, PathLike)}.get(wanted)  # type: ignore[call-overload]
    if fits is not None and (isinstance(value, bool) or not isinstance(value, fits)):
        kind = {int: "a whole number", float: "a number", str: "a text"}[wanted]  # type: ignore[index]
        raise ConfigError(
            f"Expected {kind}, got {key}={value!r} for {entry.name}. Mend the value."
        )
    return value


def build_occluder(entry: OccluderEntry, texts: Mapping[str, str]) -> Occluder:
    """The occluder with its parameters parsed from text; `ConfigError` for an unknown
    or unfit one.
    """
    with _as_config_error():
        occluder = entry.build(**typed_parameters(entry, texts))
    return _named_as(occluder, entry)


def _named_as(occluder: Occluder, entry: OccluderEntry) -> Occluder:
    """The occluder, whose name must begin with its entry's, by which gates and options call it."""
    base, _, _ = occluder.name.partition("(")
    if base != entry.name:
        raise ConfigError(
            f"Expected the occluder of the entry {entry.name!r} to be named so, got"
            f" name={occluder.name!r}. Give it the name {entry.name!r} where it is"
            f" made, or register the entry as {base!r}."
        )
    return occluder


def occluder_from_text(text: str, catalogue: Catalogue[OccluderEntry]) -> Occluder:
    """`patches(grid=14,fill=mean)` as an occluder."""
    name, texts = parse_call(text)
    return build_occluder(catalogue.get(name), texts)


def configured_dataset(
    entry: DatasetEntry, options: Mapping[str, object]
) -> SelectedDataset:
    """The data set with its parameters, unopened; `ConfigError` for an unknown or unfit one."""
    for key, value in options.items():
        check_parameter(entry, key)
        if entry.of_files and value is not None:
            checked_value(entry, key, value)
    with _as_config_error():
        name = (
            entry.name
            if entry.canonical_name is None
            else entry.canonical_name(**options)
        )
    return SelectedDataset(entry, name, options)


def dataset_from_text(
    text: str, options: Mapping[str, object], catalogue: Catalogue[DatasetEntry]
) -> SelectedDataset:
    """`synthetic-cxr(pairs=100)` with further parameters by keyword."""
    name, texts = parse_call(text)
    entry = catalogue.get(name)
    return configured_dataset(entry, {**typed_parameters(entry, texts), **options})


class Parametrised(Entry, Protocol):
    """A catalogue entry with parameters."""

    @property
    def parameters(self) -> Mapping[str, Callable[[str], object]]: ...


def typed_parameters(
    entry: Parametrised, texts: Mapping[str, str]
) -> dict[str, object]:
    """The parameters as values; `ConfigError` for an unknown one, or a text that is not
    of its type.
    """
    typed = {}
    for key, text in texts.items():
        check_parameter(entry, key)
        read = entry.parameters[key]
        try:
            with _as_config_error():
                typed[key] = read(text)
        except ValueError as error:
            kind = getattr(read, "__name__", "its own")
            raise ConfigError(
                f"Expected {key} of {entry.name} to be of type {kind}, got"
                f" {key}={text!r}. Mend the value."
            ) from error
    return typed


def check_parameter(entry: Parametrised, key: str) -> None:
    if key not in entry.parameters:
        raise unknown_name(f"parameter of {entry.name}", key, entry.parameters)


@contextmanager
def _as_config_error() -> Iterator[None]:
    """What a data set or occluder refuses was typed wrong."""
    try:
        yield
    except (DatasetError, OcclusionError) as error:
        raise ConfigError(str(error)) from error

"""Data sets, occluders and metrics from text with parameters, such as `patches(grid=14)`.

Nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..core.catalogue import Catalogue, Entry, unknown_name
from ..core.errors import ConfigError, CorruptionError, DatasetError, OcclusionError
from ..core.foreign import FOREIGN, described, traceback_text, with_traceback_text
from ..core.loaders import LoaderArguments
from ..core.names import call_with, parse_call
from ..core.shown_values import shown_value
from ..datasets import DatasetEntry
from ..models import LoadRequest
from ..occluders import Occluder, OccluderEntry
from ..retrieval.metrics import MetricEntry
from ..retrieval.metrics.named import NamedMetric

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset


class Named(Protocol):
    """What has the name that results are kept under."""

    @property
    def name(self) -> str: ...


B = TypeVar("B", bound=Named)


@dataclass(frozen=True, repr=False)
class SelectedDataset:
    """A data set of a run, not opened yet."""

    entry: DatasetEntry
    name: str
    options: Mapping[str, object]

    def with_parameters(self, parameters: Mapping[str, object]) -> SelectedDataset:
        """With further parameters, which become part of the name.

        Raises `ConfigError` for an unfit one.
        """
        if not parameters and self.entry.of_files:
            return self
        selected = configured_dataset(self.entry, {**self.options, **parameters})
        if not self.options:
            return selected
        # A configured data set may have a name of its own, which stays in front.
        own = configured_dataset(self.entry, parameters).name
        suffix = own.removeprefix(self.entry.name)
        return SelectedDataset(self.entry, self.name + suffix, selected.options)

    def load(self) -> RetrievalDataset:
        from ..datasets.contract import opened

        options = dict(self.options)
        if self.entry.of_files:
            options = {"name": self.name, **options}
        request = LoadRequest(name=self.name, options=options)
        arguments = LoaderArguments(request, options, self.entry.parameters)
        return opened(self.entry.load, self.name, arguments)


def dataset_from_text(
    text: str, options: Mapping[str, object], catalogue: Catalogue[DatasetEntry]
) -> SelectedDataset:
    """`synthetic-cxr(pairs=100)` with further parameters by keyword."""
    name, texts = parse_call(text)
    entry = catalogue.get(name)
    return configured_dataset(entry, {**typed_parameters(entry, texts), **options})


def configured_dataset(
    entry: DatasetEntry, options: Mapping[str, object]
) -> SelectedDataset:
    """The data set with its parameters, unopened; `ConfigError` for an unknown or unfit one."""
    for key, value in options.items():
        check_parameter(entry, key)
        if entry.of_files and value is not None:
            checked_value(entry, key, value)
    name = entry.name
    if entry.canonical_name is not None:
        with _as_config_error():
            name = entry.canonical_name(**options)
    return SelectedDataset(entry, name, options)


def occluder_from_text(text: str, catalogue: Catalogue[OccluderEntry]) -> Occluder:
    """`patches(grid=14,fill=mean)` as an occluder."""
    name, texts = parse_call(text)
    return build_occluder(catalogue.get(name), texts)


def build_occluder(entry: OccluderEntry, texts: Mapping[str, str]) -> Occluder:
    """The occluder with its parameters parsed from text.

    Raises `ConfigError` for an unknown or unfit parameter.
    """
    return built("occluder", entry, entry.build, texts)


def built(
    kind: str,
    entry: Parametrised,
    build: Callable[..., B],
    texts: Mapping[str, str],
) -> B:
    """What an entry builds of parameters that are parsed from text.

    Raises `ConfigError` for an unknown or unfit parameter, and for a name that is not the
    entry's. `kind` is what messages call it.
    """
    with _as_config_error():
        made = build(**typed_parameters(entry, texts))
    # Gates and options find it by the name of its entry.
    base, _, _ = made.name.partition("(")
    if base != entry.name:
        raise ConfigError(
            f"Expected the {kind} of the entry {entry.name!r} to have that name, got"
            f" name={made.name!r}. Give it the name {entry.name!r} where it is"
            f" made, or register the entry as {base!r}."
        )
    return made


def metric_from_text(text: str, catalogue: Catalogue[MetricEntry]) -> NamedMetric:
    """`hit-rate(k=3)` as a metric, under its name with typed parameters.

    Raises `ConfigError` for an unknown name, or an unknown or unfit parameter.
    """
    base, texts = parse_call(text)
    entry = catalogue.get(base)
    parameters = typed_parameters(entry, texts)
    name = call_with(entry.name, parameters)
    where = ""
    try:
        function: object = entry.build(**parameters)
    except FOREIGN as error:
        problem = described(error)
        where = traceback_text(error)
    else:
        if callable(function):
            return NamedMetric(name, function)
        problem = f"a value of type {type(function).__name__}"
    names = ", ".join(sorted(entry.parameters)) or "none"
    refusal = ConfigError(
        f"Expected a function of ranks from the metric {name}, got {problem}. Its"
        f" parameters are: {names}. Fix their values, or the metric's entry."
    )
    raise with_traceback_text(refusal, where)


class Parametrised(Entry, Protocol):
    """A catalogue entry with parameters."""

    @property
    def parameters(self) -> Mapping[str, Callable[[str], object]]: ...


def typed_parameters(
    entry: Parametrised, texts: Mapping[str, str]
) -> dict[str, object]:
    """The parameters as values.

    Raises `ConfigError` for an unknown parameter, or a text that is not of its type.
    """
    values = {}
    for key, text in texts.items():
        check_parameter(entry, key)
        read = entry.parameters[key]
        try:
            with _as_config_error():
                values[key] = read(text)
        except ValueError as error:
            kind = getattr(read, "__name__", "its own")
            raise ConfigError(
                f"Expected {key} of {entry.name} to be of type {kind}, got"
                f" {key}={text!r}. Fix the value."
            ) from error
    return values


def check_parameter(entry: Parametrised, key: str) -> None:
    if key not in entry.parameters:
        raise unknown_name(f"parameter of {entry.name}", key, entry.parameters)


@dataclass(frozen=True)
class _Kind:
    """The values that a parameter of a type takes."""

    name: str
    types: tuple[type, ...]


_KINDS: Mapping[object, _Kind] = {
    int: _Kind("a whole number", (int,)),
    float: _Kind("a number", (int, float)),
    str: _Kind("a text", (str, PathLike)),
}


def checked_value(entry: DatasetEntry, key: str, value: object) -> object:
    """A value that was given as such, not as text; `ConfigError` for one of another type."""
    kind = _KINDS.get(entry.parameters[key])
    if kind is None:
        return value
    # True and False are of type int.
    if isinstance(value, bool) or not isinstance(value, kind.types):
        raise ConfigError(
            f"Expected {kind.name}, got {key}={shown_value(value)} for {entry.name}. Fix"
            " the value."
        )
    return value


@contextmanager
def _as_config_error() -> Iterator[None]:
    """What a data set, an occluder, a corruption or a noise refuses here was typed wrong."""
    try:
        yield
    except (DatasetError, OcclusionError, CorruptionError) as error:
        raise ConfigError(str(error)) from error

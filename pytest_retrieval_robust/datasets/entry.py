"""What a data set of the catalogue is: a name, how to open it, and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from .retrieval_dataset import RetrievalDataset


@dataclass(frozen=True)
class DatasetEntry:
    """A data set of the catalogue: its name, how to open it, and its parameters."""

    name: str
    summary: str
    """One line about it."""
    load: Callable[..., RetrievalDataset]
    """Takes the parameters by keyword, each of which has a default. Or it takes one
    `LoadRequest`, as a model's does, whose `options` are the parameters.
    """
    parameters: Mapping[str, Callable[[str], object]] = field(default_factory=dict)
    """What may be in parentheses after the name, and what reads its text.

    For instance `{"prevalence": float}`.
    """
    canonical_name: Callable[..., str] | None = None
    """Takes the parameters by keyword and gives the name of the data set that `load`
    opens with them, without the defaults and without opening it. Raises `DatasetError`
    for a value out of range. Required if there are parameters.
    """
    paths: tuple[str, ...] = ()
    """The parameters that are paths, which a configuration file writes relative to itself."""
    of_files: bool = False
    """Reads the user's own files: `load` takes a `name` too, and `all` and globs select
    the data set only if it is configured.
    """

    def __post_init__(self) -> None:
        if self.parameters and self.canonical_name is None:
            raise ConfigError(
                "Expected canonical_name beside parameters, got canonical_name=None"
                f" for {self.name!r}. Give it: results of different parameters must"
                " have different names."
            )

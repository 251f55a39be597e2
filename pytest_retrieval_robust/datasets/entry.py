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
    """A data set of the catalogue: a name, one line about it, how to open it, and what
    may be chosen.
    """

    name: str
    summary: str
    load: Callable[..., RetrievalDataset]
    """Takes the parameters by keyword; what is left out has its default."""
    parameters: Mapping[str, Callable[[str], object]] = field(default_factory=dict)
    """What may stand in parentheses after the name, and what reads its text:
    `{"prevalence": float}`.
    """
    canonical_name: Callable[..., str] | None = None
    """Takes the parameters by keyword and gives the name of the data set that `load`
    opens with them, defaults left out, without opening it; raises `DatasetError` for an
    unfit one. Needed where there are parameters.
    """
    paths: tuple[str, ...] = ()
    """The parameters that are paths: a file that configures the data set writes them
    relative to itself.
    """
    of_files: bool = False
    """Reads the user's own files: `load` takes a `name` too, and `all` and globs mean
    it only where configured.
    """

    def __post_init__(self) -> None:
        if self.parameters and self.canonical_name is None:
            raise ConfigError(
                "Expected canonical_name beside parameters, got canonical_name=None"
                f" for {self.name!r}. Give it: results of different parameters must"
                " have different names."
            )

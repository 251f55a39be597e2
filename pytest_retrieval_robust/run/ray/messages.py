"""What the controller and its actors tell each other: small, and plain data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...core import errors
from ...core.errors import RobustError
from ...core.foreign import with_traceback_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...core.cases import Cell
    from ...measure.embeddings.shards import EncodedBatch
    from ...measure.sweep.receiver import Origin
    from .sameness import Sameness


# To an actor


@dataclass(frozen=True, repr=False)
class Launch:
    """What an actor needs to collect the suite as the controller did."""

    arguments: tuple[str, ...]
    """pytest's own."""
    folder: str
    """The folder that pytest was started in."""
    environment: Mapping[str, str]
    module_folders: tuple[str, ...]
    """Where the controller finds modules."""
    threads: int | None
    """Of torch; None with a GPU."""


@dataclass(frozen=True, repr=False)
class SweepOrder:
    """A sweep that is about to begin."""

    number: int
    model: str
    dataset: str
    cells: tuple[Cell, ...]
    """Every cell above level 0."""
    batch_size: int
    token: str | None
    """The name of a file in the controller's store; None where no store is kept."""
    keeps: bool
    """Whether there is a store at all."""


@dataclass(frozen=True, repr=False)
class Deal:
    """Numbers of batches for an actor."""

    numbers: tuple[int, ...]
    withdrawn: frozenset[int] = frozenset()
    """Numbers that others have finished meanwhile."""
    ended_cells: frozenset[Cell] = frozenset()
    """Cells that have failed, and are of no more use."""
    goes_on: bool = False
    """Whether an error that the actor had told of is dealt with."""
    sends_rows: bool = False
    """Whether rows are sent although the actor sees the store."""


# From an actor


@dataclass(frozen=True, repr=False)
class SentError:
    """An error of this package, without its frames."""

    kind: str
    text: str
    traceback_text: str = ""

    @classmethod
    def of(cls, error: RobustError) -> SentError:
        return cls(type(error).__name__, str(error), error.traceback_text)

    def as_error(self) -> RobustError:
        """The same error again; a plain `RobustError` for a class with further fields."""
        kind = getattr(errors, self.kind, RobustError)
        rebuilt: RobustError = kind(self.text)
        return with_traceback_text(rebuilt, self.traceback_text)


@dataclass(frozen=True, repr=False)
class Ready:
    """An actor that can begin with a sweep."""

    sameness: Sameness
    sees_store: bool


@dataclass(frozen=True, repr=False)
class Refusal:
    """Why an actor cannot take part."""

    error: SentError


@dataclass(frozen=True, repr=False)
class ReportsReply:
    """A batch of reports."""

    number: int
    rows: NDArray[np.float32]
    """(B, D)"""
    is_to_be_kept: bool
    """Whether the controller is to put them into its store."""


@dataclass(frozen=True, repr=False)
class CellReply:
    """One cell of a batch: where the store has it, or its rows."""

    origin: Origin
    """`ENCODED_AND_KEPT` where the controller is to keep it, too."""
    key: str | None
    """None for what has no key, and is not stored."""
    rows: EncodedBatch | None
    """None where the controller finds them in the store."""


@dataclass(frozen=True, repr=False)
class ImagesReply:
    """A batch of images: each of its cells, unless the cell has ended before."""

    number: int
    is_readable: NDArray[np.bool_]
    digests: NDArray[np.uint8]
    cells: Mapping[Cell, CellReply | SentError]


@dataclass(frozen=True, repr=False)
class Broken:
    """What an actor held could not be done; it waits until it is told to go on."""

    error: SentError


Reply: TypeAlias = "ReportsReply | ImagesReply | Broken"


@dataclass(frozen=True, repr=False)
class Spent:
    """The time that an actor spent on the images of a sweep."""

    encoded: Mapping[Cell, int]
    """Images that it encoded."""
    encode_seconds: Mapping[Cell, float]
    occlude_seconds: Mapping[Cell, float]
    device: str
    hardware: str
    busy_seconds: float
    """In which it had batches at hand, of reports or of images."""

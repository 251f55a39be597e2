"""Dual encoders: the protocol, what a catalogue entry is, and what a model says of itself.

One file of this folder is one entry (or a few of one kind): it defines
`register(catalogue)` and imports anything heavy inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from ..catalogue import unknown_name
from ..errors import ModelError
from ..foreign import described
from ._files.attempt import attempt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

Frame: TypeAlias = tuple[float, float, float, float]
Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Prepared:
    """An image as the authors' own resize, pad and crop leave it, before normalisation."""

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    """(3, S, S): uint8 in 0..255 where the authors' pipeline is 8-bit there, else
    float32 on the 0..1 scale.
    """
    frame: Frame
    """(left, top, right, bottom) of the source image in that square, relative; beyond
    0..1 where it is cropped.
    """


@dataclass(frozen=True)
class ModelCard:
    """Where a model came from and what of its checkpoint was used."""

    source: str
    revision: str | None = None
    sha256: str | None = None
    licence: str | None = None
    parameters: int | None = None
    input_size: int | None = None
    context_length: int | None = None
    inputs_sha256: str | None = None
    """Of what decides the numbers beside the weights: configuration, tokenizer,
    preprocessing, context length.
    """
    token_ids_sha256: str | None = None
    """Of the token ids of fixed sentences: another tokenizer, or another release of its
    library, may give others.
    """
    text_cleaning: str | None = None
    """What is done to a text before it is tokenised, by open_clip's name for it
    (`canonicalize`).
    """
    activation: str | None = None
    """Of an open_clip architecture that exists with two: `gelu` or `quickgelu`. Weights
    fit both without a word.
    """
    key_prefix: str | None = None
    """What stood before every key of the checkpoint and was taken off."""
    missing_keys: tuple[str, ...] = ()
    """Keys that the checkpoint lacks and no rank depends on: the temperature."""
    unexpected_keys: tuple[str, ...] = ()
    dropped_keys: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


@runtime_checkable
class DualEncoder(Protocol):
    """A model that embeds images and reports into one space.

    Similarity is the dot product of unit rows. A model that scores otherwise also has
    `similarity(queries, gallery) -> (Q, G)` for one tile, on the device of the rows.
    One whose weights are not in float32 also has `precision`: "bf16" or "fp16". Without
    it, "fp32" is recorded.

    What a method is given is its own to change. What it returns is copied before
    anything is called again, so that it may be the same memory each time. Rows may also
    be on another device, of another floating dtype, or a numpy array.
    """

    @property
    def name(self) -> str: ...

    @property
    def card(self) -> ModelCard: ...

    @property
    def device(self) -> str: ...

    def prepare(self, image: Image) -> Prepared:
        """The authors' own geometry, on the CPU. Must be safe to call from several threads."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale, on the model's device -> (B, D) unit rows, float32."""

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, D) unit rows, float32; a row must not depend on its neighbours
        beyond float rounding.
        """


@runtime_checkable
class CountsTruncation(Protocol):
    """A model that can tell how many reports its context length cuts."""

    def truncated(self, texts: Sequence[str]) -> int: ...


@dataclass(frozen=True, repr=False)
class LoadRequest:
    """How to load a model: `device` is resolved (`cpu`, `cuda:0`, `mps`), never `auto`."""

    device: str = "cpu"
    precision: Precision = "fp32"
    may_download: bool = True
    name: str | None = None
    """What the model is to be called; None for the entry's own name."""
    checkpoint: Path | None = field(default=None, repr=False)
    """The user's own file or folder of weights; None for the published ones."""
    tokenizer: str | None = field(default=None, repr=False)
    """A folder or a hub repository; None for the one that belongs to the model."""
    cache_dir: Path | None = field(default=None, repr=False)
    """Where plain weight files lie; None for the platform's cache."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The entry's further options (`preprocessing`, `context_length`, ...), checked
    against `ModelEntry.accepts`.
    """


@dataclass(frozen=True)
class ModelEntry:
    """A model of the catalogue."""

    name: str
    summary: str
    load: Callable[[LoadRequest], DualEncoder]
    missing: Callable[[LoadRequest], str | None] | None = None
    """What is not on this machine and how to bring it, or None.

    Looks at files only; imports no model library.
    """
    embedded: bool = False
    """Ships in the package, so that it runs everywhere."""
    fetchable: bool = True
    """Whether loading can download what is missing."""
    accepts: tuple[str, ...] = ()
    """What a user may give it beside the name: `checkpoint`, `tokenizer` and options of its own."""


def check_accepted(entry: ModelEntry, request: LoadRequest) -> None:
    """Raise `ConfigError` where the request holds what the entry does not take."""
    given = [*request.options]
    given += [
        key for key in ("checkpoint", "tokenizer") if getattr(request, key) is not None
    ]
    for key in given:
        if key not in entry.accepts:
            raise unknown_name(f"option of {entry.name}", key, entry.accepts)


_MEMBERS = ("name", "card", "device", "prepare", "encode_images", "encode_reports")


def load_entry(entry: ModelEntry, request: LoadRequest) -> DualEncoder:
    """Load an entry's model; `ModelError` where its own code fails, or gives something
    else than that model.
    """

    def explain(error: BaseException) -> ModelError:
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            return ModelError(
                f"Expected room for {entry.name} on {request.device}, got"
                f" {described(error)}. See what else runs there, or choose a lower"
                " precision or another device."
            )
        return ModelError(
            f"Expected load(request) of the entry {entry.name!r} to return a model, got"
            f" {described(error)}. Fix the loader."
        )

    model = attempt(lambda: entry.load(request), explain)
    lacking = attempt(
        lambda: [member for member in _MEMBERS if not hasattr(model, member)], explain
    )
    if lacking:
        raise ModelError(
            f"Expected load(request) of the entry {entry.name!r} to return a dual"
            f" encoder, got a {type(model).__name__} without {', '.join(lacking)}. See"
            " DualEncoder, or use encoder_from_callables."
        )
    if not isinstance(model.card, ModelCard):
        raise ModelError(
            f"Expected the card of {entry.name} to be a ModelCard, got a"
            f" {type(model.card).__name__}. Give it ModelCard(source=...)."
        )
    if model.name != entry.name:
        raise ModelError(
            f"Expected the model of the entry {entry.name!r} to have that name, got"
            f" name={model.name!r}. Give both the same name: results are kept under it."
        )
    return model

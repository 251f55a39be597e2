"""The protocol of a dual encoder, and the optional abilities that a model may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from ..core.errors import ModelError
from ..core.foreign import attempted, described, traced
from .card import ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    Similarity: TypeAlias = Callable[[Tensor, Tensor], Tensor]

Frame: TypeAlias = tuple[float, float, float, float]
Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Prepared:
    """An image as the authors' own resize, pad and crop leave it, before normalisation."""

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    """(3, S, S): uint8 in 0..255 if the authors' pipeline is 8-bit at this point,
    otherwise float32 on the 0..1 scale.
    """
    frame: Frame
    """(left, top, right, bottom) of the source image in that square, relative to it;
    beyond 0..1 where the image is cropped.
    """


@runtime_checkable
class DualEncoder(Protocol):
    """A model that embeds images and reports into one space.

    Similarity is the dot product of unit rows. A model that scores pairs otherwise also
    implements `ScoresPairs`. A model whose weights are not in float32 also implements
    `StatesPrecision`. A model that can count the reports it cuts implements
    `CountsTruncation`, and one that encodes texts of one length together implements
    `CountsTokens`. One that shows token ids implements `ShowsTokenIds`.

    A method may change its arguments. What it returns is copied before the model is
    called again, so that it may be the same memory each time. Rows may also be on
    another device, of another floating dtype, or a numpy array.
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
        """Texts -> (B, D) unit rows, float32.

        A row must not depend on its neighbours beyond float rounding.
        """


@runtime_checkable
class ScoresPairs(Protocol):
    """A model whose similarity is not the dot product of its rows."""

    def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
        """(Q, D) and (G, D) rows -> (Q, G) scores of one tile, on the device of the rows."""


@runtime_checkable
class StatesPrecision(Protocol):
    """A model that states the precision of its weights."""

    @property
    def precision(self) -> Precision: ...


@runtime_checkable
class CountsTruncation(Protocol):
    """A model that can count the reports that its context length cuts."""

    def truncated(self, texts: Sequence[str]) -> int: ...


@runtime_checkable
class CountsTokens(Protocol):
    """A model that encodes texts of one length together, so that it never pads.

    It is given batches of texts of nearly one length, from the whole gallery.
    """

    def token_lengths(self, texts: Sequence[str]) -> Sequence[int]:
        """How many tokens each text is encoded as, after it was cut."""


@runtime_checkable
class ShowsTokenIds(Protocol):
    """A model that shows what its tokenizer makes of a text."""

    def token_ids(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """The token ids that each text is encoded as, after it was cut."""


# The optional abilities of a model, by attribute and not by `isinstance`: since Python
# 3.12 `isinstance` ignores what a wrapper delegates in `__getattr__`.


def similarity_of(model: object) -> Similarity | None:
    """The model's own similarity, or None for the dot product."""
    similarity: Similarity | None = getattr(model, "similarity", None)
    return similarity


def precision_of(model: DualEncoder) -> str:
    """The precision of the model's weights; "fp32" if it states none."""
    precision: str = getattr(model, "precision", "fp32")
    return precision


def may_work_elsewhere(model: object) -> bool:
    """Whether a model of the device "cpu" may have its work done by a GPU or a service.

    True for one made of functions: nobody knows where these compute.
    """
    return bool(getattr(model, "may_work_elsewhere", False))


def restarts_of(model: object) -> int:
    """How often a model's process ended and was started again; 0 for one without."""
    restarts = getattr(model, "restarts", 0)
    return restarts if isinstance(restarts, int) else 0


def truncated_by(model: DualEncoder, texts: Sequence[str]) -> int | None:
    """How many texts the model cuts at its context length; None if it cannot say."""
    count: Callable[[Sequence[str]], int] | None = getattr(model, "truncated", None)
    if count is None:
        return None
    failed = partial(_failed, model, "truncated")
    return attempted(lambda: int(count(texts)), failed)


def token_lengths_of(model: object, texts: Sequence[str]) -> Sequence[int] | None:
    """How many tokens the model encodes each text as; None if it does not say."""
    lengths: Callable[[Sequence[str]], Sequence[int]] | None
    lengths = getattr(model, "token_lengths", None)
    if lengths is None:
        return None
    failed = partial(_failed, model, "token_lengths")
    answer: Sequence[int] = attempted(partial(lengths, list(texts)), failed)
    return answer


def token_ids_of(model: object, texts: Sequence[str]) -> Sequence[Sequence[int]] | None:
    """The token ids that the model encodes each text as; None if it does not show them."""
    show: Callable[[Sequence[str]], Sequence[Sequence[int]]] | None
    show = getattr(model, "token_ids", None)
    if show is None:
        return None
    failed = partial(_failed, model, "token_ids")
    ids: Sequence[Sequence[int]] = attempted(partial(show, list(texts)), failed)
    return ids


def _failed(model: object, method: str, error: BaseException) -> ModelError:
    """What is said of a user's method that raised: never what it said itself."""
    name = getattr(model, "name", f"a {type(model).__name__}")
    failure = ModelError(
        f"Expected {method} of {name} to count the tokens of texts, got"
        f" {described(error)}. Fix that method, or remove it."
    )
    return traced(failure, error)

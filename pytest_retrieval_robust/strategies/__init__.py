"""Hypothesis strategies for property tests of one's own models, perturbations and metrics.

>>> import torch
>>> from hypothesis import given
>>> from pytest_retrieval_robust.strategies import Occlusion, occlusions
>>> @given(occlusions(max_share=0.25))
... def test_at_most_a_quarter_is_hidden(occlusion: Occlusion) -> None:
...     image = torch.full((1, 3, 64, 64), 0.5)
...     assert (occlusion.apply(image, ["study-1"]) != image).float().mean() <= 0.25
>>> test_at_most_a_quarter_is_hidden()

A failing example is printed as the call that makes it: `Occlusion(...)`,
`AppliedCorruption(...)`, `AppliedNoise(...)`, `EditedPair(...)`, `picture(...)`, and
`unit_rows(...)` where that is shorter than the numbers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, overload

from ..core.errors import CorruptionError, OcclusionError, RobustError
from ..core.words import known_word
from ..occluders.area.blobs import Blobs
from ..occluders.area.border import Border
from ..occluders.area.box import Box
from ..occluders.area.boxes import Boxes
from ..occluders.area.grid import Grid
from ..occluders.area.patches import Patches
from ..occluders.area.side import Side
from . import _edits, _embeddings, _images, _occlusions, _reports, _severities
from ._edits import EditedPair
from ._embeddings import unit_rows
from ._images import picture
from ._occlusions import FINEST, Occlusion
from ._severities import AppliedCorruption, AppliedNoise

if TYPE_CHECKING:
    import numpy as np
    import torch
    from hypothesis.strategies import SearchStrategy
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = [
    "AppliedCorruption",
    "AppliedNoise",
    "Blobs",
    "Border",
    "Box",
    "Boxes",
    "EditedPair",
    "Grid",
    "Occlusion",
    "Patches",
    "Side",
    "corners",
    "corruptions",
    "edits",
    "embeddings",
    "images",
    "levels",
    "noises",
    "occlusions",
    "picture",
    "reports",
    "severities",
    "unit_rows",
]


def levels(max_level: float = 1.0) -> SearchStrategy[float]:
    """Occlusion levels from 0 to `max_level` in steps of 0.01; they shrink towards 0.

    >>> from hypothesis import find
    >>> find(levels(0.3), lambda level: level > 0.105)
    0.11

    Raises:
        OcclusionError: `max_level` is outside [0, 1].
    """
    _share("max_level", max_level)
    return _occlusions.levels(max_level=max_level)


def occlusions(max_share: float = 1.0) -> SearchStrategy[Occlusion]:
    """Occlusions by every area occluder that hide at most `max_share` of the image, with
    a fill that shows none of it.

    They shrink towards a rectangle in the top left corner, nothing hidden, a black fill
    and seed 0.

    >>> from hypothesis import find
    >>> find(occlusions(), lambda occlusion: occlusion.share > 0.01)
    Occlusion(occluder=Box(grid=32, fill='black', at='top-left'), level=0.0107421875, seed=0)

    Raises:
        OcclusionError: `max_share` is outside [0, 1].
    """
    _share("max_share", max_share)
    return _occlusions.occlusions(max_share=max_share)


def corners(max_share: float = 0.01) -> SearchStrategy[Occlusion]:
    """Occlusions of one corner of the picture, from a cell of 32 x 32 up to `max_share`
    of the image.

    Such a small corner holds no finding: what a model answers should hardly change.
    They shrink towards one black cell in the top left corner.

    >>> from hypothesis import find
    >>> find(corners(), lambda corner: "right" in corner.occluder.name)
    Occlusion(occluder=Box(grid=32, fill='black', at='top-right'), level=0.0009765625, seed=0)

    Raises:
        OcclusionError: `max_share` is below one cell or above 1.
    """
    if _share("max_share", max_share) * FINEST**2 < 1:
        raise OcclusionError(
            f"Expected max_share of at least one cell of {FINEST} x {FINEST} (0.001),"
            f" got max_share={max_share!r}. Omit it for 0.01."
        )
    return _occlusions.corners(max_share=max_share)


def severities(max_severity: float = 1.0) -> SearchStrategy[float]:
    """Severities of corruptions and text noise from 0 to `max_severity` in steps of 0.01,
    the five published ones (0.2, 0.4, 0.6, 0.8, 1) among them; they shrink towards 0.

    >>> from hypothesis import find
    >>> find(severities(0.6), lambda severity: severity > 0.2)
    0.21

    Raises:
        CorruptionError: `max_severity` is outside [0, 1].
    """
    _severity(max_severity)
    return _severities.severities(max_severity=max_severity)


def corruptions(
    *names: str, max_severity: float = 1.0
) -> SearchStrategy[AppliedCorruption]:
    """Corruptions of the catalogue with their default parameters, a severity and a seed.

    They shrink towards the first name, severity 0 and seed 0. A switch, which has no
    degrees, has severity 0 or 1.

    >>> from hypothesis import find
    >>> find(corruptions("contrast"), lambda corruption: corruption.severity > 0.3)
    AppliedCorruption(name='contrast', severity=0.31, seed=0)

    Args:
        *names: Which ones; without any, all of the catalogue in alphabetical order,
            those of installed packages among them.
        max_severity: The highest severity, but not of switches.

    Raises:
        CorruptionError: `max_severity` is outside [0, 1].
        UnknownNameError: A name that no corruption has.
    """
    _severity(max_severity)
    chosen = _severities.names_in(_severities.corruption_entries(), names)
    return _severities.corruptions(*chosen, max_severity=max_severity)


def noises(*names: str, max_severity: float = 1.0) -> SearchStrategy[AppliedNoise]:
    """Text noises of the catalogue with their default parameters, a severity and a seed.

    They shrink towards the first name, severity 0 and seed 0.

    >>> from hypothesis import find
    >>> find(noises("case", "typos"), lambda noise: noise.severity > 0.3)
    AppliedNoise(name='case', severity=0.31, seed=0)

    Args:
        *names: Which ones; without any, all of the catalogue in alphabetical order,
            those of installed packages among them.
        max_severity: The highest severity.

    Raises:
        CorruptionError: `max_severity` is outside [0, 1].
        UnknownNameError: A name that no text noise has.
    """
    _severity(max_severity)
    chosen = _severities.names_in(_severities.noise_entries(), names)
    return _severities.noises(*chosen, max_severity=max_severity)


def edits(*kinds: str) -> SearchStrategy[EditedPair]:
    """Reports of `synthetic-cxr`, each with its copy in which one thing is changed, so
    that it is wrong: a finding denied, a side, a size, a device, ...

    They shrink towards the first kind of the first report.

    >>> from hypothesis import find
    >>> pair = find(edits("side"), lambda pair: "Left" in pair.edited)
    >>> pair.kind, pair.action
    ('side', 'swapped')

    Args:
        *kinds: Which ones out of `negation`, `side`, `severity`, `size`, `zone`,
            `device` and `finding`; without any, all.

    Raises:
        RobustError: Another kind.
    """
    for kind in kinds:
        known_word("kind", kind, _edits.KINDS)
    return _edits.edits(*(kinds or _edits.KINDS))


def images(*, min_side: int = 1, max_side: int = 256) -> SearchStrategy[Image]:
    """PIL images that a model must be able to take: `L` and `RGB`, flat, smooth, sharp,
    noisy, up to 16 times as long as wide.

    They shrink towards a small black image of mode `L`. `picture` paints each of them.

    >>> from hypothesis import find
    >>> find(images(), lambda image: image.width > 2 and image.mode == "RGB").size
    (3, 1)

    Args:
        min_side: Least pixels of the shorter side.
        max_side: Most pixels of the longer side, up to 4096.

    Raises:
        RobustError: The two are not 1 <= min_side <= max_side <= 4096.
    """
    _range("side", min_side, max_side, 4096)
    return _images.images(min_side=min_side, max_side=max_side)


def reports(*, max_sentences: int = 100) -> SearchStrategy[str]:
    """Texts as radiologists write them, which an encoder must survive.

    They shrink towards `Normal.`. Among them are single words, texts longer than any
    model's context, headings, numbered lists, line breaks, blanks left by
    de-identification, measures, capitals, and letters of other alphabets. None is empty.

    >>> from hypothesis import find
    >>> find(reports(), lambda text: "effusion" in text)
    'No pleural effusion or pneumothorax'

    Raises:
        RobustError: `max_sentences` is not from 1 to 1000.
    """
    _range("sentences", 1, max_sentences, 1000)
    return _reports.reports(max_sentences=max_sentences)


@overload
def embeddings(
    library: Literal["numpy"] = ...,
    *,
    min_rows: int = ...,
    max_rows: int = ...,
    min_dims: int = ...,
    max_dims: int = ...,
) -> SearchStrategy[NDArray[np.float32]]: ...


@overload
def embeddings(
    library: Literal["torch"],
    *,
    min_rows: int = ...,
    max_rows: int = ...,
    min_dims: int = ...,
    max_dims: int = ...,
) -> SearchStrategy[torch.Tensor]: ...


def embeddings(
    library: Literal["numpy", "torch"] = "numpy",
    *,
    min_rows: int = 1,
    max_rows: int = 16,
    min_dims: int = 1,
    max_dims: int = 16,
) -> SearchStrategy[Any]:
    """(N, D) float32 unit rows, as encoders return them, and as they break metrics:
    equal, nearly equal, all in one cone.

    They shrink towards few rows of few numbers, all in different directions. `unit_rows`
    makes each of them.

    >>> from hypothesis import find
    >>> def starts_with_a_pair(rows):
    ...     return len(rows) > 1 and bool((rows[0] == rows[1]).all())
    >>> find(embeddings(min_dims=2), starts_with_a_pair).shape
    (2, 2)

    Args:
        library: `numpy` for arrays, `torch` for tensors.
        min_rows: Least N.
        max_rows: Most N, up to 4096.
        min_dims: Least D.
        max_dims: Most D, up to 4096.

    Raises:
        RobustError: Sizes that are out of order, or another library.
    """
    _range("rows", min_rows, max_rows, 4096)
    _range("dims", min_dims, max_dims, 4096)
    known_word("library", library, ("numpy", "torch"))
    return _embeddings.embeddings(
        library=library,
        min_rows=min_rows,
        max_rows=max_rows,
        min_dims=min_dims,
        max_dims=max_dims,
    )


def _share(name: str, value: float) -> Fraction:
    """`value` as the decimal that it is written as, so that 0.29 holds 29 whole percent."""
    if not 0 <= value <= 1:
        raise OcclusionError(
            f"Expected {name} from 0 to 1, got {name}={value!r}. Give a share of the"
            " image's area."
        )
    return _occlusions.as_written(value)


def _severity(max_severity: float) -> None:
    if not 0 <= max_severity <= 1:
        raise CorruptionError(
            f"Expected max_severity from 0 to 1, got max_severity={max_severity!r}. The"
            " five published steps are 0.2, 0.4, 0.6, 0.8 and 1."
        )


def _range(unit: str, least: int, most: int, limit: int) -> None:
    are_whole = isinstance(least, int) and isinstance(most, int)
    if not are_whole or not 1 <= least <= most <= limit:
        raise RobustError(
            f"Expected whole numbers 1 <= min_{unit} <= max_{unit} <= {limit}, got"
            f" min_{unit}={least!r} and max_{unit}={most!r}. Widen the range."
        )

"""What the shipped suite of properties needs: a model on a data set, and an occluder that
is ready to hide parts of its images.

What tests are given here prints as names and numbers alone: an example of a failure
must hold no id and no report of a patient.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

import numpy as np
import pytest
import torch

from ..core.calling import encode_reports
from ..core.encoding import encode
from ..core.errors import RobustError
from ..core.foreign import described, traceback_text
from ..core.outcomes import Scores
from ..core.words import counted
from ..datasets import RetrievalDataset
from ..measure.first_ranks import TOP, FirstRanks, HiddenRanks
from ..measure.sweep.scores import scores_of
from ..measure.timing.rounds import prepare_batch
from ..models import DualEncoder
from ..occluders import Occluder
from ..occluders.fills import CONTENT_FREE, DONOR
from ..occluders.guided import GuidedOccluder
from ..retrieval.curve import retrieves
from ..retrieval.ranking import positive_ranks
from ..strategies import Occlusion
from .rank_command import replay_command, replay_options
from .session import session_of
from .whole_tracebacks import failure_of

_IMAGES_FOR_RANKS = 50
_PAIRS_AT_LEVEL_1 = 100
_SEARCHED_AT_LEVEL_1 = 24
"""Pairs for a model-guided occluder, which encodes each image dozens of times."""
_KEPT_SHARE = 0.9
_ROUNDING = {"fp32": 1e-4, "fp16": 5e-3, "bf16": 4e-2}
"""How far a number of an embedding may differ between batches, for rows of length 1.

Another batch is another order of summation: in float32 that moves an embedding by some
1e-6. Half precision rounds every layer to 11 bits (fp16) or 8 (bf16), and each of these
roundings may then fall the other way.
"""
P = ParamSpec("P")
T = TypeVar("T")


def without_traceback(action: Callable[P, T]) -> Callable[P, T]:
    """Let errors of a test or fixture fail in one sentence.

    pytest would print the arguments of the function that failed, reports among them.
    """

    @wraps(action)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return action(*args, **kwargs)
        except AssertionError:
            raise  # ours, which hold numbers alone
        except Exception as error:
            failure = failure_of(_sentence_of(error), _traceback_of(error))
        raise failure

    return guarded


def _sentence_of(error: Exception) -> str:
    """What may be said of an error: the text of a foreign one may quote a report."""
    kind = type(error)
    if isinstance(error, RobustError):
        return f"{kind.__name__}: {error}"
    # Hypothesis quotes examples, and these are names and numbers alone.
    if kind.__module__.partition(".")[0] == "hypothesis":
        return f"{kind.__name__}: {error}"
    return described(error)


def _traceback_of(error: Exception) -> str:
    if isinstance(error, RobustError):
        return error.traceback_text
    if type(error).__module__.partition(".")[0] == "hypothesis":
        return ""
    return traceback_text(error)


class Subject:
    """A model on a data set, and what several tests need of the two."""

    POOL = 16
    """Images, and reports, that the neighbours in a batch are drawn from."""

    def __init__(
        self,
        config: pytest.Config,
        model: DualEncoder,
        dataset: RetrievalDataset,
        suite: Path,
    ) -> None:
        """`suite` is the folder of the tests, which a command line names."""
        self.model = model
        self.dataset = dataset
        self._config = config
        self._suite = suite
        precision: str = session_of(config).settings.precision
        # Convolutions of an accelerator may round float32 to TF32, which keeps as many
        # bits as fp16.
        if precision == "fp32" and model.device != "cpu":
            precision = "fp16"
        self.rounding = _ROUNDING[precision]
        """How far numbers of an embedding may differ between batches."""
        self._hidden: dict[Occlusion, HiddenRanks] = {}

    def __repr__(self) -> str:
        return f"{self.model.name} on {self.dataset.name}"

    @cached_property
    def images(self) -> torch.Tensor:
        """(POOL, 3, S, S), or fewer where the data set is smaller."""
        return prepare_batch(self.model, self.dataset, self.POOL).pixels

    @cached_property
    def images_alone(self) -> torch.Tensor:
        """(POOL, D): each image encoded by itself."""
        return torch.cat([self.encode_images(image[None]) for image in self.images])

    @cached_property
    def texts(self) -> list[str]:
        """POOL reports from the shortest to the longest.

        Padding would show most where lengths differ.
        """
        ordered = sorted(self.dataset.reports, key=len)
        indices = np.linspace(0, len(ordered) - 1, self.POOL)
        return [ordered[int(index)] for index in indices]

    @cached_property
    def texts_alone(self) -> torch.Tensor:
        """(POOL, D): each report encoded by itself."""
        return torch.cat([self.encode_reports([text]) for text in self.texts])

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) -> (B, D) float32."""
        return encode(self.model, pixels)

    def encode_reports(self, texts: Sequence[str]) -> torch.Tensor:
        """B texts -> (B, D) float32."""
        return encode_reports(self.model, texts).rows

    def difference(self, rows: torch.Tensor, expected: torch.Tensor) -> float:
        """The largest difference of two embeddings, relative to numbers above 1."""
        rows = rows.float()
        expected = expected.float()
        scale = expected.abs().clamp(min=1)
        return float(((rows - expected).abs() / scale).max())

    def require_same(
        self,
        row: torch.Tensor,
        alone: torch.Tensor,
        what: str,
        neighbours: Sequence[int],
    ) -> None:
        """Fail where an embedding depends on its neighbours in the batch."""
        __tracebackhide__ = True
        difference = self.difference(row, alone)
        assert difference <= self.rounding, (
            f"Expected {what} to be embedded alike alone and beside {neighbours}, got"
            f" difference={difference:.2g} above {self.rounding:g}. Encode without"
            " padding, or mask it, and without statistics of the batch (model.eval())."
        )

    def require_repeated(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """Fail where two calls differ.

        On a processor they must agree bit for bit; an accelerator may add in another
        order each time.
        """
        __tracebackhide__ = True
        allowed = 0.0 if self.model.device == "cpu" else self.rounding
        difference = self.difference(second, first)
        assert difference <= allowed, (
            f"Expected the same embeddings twice, got difference={difference:.2g} above"
            f" {allowed:g}. Switch dropout and other randomness off (model.eval()), and"
            " keep nothing from one call to the next."
        )

    @cached_property
    def ranks(self) -> FirstRanks:
        """The ranks of the data set's first images."""
        # The reports were embedded by the sweep, if there was one.
        shards = session_of(self._config).loader.shards_of(self.model)
        return FirstRanks(self.model, self.dataset, _IMAGES_FOR_RANKS, shards)

    @cached_property
    def has_ranks_to_keep(self) -> bool:
        """Whether recall is above chance with nothing hidden."""
        ranks = self.ranks
        scene = ranks.scene
        k = min(TOP, ranks.gallery)
        scores = scores_of(ranks.before, scene.groups, scene.setting.report_groups, [k])
        return retrieves(scores)

    def require_kept(self, occlusion: Occlusion) -> None:
        """Fail where hiding so little pushes too many right reports out of the top 10."""
        __tracebackhide__ = True
        hidden = self._hidden_ranks(occlusion)
        needed = math.floor(_KEPT_SHARE * hidden.found)
        assert hidden.kept >= needed, (
            f"Expected {needed} of the {hidden.found} images found in the top {TOP} to"
            f" stay there, got kept={hidden.kept} with share={hidden.share:.4f},"
            f" seed={occlusion.seed}.\nWorst hit, rank before -> after:"
            f" {', '.join(map(str, hidden.lost[:5]))}.\nAll of them:"
            f" {self._command(occlusion)}\nLook at what the model reads in the corners:"
            " burned-in letters, the edge of the field."
        )

    def _hidden_ranks(self, occlusion: Occlusion) -> HiddenRanks:
        """The ranks under an occlusion; Hypothesis tries many of them again."""
        if occlusion not in self._hidden:
            self._hidden[occlusion] = self.ranks.hidden(
                occlusion.occluder, occlusion.level, occlusion.seed
            )
        return self._hidden[occlusion]

    def _command(self, occlusion: Occlusion) -> str:
        """The command line that shows the ranks under an occlusion again."""
        settings = session_of(self._config).settings
        suite = os.path.relpath(self._suite)
        options = replay_options(settings, self._config.getoption, suite)
        return replay_command(self.model.name, self.dataset.name, occlusion, options)


class Hiding:
    """An occluder that has looked at a data set's first images, ready to hide parts of them."""

    def __init__(self, subject: Subject, occluder: Occluder, images: int = 4) -> None:
        self.subject = subject
        # An occluder that pushes the report out of the first k needs wrong reports to
        # put before it.
        gallery = 0
        if isinstance(occluder, GuidedOccluder):
            gallery = subject.POOL + occluder.rank_kept
        self._batch = prepare_batch(subject.model, subject.dataset, images, gallery)
        # A model-guided occluder searches here: once for all examples, and with the
        # images as they are.
        self._occluder = occluder.bind(self._batch.scene)

    @classmethod
    def of_many(cls, subject: Subject, occluder: Occluder) -> Hiding:
        """One of enough images to tell recall from chance."""
        is_guided = isinstance(occluder, GuidedOccluder)
        images = _SEARCHED_AT_LEVEL_1 if is_guided else _PAIRS_AT_LEVEL_1
        return cls(subject, occluder, images)

    def __repr__(self) -> str:
        return f"{self._occluder.name} for {self.subject!r}"

    @property
    def name(self) -> str:
        """The name of the occluder."""
        return self._occluder.name

    @property
    def pixels(self) -> torch.Tensor:
        """(B, 3, S, S): the images as they are."""
        return self._batch.pixels

    @property
    def fill_shows_the_image(self) -> bool:
        """Whether hidden pixels are filled with something made of the same image."""
        return _fill_of(self._occluder) not in (*CONTENT_FREE, DONOR)

    @property
    def fill_shows_images(self) -> bool:
        """Whether hidden pixels are filled with something made of any image."""
        return _fill_of(self._occluder) not in CONTENT_FREE

    def hidden_shares(self, level: float, seed: int) -> list[float]:
        """The share of each image that is hidden."""
        return list(self._occluder.shares(self._batch.ids, level, seed))

    def mask(self, level: float, seed: int) -> torch.Tensor:
        """(B, 1, S, S) bool, True where hidden."""
        height, width = self.pixels.shape[-2:]
        return self._occluder.mask(
            self._batch.ids,
            level,
            seed,
            (height, width),
            self._batch.frames,
            device=self.pixels.device,
        )

    def occluded(
        self, level: float, seed: int, pixels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, 3, S, S): the images, or other `pixels` in their place, with parts hidden."""
        if pixels is None:
            pixels = self.pixels
        return self._occluder.occlude(
            pixels, self._batch.ids, level, seed, self._batch.frames
        )

    def scores(self, level: float, seed: int) -> Scores:
        """Recall of the images with parts hidden, among their own reports."""
        subject = self.subject
        pairs = self._batch.pairs
        ranks = positive_ranks(
            subject.encode_images(self.occluded(level, seed)),
            self._batch.scene.setting.reports,
            pairs.image_groups,
            pairs.report_groups,
            similarity=getattr(subject.model, "similarity", None),
        )
        ks = [k for k in (1, 5, 10) if k <= len(pairs.reports)]
        return scores_of(ranks, pairs.image_groups, pairs.report_groups, ks)

    def require_chance(self, level: float, seed: int) -> None:
        """Fail where the right reports are still found."""
        __tracebackhide__ = True
        scores = self.scores(level, seed)
        assert not retrieves(scores), (
            "Expected recall at chance with all of the image hidden, got"
            f" recall={dict(scores.recall)} with chance={dict(scores.chance)} of"
            f" {counted(scores.queries, 'image')}. Look for what tells images apart beside their"
            " pixels: padding, order, state."
        )


@runtime_checkable
class _HasFill(Protocol):
    """An occluder that says what hidden pixels are filled with."""

    @property
    def fill(self) -> str: ...


def _fill_of(occluder: Occluder) -> str | None:
    return occluder.fill if isinstance(occluder, _HasFill) else None

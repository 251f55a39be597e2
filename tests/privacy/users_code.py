"""The conftest of the user's project: a model, a data set and a report of their own.

Each of them fails where the environment says, with canaries wherever an exception has
room for them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.hostile import toy
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import LoadRequest, ModelEntry
from pytest_retrieval_robust.reports import ReportEntry
from pytest_retrieval_robust.retrieval.metrics import MetricEntry
from tests.privacy.places import canary

FAILING = "PRIVACY_FAILING"
"""The variable that names the part of this code that fails."""
PAIRS = 8


class CanaryError(ValueError):
    """The name of a class is the user's own code, and is shown."""


def fail_at(part: str) -> None:
    """Fail if this part is to, with a canary in every place of the exception."""
    if os.environ.get(FAILING) != part:
        return
    held = canary("local variable")
    error = CanaryError(canary("error message"), held)
    reason = canary("error cause")
    if hasattr(error, "add_note"):
        error.add_note(canary("error note"))
    else:
        # Notes came with Python 3.11. In 3.10 the cause has it.
        reason += canary("error note")
    try:
        raise OSError(2, reason, f"/{canary('elsewhere')}/model.pt")
    except OSError as cause:
        raise error from cause  # canaryofsourceline


def fail_with(part: str, error: BaseException) -> None:
    """Raise `error` if this part is to fail with it."""
    if os.environ.get(FAILING) == part:
        raise error


class Encoder(toy.ToyEncoder):
    """The honest encoder, where it does not fail."""

    def prepare(self, image: Any) -> Any:
        fail_at("prepare")
        return super().prepare(image)

    def encode_images(self, pixels: Any) -> Any:
        fail_at("images")
        message = canary("error message")
        fail_with("cuda", RuntimeError(f"CUDA error: {message}"))
        fail_with("memory", RuntimeError(f"CUDA out of memory. {message}"))
        fail_with("exit", SystemExit(message))
        fail_with("no words", AssertionError())
        if os.environ.get(FAILING) == "NaN":
            return super().encode_images(pixels) * float("nan")
        if os.environ.get(FAILING) == "one row":
            return super().encode_images(pixels)[:1]
        return known(super().encode_images(pixels))

    def encode_reports(self, texts: Sequence[str]) -> Any:
        fail_at("reports")
        fail_with("quoted report", ValueError(f"cannot tokenise {texts[0]!r}"))
        fail_with("missing word", KeyError(texts[0]))
        if os.environ.get(FAILING) == "text rows":
            return list(texts)
        return known(super().encode_reports(texts))


def known(rows: torch.Tensor) -> torch.Tensor:
    """(B, 17) rows of which none is 0, not even that of a black picture: so that the
    model can be told apart from others, and its embeddings are kept.
    """
    constant = torch.full((len(rows), 1), 0.1)
    return toy.unit(torch.cat([rows, constant], dim=1))


class DeadlyEncoder(Encoder):
    """Ends the process that uses it."""

    name = "deadly"

    def encode_images(self, _: Any) -> Any:
        os._exit(3)


@dataclasses.dataclass
class ShownDataset(toy.ToyDataset):
    """A data set of one's own whose representation shows all that it holds."""

    texts: list[str] = dataclasses.field(
        default_factory=lambda: [
            f"{canary('report')} pattern {number}" for number in range(PAIRS)
        ]
    )
    name = "shown"

    def __post_init__(self) -> None:
        super().__init__(PAIRS)
        self.image_ids = [f"{canary('image id')}{number}" for number in range(PAIRS)]
        self.reports = self.texts

    def image(self, index: int) -> Any:
        fail_at("own image")
        if os.environ.get(FAILING) == "no image":
            return None
        return super().image(index)

    @property
    def patients(self) -> Sequence[str]:
        fail_at("own patients")
        if os.environ.get(FAILING) == "few patients":
            return [canary("patient")]
        return [f"{canary('patient')}{number}" for number in range(PAIRS)]


def load(_: LoadRequest) -> Any:
    fail_at("load")
    return Encoder()


def metric(ranks: Any) -> float:
    fail_at("metric")
    return float(np.mean(ranks))


def render(_: Any) -> str:
    fail_at("render")
    return ""


@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues: Catalogues) -> None:
    fail_at("register")
    catalogues.models.add(ModelEntry("toy", "a toy", load))
    deadly = ModelEntry("deadly", "ends the process", lambda _: DeadlyEncoder())
    catalogues.models.add(deadly)
    catalogues.datasets.add(DatasetEntry("shown", "own", ShownDataset))
    catalogues.metrics.add(MetricEntry("own-metric", "own", {}, lambda: metric))
    catalogues.reports.add(ReportEntry("own", "own", render))

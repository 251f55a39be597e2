"""A suite with an encoder that costs nothing, encoded in parts and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...conftest import THREE_LINES

CONFTEST = '''
import os
import signal
import time

import numpy as np
import torch
from pytest_retrieval_robust.models import ModelCard, ModelEntry, Prepared

CALLS = []


class Free:
    """Rows that follow from each input alone, without a network."""

    name, device = "free", "cpu"
    card = ModelCard(source="conftest", sha256="0" * 64)

    def prepare(self, image):
        pixels = np.array(image.convert("RGB").resize((16, 16)))
        return Prepared(pixels.transpose(2, 0, 1), (0, 0, 1, 1))

    def encode_images(self, pixels):
        CALLS.append(len(pixels))
        # As a batch of 8 at a level: not the pictures by which a model is known.
        if len(pixels) == 8:
            at_batch(CALLS.count(8))
        small = torch.nn.functional.avg_pool2d(pixels, 2).flatten(1)
        return torch.nn.functional.normalize(small + 0.01, dim=1)

    def encode_reports(self, texts):
        rows = [torch.cos(torch.arange(192.0) * (1 + hash_of(text))) for text in texts]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def hash_of(text):
    return sum(ord(letter) * (1 + place) for place, letter in enumerate(text)) % 1009


def at_batch(number):
    if os.environ.get("DIE_AT") == str(number):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("WAIT_AT") == str(number):
        print("waiting", flush=True)
        time.sleep(600)


def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("free", "costs nothing", lambda request: Free()))
    catalogues.models.add(
        ModelEntry(
            "far",
            "is elsewhere",
            load=None,
            missing=lambda request: "its weights are not here",
            fetchable=False,
        )
    )
'''
PAIRS = 24
BATCH = 8
OPTIONS = (
    "--robust-models=free",
    f"--robust-datasets=synthetic-cxr(pairs={PAIRS})",
    f"--robust-batch-size={BATCH}",
    "--robust-levels=0,0.2,0.5",
    "--robust-occluders=patches,worst(grid=2)",
    "--robust-measure-only",
    "-p",
    "no:cacheprovider",
)
BATCHES = 3


@dataclass(frozen=True)
class Suite:
    """A suite in a folder of its own."""

    folder: Path
    options: Sequence[str] = OPTIONS

    def write(self, conftest: str = CONFTEST) -> None:
        path = self.folder / "conftest.py"
        path.write_text(conftest)
        # Code that is younger than the process is not trusted to be what was loaded.
        os.utime(path, (0, 0))
        (self.folder / "test_mine.py").write_text(THREE_LINES)

    def arguments(self, cache: str, *further: str) -> list[str]:
        """What pytest and `encode` are given alike."""
        return [*self.options, f"--robust-cache-dir={cache}", *further]

    def start(self, cache: str, *words: str, **variables: str) -> subprocess.Popen[str]:
        """`encode` as a process."""
        command = [sys.executable, "-m", "pytest_retrieval_robust", "encode"]
        return self.started([*command, *self.arguments(cache, *words)], variables)

    def started(
        self, command: Sequence[str], variables: dict[str, str]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ranks(self, results: str) -> bytes:
        return (self.folder / results / "ranks.npz").read_bytes()

    def from_store(self, results: str) -> list[int]:
        """Of each case of a run, the images that it did not encode."""
        text = (self.folder / results / "run.json").read_text()
        run: dict[str, Any] = json.loads(text)
        return [outcome["timing"]["from_store"] for outcome in run["outcomes"]]

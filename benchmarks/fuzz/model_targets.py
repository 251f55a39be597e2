"""Models: weights, folders of settings and tokenizers, what a command writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.hostile.image_files import CANARY
from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models import ModelCard
from pytest_retrieval_robust.models._files.weights_file import read_weights, weights_in
from pytest_retrieval_robust.models._formats.command.encoder import CommandEncoder
from pytest_retrieval_robust.models._formats.command.failures import ServingError
from pytest_retrieval_robust.models._formats.command.frames import (
    FrameReader,
    RubbishError,
    array_in,
)
from pytest_retrieval_robust.models._formats.command.hello import checked_hello
from pytest_retrieval_robust.models._formats.command.process import Command
from pytest_retrieval_robust.models._formats.command.server import Server
from tests.models.checkpoints import save_clip, save_open_clip

from .mutators import frames_of, json_of, safetensors_of, zip_of
from .target import Read, Target

_PRINTS = "/bin/cat"
CLIP_FILES = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
OPEN_CLIP_FILES = ("open_clip_config.json",)


def _weights(folder: Path, suffix: str) -> Read:
    home = folder / CANARY
    home.mkdir()
    file = home / f"weights{suffix}"

    def read(content: bytes) -> None:
        file.write_bytes(content)
        with read_weights("fuzzed", file) as weights:
            for tensor in weights_in(weights.content).values():
                weights.take(tensor)

    return read


def bundle(folder: Path, names: tuple[str, ...]) -> bytes:
    """The settings of a folder as one JSON object: the input of a fuzzed folder."""
    files = {name: json.loads((folder / name).read_text()) for name in names}
    return json.dumps(files).encode()


def _folder(folder: Path, names: tuple[str, ...], save: Callable[[Path], Path]) -> Read:
    """A model's folder whose settings are those of the input."""
    (folder / CANARY).mkdir()
    home = save(folder / CANARY / "model")
    honest = {name: (home / name).read_text() for name in names}

    def read(content: bytes) -> None:
        texts = _files_in(content, honest)
        for name in names:
            # What an earlier input wrote must not stay.
            (home / name).unlink(missing_ok=True)
            if name in texts:
                written = texts[name].encode("utf-8", "surrogatepass")
                (home / name).write_bytes(written)
        load_model(f"local-dir:{home}", device="cpu", download=False)

    return read


def _files_in(content: bytes, honest: Mapping[str, str]) -> Mapping[str, str]:
    """What each file of settings holds. A text of the bundle is the file as it is; what is
    no bundle is the first file, beside the honest others.
    """
    try:
        files: Any = json.loads(content)
    except (ValueError, RecursionError):
        files = None
    if not isinstance(files, dict):
        return {**honest, next(iter(honest)): content.decode("latin-1")}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in files.items()
        if name in honest
    }


def _frames(_: Path) -> Read:
    """What comes through the pipe, in pieces whose length the first byte says."""

    def read(content: bytes) -> None:
        piece_bytes = 1 + (content[0] if content else 0)
        try:
            _read_frames(content[1:], piece_bytes)
        except (RubbishError, ServingError) as error:
            problem = str(error)
        else:
            return
        raise ModelError(f"Expected an answer, got {problem}.")

    return read


def _read_frames(content: bytes, piece_bytes: int) -> None:
    reader = FrameReader()
    left = memoryview(content)
    while left:
        room = reader.room()
        count = min(len(room), len(left), piece_bytes)
        room[:count] = left[:count]
        left = left[count:]
        for message in reader.add(room, count):
            if "shape" in message.header or "dtype" in message.header:
                array_in(message)
            else:
                checked_hello(message.header)


def _pipes(folder: Path) -> Read:
    """A real process that writes the input to its standard output."""
    file = folder / "answers"
    command = Command((_PRINTS, str(file)), folder, timeout=5.0)
    card = ModelCard(source="fuzzed")

    def read(content: bytes) -> None:
        file.write_bytes(content)
        server = Server("fuzzed", command, "cpu", "fp32")
        try:
            encoder = CommandEncoder("fuzzed", server, card, None)
            encoder.encode_images(torch.zeros(2, 3, 8, 8))
            encoder.encode_reports(["clear lungs", "a large heart"])
        finally:
            server.end()

    return read


def honest_frames() -> bytes:
    """A greeting and two answers, as an encoder of width 4 writes them."""
    from pytest_retrieval_robust.models._formats.command.frames import frame_of

    rows = np.eye(2, 4, dtype=np.float32)
    hello = {"type": "hello", "protocol": 1, "width": 4, "size": 8}
    pieces = [
        *frame_of(hello),
        *frame_of({"type": "rows", "id": 0}, rows),
        *frame_of({"type": "rows", "id": 0}, rows),
    ]
    return b"".join(pieces)


TARGETS = (
    Target(
        "safetensors",
        "weights: safetensors",
        partial(_weights, suffix=".safetensors"),
        mutate=safetensors_of,
    ),
    Target(
        "torch-zip",
        "weights: torch's archives, the pickle within them",
        partial(_weights, suffix=".pt"),
        mutate=zip_of,
    ),
    Target("torch-pickle", "weights: pickles alone", partial(_weights, suffix=".ckpt")),
    Target(
        "weights-archive",
        "weights: an archive of a file of weights",
        partial(_weights, suffix=".zip"),
        mutate=zip_of,
    ),
    Target(
        "transformers-folder",
        "folders of transformers: settings and tokenizer",
        partial(_folder, names=CLIP_FILES, save=save_clip),
        mutate=json_of,
    ),
    Target(
        "open-clip-folder",
        "folders of open_clip: settings",
        partial(_folder, names=OPEN_CLIP_FILES, save=save_open_clip),
        mutate=json_of,
    ),
    Target(
        "command-frames",
        "the command protocol: messages in pieces",
        _frames,
        mutate=frames_of,
    ),
    Target(
        "command-pipes",
        "the command protocol: a process and its pipes",
        _pipes,
        mutate=frames_of,
        starts=(_PRINTS,),
    ),
)

"""A model beside its fingerprint: how far rows moved, and which part they follow from did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.drift import (
    DriftOutcome,
    DriftPart,
    PartName,
    PartState,
    fingerprint_command,
)
from ...models import DualEncoder
from ..embeddings.identity import ModelIdentity
from .fingerprint import Fingerprint, SentenceMark, WeightsMark, read_row
from .saved import FingerprintError
from .taking import fingerprint_of

NORMALISATION = "normalisation"
"""What stands for the constants among the pictures that moved."""


def drift_from(saved: Fingerprint, model: DualEncoder, file: str) -> DriftOutcome:
    """How far a model has moved from its fingerprint, which was read from `file`.

    Raises:
        FingerprintError: Rows have another width: it is the fingerprint of another model.
        ModelError: The model refuses all pictures, or all sentences.
    """
    return compared(saved, fingerprint_of(model), file)


def compared(saved: Fingerprint, now: Fingerprint, file: str) -> DriftOutcome:
    """How far one fingerprint is from another one of the same inputs."""
    distances: dict[str, float] = {}
    refused: list[str] = []
    for before, after in zip(saved.marks, now.marks, strict=True):
        if (before.row is None) != (after.row is None):
            refused.append(before.name)
        elif before.row is not None and after.row is not None:
            rows = read_row(before.row), read_row(after.row)
            _check_widths(*rows, now.model, file)
            distances[before.name] = cosine_distance(*rows)
    worst = max(distances, key=distances.__getitem__, default=None)
    return DriftOutcome(
        now.model,
        file,
        largest=0.0 if worst is None else distances[worst],
        worst=worst,
        inputs=len(distances),
        parts=(
            _tokenizer(saved.sentences, now.sentences),
            _pixels(saved, now),
            _weights(saved, now),
        ),
        differences=tuple(_identity(now).differences(_identity(saved))),
        refused=tuple(refused),
    )


def cosine_distance(row: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """1 - cosine of two (D,) rows, from 0 to 2.

    It is half the squared distance of the unit rows, which keeps its digits where the rows
    are nearly the same.
    """
    difference = row / np.linalg.norm(row) - other / np.linalg.norm(other)
    return min(float(difference @ difference) / 2, 2.0)


def _check_widths(
    before: NDArray[np.float64], after: NDArray[np.float64], model: str, file: str
) -> None:
    if before.shape != after.shape:
        raise FingerprintError(
            f"Expected {model} to give rows of {before.size} numbers, as {file} has, got"
            f" {after.size}: it is the fingerprint of another network. Make a new one with"
            f" `{fingerprint_command(model)}`."
        )


# Which part moved


def _tokenizer(
    before: Sequence[SentenceMark], after: Sequence[SentenceMark]
) -> DriftPart:
    pairs = {
        old.name: (old.token_ids_sha256, new.token_ids_sha256)
        for old, new in zip(before, after, strict=True)
    }
    return _part("tokenizer", pairs)


def _pixels(saved: Fingerprint, now: Fingerprint) -> DriftPart:
    pairs = {
        old.name: (old.pixels_sha256, new.pixels_sha256)
        for old, new in zip(saved.pictures, now.pictures, strict=True)
    }
    part = _part("pixels", pairs)
    constants = (saved.normalisation, now.normalisation)
    if None in constants or constants[0] == constants[1]:
        return part
    moved = (*part.moved, NORMALISATION)
    return DriftPart("pixels", "moved", moved, part.compared)


def _part(name: PartName, pairs: dict[str, tuple[str | None, str | None]]) -> DriftPart:
    """A part that is compared input by input; what one side lacks is not compared."""
    known = {key: pair for key, pair in pairs.items() if None not in pair}
    if not known:
        return DriftPart(name, "not known")
    moved = tuple(key for key, (before, after) in known.items() if before != after)
    return DriftPart(name, "moved" if moved else "same", moved, len(known))


def _weights(saved: Fingerprint, now: Fingerprint) -> DriftPart:
    return DriftPart("weights", _weights_state(saved, now))


def _weights_state(saved: Fingerprint, now: Fingerprint) -> PartState:
    before, after = saved.weights, now.weights
    # Rounded to another precision, the same weights have other bytes.
    if saved.precision == now.precision and None not in _loaded(before, after):
        if before.loaded_sha256 != after.loaded_sha256:
            return "moved"
        if before.whole and after.whole:
            return "same"
    checkpoints = (before.checkpoint_sha256, after.checkpoint_sha256)
    if None in checkpoints:
        return "not known"
    return "same" if checkpoints[0] == checkpoints[1] else "moved"


def _loaded(before: WeightsMark, after: WeightsMark) -> tuple[str | None, str | None]:
    return before.loaded_sha256, after.loaded_sha256


def _identity(fingerprint: Fingerprint) -> ModelIdentity:
    """What it declares, in the form that says differences in words."""
    declared = {
        "precision": fingerprint.precision,
        "device": fingerprint.device,
        "libraries": dict(fingerprint.libraries),
    }
    return ModelIdentity(declared, b"", {}, b"")

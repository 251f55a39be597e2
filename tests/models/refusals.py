"""What the tests of refusals share: loading, the message of an error, changed weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError, RobustError
from pytest_retrieval_robust.models import DualEncoder

CANARY = "CANFOLDER-patient-doe"
IMAGE = Image.fromarray(
    np.random.default_rng(0).integers(0, 255, (48, 40), dtype=np.uint8)
)


def load(folder: Path, **options: Any) -> DualEncoder:
    return load_model(f"local-dir:{folder}", device="cpu", **options)


def images(model: DualEncoder) -> torch.Tensor:
    return model.encode_images(
        torch.from_numpy(model.prepare(IMAGE).pixels)[None] / 255
    )


def refused(read: Callable[[], object], kind: type[RobustError] = ModelError) -> str:
    """The message of the refusal, which must be a sentence of ours with no foreign
    error behind it.
    """
    with pytest.raises(kind) as caught:
        read()
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert message.endswith(".")
    assert CANARY not in message
    assert "huggingface.co" not in message
    assert "weights_only=False" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return message


def reweighted(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> Path:
    file = next(folder.glob("*.safetensors"))
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return folder


def without(folder: Path, keys: set[str]) -> Path:
    return reweighted(
        folder,
        lambda weights: {
            key: weight for key, weight in weights.items() if key not in keys
        },
    )


def write_settings(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

"""A damaged number of layers is refused before a network is built, which would not end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models._files.layers import MOST_LAYERS, require_few_layers

from .checkpoints import save_clip, save_open_clip

TOO_MANY = 1 << 70


def change(file: Path, *keys: str, value: Any) -> None:
    settings = json.loads(file.read_text())
    part = settings
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    file.write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("save", "file", "keys", "value"),
    [
        (
            save_open_clip,
            "open_clip_config.json",
            ("model_cfg", "vision_cfg", "layers"),
            [TOO_MANY],
        ),
        (
            save_open_clip,
            "open_clip_config.json",
            ("model_cfg", "text_cfg", "layers"),
            TOO_MANY,
        ),
        (
            save_clip,
            "config.json",
            ("vision_config", "num_hidden_layers"),
            TOO_MANY,
        ),
    ],
)
def test_a_folder_that_claims_too_many_layers_is_refused(
    save: Callable[[Path], Path],
    file: str,
    keys: tuple[str, ...],
    value: Any,
    tmp_path: Path,
) -> None:
    folder = save(tmp_path / "damaged")
    change(folder / file, *keys, value=value)
    with pytest.raises(
        ModelError, match=rf"at most 10,000 layers .* got {keys[-1]}=.*\d.*\. Download"
    ):
        load_model(f"local-dir:{folder}")


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": MOST_LAYERS},
        {"layers": [3, 4, 6, 3]},
        {"depths": (2, 2, 18, 2), "layers": None},
        {"output_layers_of": TOO_MANY, "vocab_size": TOO_MANY},
        {"a": {"b": {"c": {"d": {"e": {"layers": TOO_MANY}}}}}},
    ],
)
def test_what_networks_have_is_taken(settings: dict[str, Any]) -> None:
    require_few_layers("ours", settings)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (MOST_LAYERS + 1, "10001"),
        (10**12 - 1, "999999999999"),
        (10**12, r"1e\+12 or more"),
        pytest.param(10**5000, r"1e\+12 or more", id="5001 digits"),
    ],
)
def test_the_number_is_shown_but_not_thousands_of_digits(
    count: int, shown: str
) -> None:
    with pytest.raises(ModelError, match=rf"got layers={shown}\. Download"):
        require_few_layers("ours", {"layers": count})


def test_a_part_of_the_settings_is_looked_at_too() -> None:
    with pytest.raises(ModelError, match="n_layer"):
        require_few_layers("ours", {"text": {"n_layer": MOST_LAYERS + 1}})

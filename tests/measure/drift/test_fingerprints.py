"""Real models beside their fingerprints: one part is changed, and the sentence names it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from pytest_retrieval_robust import (
    DualEncoder,
    EmbeddingError,
    ModelError,
    encoder_from_callables,
    load_model,
)
from pytest_retrieval_robust.core.drift import DriftOutcome, PartState
from pytest_retrieval_robust.gate.drift import DriftLimit
from pytest_retrieval_robust.measure.drift.comparing import NORMALISATION, drift_from
from pytest_retrieval_robust.measure.drift.fingerprint import Fingerprint, read_row
from pytest_retrieval_robust.measure.drift.inputs import SENTENCES, pixel_arrays
from pytest_retrieval_robust.measure.drift.taking import fingerprint_of
from pytest_retrieval_robust.models.tiny import WEIGHTS

pytestmark = pytest.mark.usefixtures("one_thread")
LIMIT = DriftLimit(1e-3)
Change = Callable[[Path], None]


def states(drift: DriftOutcome) -> list[PartState]:
    """Of the tokenizer, the pixels and the weights."""
    return [part.state for part in drift.parts]


def sentence(drift: DriftOutcome) -> str:
    return LIMIT.judge(drift).sentence


def copy_of(name: str, folder: Path) -> Path:
    """The files of an embedded encoder, to be changed."""
    copy = folder / name
    shutil.copytree(WEIGHTS / name, copy)
    return copy


def edit_json(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def change_one_weight(file: Path, name: str) -> None:
    tensors = load_file(file)
    tensors[name].view(-1)[0] += 2
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def saved() -> Fingerprint:
    return fingerprint_of(load_model("tiny-cxr-clip", device="cpu"))


@pytest.fixture(scope="module")
def saved_openclip() -> Fingerprint:
    return fingerprint_of(load_model("tiny-cxr-openclip", device="cpu"))


def drift_after(change: Change, saved: Fingerprint, folder: Path) -> DriftOutcome:
    """How far the model of a fingerprint moves by a change to its files."""
    copy = copy_of(saved.model, folder)
    change(copy)
    model = load_model(f"local-dir:{copy}", device="cpu")
    return drift_from(saved, model, "ours.json")


def test_the_same_model_loaded_again_has_not_moved(saved: Fingerprint) -> None:
    drift = drift_from(saved, load_model("tiny-cxr-clip", device="cpu"), "ours.json")
    assert drift.largest == pytest.approx(0, abs=1e-9)
    assert drift.inputs == 24
    assert states(drift) == ["same"] * 3
    assert (drift.differences, drift.refused) == ((), ())
    assert LIMIT.judge(drift).verdict == "pass"


def swap_words(folder: Path) -> None:
    """Two words of the vocabulary change places."""

    def swap(content: Any) -> None:
        vocabulary = content["model"]["vocab"]
        first, second = sorted(vocabulary, key=len)[-2:]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
        content["normalizer"] = {"type": "NFKC"}  # and upper case stays

    edit_json(folder / "tokenizer.json", swap)


def resize_otherwise(folder: Path) -> None:
    def bilinear(content: Any) -> None:
        content["resample"] = 0  # nearest, in place of bicubic

    edit_json(folder / "preprocessor_config.json", bilinear)


def normalise_otherwise(folder: Path) -> None:
    def other_mean(content: Any) -> None:
        content["image_mean"] = [0.6, 0.6, 0.6]

    edit_json(folder / "preprocessor_config.json", other_mean)


def weigh_otherwise(folder: Path) -> None:
    file = folder / "model.safetensors"
    change_one_weight(file, "visual_projection.weight")


@pytest.mark.parametrize(
    ("change", "moved", "said"),
    [
        (swap_words, 0, "The tokenizer moved: other token ids of"),
        (resize_otherwise, 1, "The preprocessing moved: other pixels as prepared of"),
        (normalise_otherwise, 1, f"of 12 pictures ({NORMALISATION})"),
        (weigh_otherwise, 2, "The weights moved"),
    ],
    ids=["tokenizer", "resize", "normalisation", "weight"],
)
def test_the_part_that_was_changed_is_named(
    change: Change, moved: int, said: str, saved: Fingerprint, tmp_path: Path
) -> None:
    drift = drift_after(change, saved, tmp_path)
    expected: list[PartState] = ["same"] * 3
    expected[moved] = "moved"
    assert states(drift) == expected
    verdict = LIMIT.judge(drift)
    assert verdict.verdict == "fail"
    assert said in verdict.sentence
    assert "numerics" not in verdict.sentence


def test_the_sentences_and_pictures_that_moved_are_named(
    saved: Fingerprint, tmp_path: Path
) -> None:
    drift = drift_after(swap_words, saved, tmp_path / "words")
    assert "upper-case" in drift.parts[0].moved
    assert "blank" not in drift.parts[0].moved
    drift = drift_after(resize_otherwise, saved, tmp_path / "resize")
    assert {"rings", "noise"} <= set(drift.parts[1].moved)
    assert not {"black", "white"} & set(drift.parts[1].moved)


def test_open_clip_names_its_parts_too(
    saved_openclip: Fingerprint, tmp_path: Path
) -> None:
    def bilinear(folder: Path) -> None:
        def change(content: Any) -> None:
            content["preprocess_cfg"]["interpolation"] = "bilinear"

        edit_json(folder / "open_clip_config.json", change)

    assert states(drift_after(bilinear, saved_openclip, tmp_path / "resize")) == [
        "same",
        "moved",
        "same",
    ]
    drift = drift_after(swap_words, saved_openclip, tmp_path / "words")
    assert states(drift) == ["moved", "same", "same"]

    def weigh(folder: Path) -> None:
        change_one_weight(folder / "open_clip_model.safetensors", "text_projection")

    drift = drift_after(weigh, saved_openclip, tmp_path / "weights")
    assert states(drift) == ["same", "same", "moved"]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_another_precision_is_numerics_and_is_named(
    saved: Fingerprint, precision: Any
) -> None:
    model = load_model("tiny-cxr-clip", device="cpu", precision=precision)
    drift = drift_from(saved, model, "ours.json")
    assert states(drift) == ["same"] * 3
    assert f"precision {precision}, not fp32" in drift.differences
    assert 0 < (drift.largest or 0) < 1e-2
    verdict = DriftLimit(1e-9).judge(drift)
    assert "So the numerics moved" in verdict.sentence
    assert f"precision {precision}, not fp32" in verdict.sentence


def test_a_weight_that_changes_in_memory_alone_is_seen(saved: Fingerprint) -> None:
    """The checkpoint is the same: the hash is of what was loaded."""
    model = load_model("tiny-cxr-clip", device="cpu")
    network: torch.nn.Module = vars(model)["_model"]
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1e-3
    drift = drift_from(saved, model, "ours.json")
    assert states(drift) == ["same", "same", "moved"]


def test_the_distance_is_that_of_a_naive_loop(
    saved: Fingerprint, tmp_path: Path
) -> None:
    copy = copy_of("tiny-cxr-clip", tmp_path)
    weigh_otherwise(copy)
    now = fingerprint_of(load_model(f"local-dir:{copy}", device="cpu"))
    largest = 0.0
    for before, after in zip(saved.marks, now.marks, strict=True):
        assert before.row is not None
        assert after.row is not None
        row = [float(number) for number in read_row(before.row)]
        other = [float(number) for number in read_row(after.row)]
        product = sum(a * b for a, b in zip(row, other, strict=True))
        lengths = sum(a * a for a in row) * sum(b * b for b in other)
        largest = max(largest, 1 - product / lengths**0.5)
    model = load_model(f"local-dir:{copy}", device="cpu")
    found = drift_from(saved, model, "ours.json").largest
    assert found == pytest.approx(largest, rel=1e-6)


# Models of a user's own, of which less is known


def greys(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, 3) mean, spread and top left grey of each picture, and a constant."""
    means = pixels.mean(axis=(1, 2, 3))
    spreads = pixels.std(axis=(1, 2, 3))
    return np.stack([means, spreads, pixels[:, 0, 0, 0] + 1], axis=1)


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[len(text), text.count(" "), 5] for text in texts], np.float32)


def of_functions(
    images: Callable[..., Any] = greys, reports: Callable[..., Any] = lengths
) -> DualEncoder:
    return encoder_from_callables("ours", images, reports, size=32)


def test_what_a_model_does_not_show_is_not_known() -> None:
    def moved(texts: Sequence[str]) -> NDArray[np.float32]:
        return lengths(texts) + np.array([0, 3, 9], np.float32)

    before = fingerprint_of(of_functions())
    assert before.weights.loaded_sha256 is None
    assert before.weights.checkpoint_sha256 is None
    assert all(mark.token_ids_sha256 is None for mark in before.sentences)
    drift = drift_from(before, of_functions(reports=moved), "o.json")
    assert states(drift) == ["not known", "same", "not known"]
    said = sentence(drift)
    assert "The same: prepared pixels. Not known: token ids, weights." in said
    assert "So one of them, or the numerics, moved" in said


class Own(torch.nn.Module):
    """A class of a user's own, with one tower in an attribute."""

    name = "ours"
    device = "cpu"

    def __init__(self, factor: float = 1.0, hidden: float = 1.0) -> None:
        super().__init__()
        inner = of_functions()
        self.card = inner.card
        self.prepare = inner.prepare
        self.encode = inner
        self.scale = torch.nn.Parameter(torch.tensor([factor, 1.0, 1.0]))
        self._hidden = hidden

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        rows = self.encode.encode_images(pixels) * self.scale.detach()
        return torch.nn.functional.normalize(rows)

    def encode_reports(self, texts: Sequence[str]) -> torch.Tensor:
        rows = self.encode.encode_reports(texts) * torch.tensor([self._hidden, 1, 1])
        return torch.nn.functional.normalize(rows)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]


def test_equal_modules_of_a_class_of_ones_own_are_never_called_equal_weights() -> None:
    """Others may be elsewhere: here is one."""
    before = fingerprint_of(Own())
    assert states(drift_from(before, Own(), "o.json")) == ["same", "same", "not known"]
    hidden = drift_from(before, Own(hidden=3.0), "o.json")
    assert states(hidden) == ["same", "same", "not known"]
    assert (hidden.largest or 0) > 1e-3
    seen = drift_from(before, Own(factor=3.0), "o.json")
    assert states(seen) == ["same", "same", "moved"]


def refuses_long_texts(texts: Sequence[str]) -> NDArray[np.float32]:
    if max(map(len, texts)) > 300:
        raise ValueError("too long")
    return lengths(texts)


def test_what_a_model_refuses_is_left_out_until_it_takes_it() -> None:
    before = fingerprint_of(of_functions(reports=refuses_long_texts))
    assert [mark.name for mark in before.marks if mark.row is None] == ["long"]
    same = drift_from(before, of_functions(reports=refuses_long_texts), "o.json")
    assert (same.inputs, same.refused) == (23, ())
    assert LIMIT.judge(same).verdict == "pass"
    now = drift_from(before, of_functions(), "o.json")
    assert now.refused == ("long",)
    verdict = LIMIT.judge(now)
    assert verdict.verdict == "fail"
    assert "on one side alone: long" in verdict.sentence


def test_a_model_that_refuses_all_has_no_fingerprint() -> None:
    def refuse(_: Sequence[str]) -> NDArray[np.float32]:
        raise ValueError("never")

    with pytest.raises(ModelError, match="encode_reports of ours"):
        fingerprint_of(of_functions(reports=refuse))


def test_rows_that_are_no_numbers_are_an_error() -> None:
    def nan(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.full_like(lengths(texts), np.nan)

    with pytest.raises(EmbeddingError, match="the fixed input short, got NaN"):
        fingerprint_of(of_functions(reports=nan))


def test_the_inputs_differ_from_each_other() -> None:
    shapes = {(pixels.shape, pixels.tobytes()) for pixels in pixel_arrays().values()}
    assert len(shapes) == 12
    assert len(set(SENTENCES.values())) == 12

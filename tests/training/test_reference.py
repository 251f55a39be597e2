"""The shipped encoder is small and complete, and a run of the training writes such a directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from training.corpus import make_corpus
from training.fitting import Recipe
from training.network import MEAN, SIZE, STD, normalise
from training.reference import train
from training.saving import measure

SHIPPED = Path(__file__).parents[2] / "pytest_retrieval_robust" / "models" / "weights" / "tiny-cxr-clip"
FILES = {
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "README.md",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train("tiny-cxr-clip", Recipe(pairs=48, batch=24), seed=1, out=out, threads=1, test_pairs=4)
    return out


@pytest.fixture(params=["shipped", "trained"])
def folder(request: pytest.FixtureRequest) -> Path:
    return SHIPPED if request.param == "shipped" else Path(request.getfixturevalue("trained"))


def test_the_directory_is_complete_and_at_most_5_mb(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == FILES
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 5_000_000


def test_all_weights_are_in_half_precision(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float16}  # noqa: SIM118


def test_no_key_is_missing_or_unexpected(folder: Path) -> None:
    _, found = CLIPModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(found[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))


def test_the_end_of_a_report_is_pooled_whatever_the_padding(folder: Path) -> None:
    model, tokenizer = (
        CLIPModel.from_pretrained(folder, dtype=torch.float32).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    alone, padded = (
        tokenizer("No effusion.", return_tensors="pt"),
        tokenizer(["No effusion.", "Clear. " * 12], padding=True, return_tensors="pt"),
    )
    with torch.inference_mode():
        one, two = (model.text_model(**given).pooler_output[0] for given in (alone, padded))
    assert torch.allclose(one, two, atol=1e-5)


def test_the_end_token_is_the_last_of_the_vocabulary_and_closes_a_long_text(folder: Path) -> None:
    tokenizer, config = AutoTokenizer.from_pretrained(folder), json.loads((folder / "config.json").read_text())
    ids = tokenizer("clear lungs " * 100, truncation=True)["input_ids"]
    assert (len(ids), ids[0], ids[-1]) == (77, tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert config["text_config"]["eos_token_id"] == tokenizer.eos_token_id == len(tokenizer) - 1


def test_case_does_not_matter_to_the_tokenizer(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("NO Effusion")["input_ids"] == tokenizer("no effusion")["input_ids"]


def test_the_saved_image_processor_does_what_training_did(folder: Path) -> None:
    picture = SyntheticCxr(1, size=SIZE).image(0)
    pixels = AutoImageProcessor.from_pretrained(folder)(picture, return_tensors="pt")["pixel_values"]
    raw = torch.tensor(list(picture.tobytes()), dtype=torch.uint8).reshape(1, SIZE, SIZE)
    assert torch.allclose(pixels, normalise(raw), atol=1e-4)
    assert 0 < MEAN < 1 > STD > 0


def test_no_path_is_written_into_any_file(folder: Path) -> None:
    for file in folder.iterdir():
        assert str(folder.parent).encode() not in file.read_bytes()


def test_the_shipped_encoder_finds_held_out_reports() -> None:
    recall = measure(SHIPPED, SyntheticCxr(100))
    assert min(recall.image_to_report[0], recall.report_to_image[0]) > 0.7
    assert min(recall.image_to_report[2], recall.report_to_image[2]) > 0.95


def test_the_corpus_does_not_depend_on_the_number_of_workers() -> None:
    one, two = make_corpus(6, 3, 64, 1), make_corpus(6, 3, 64, 2)
    assert one.reports == two.reports
    assert (one.pictures == two.pictures).all()
    assert (one.labels == two.labels).all()


def test_the_rate_warms_up_stays_and_decays() -> None:
    recipe = Recipe(pairs=64_000)
    assert recipe.factor(0) < 0.1
    assert recipe.factor(400) == 1
    assert 0 < recipe.factor(recipe.steps - 1) < 0.01

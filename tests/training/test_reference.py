"""The shipped encoders are small, complete and undamaged, and a run of the training
writes such directories.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.models.tiny import SUMS, WEIGHTS, check_sums
from training import corpus, fitting
from training.figures import CUTS, LEVELS, OCCLUDERS, Figures, read_figures
from training.network import MEAN, STD, normalise, on_unit_scale
from training.recipes import RECIPES, SIZE
from training.reference import train

TOKENIZER = {"tokenizer.json", "tokenizer_config.json", "README.md", SUMS}
FILES = {
    "clip": (
        TOKENIZER | {"config.json", "model.safetensors", "preprocessor_config.json"}
    ),
    "open_clip": TOKENIZER | {"open_clip_config.json", "open_clip_model.safetensors"},
}


Quick = Callable[[str], tuple[Path, Figures]]


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def quick(work: Path) -> Iterator[Quick]:
    """A real run of a recipe, cut down to two steps, and once for all tests."""

    @cache
    def run(name: str) -> tuple[Path, Figures]:
        recipe = replace(RECIPES[name], pairs=48, pool=48, batch=24)
        out = work / f"out-{name}-1"
        return out, train(
            name, recipe, 1, out, work, threads=1, limit=12, say=lambda _: None
        )

    with pytest.MonkeyPatch.context() as patch:
        # As many pictures as are seen, and fewer batches for batch normalisation.
        patch.setattr(corpus, "CHUNK", 48)
        patch.setattr(fitting, "_STATISTICS_BATCHES", 2)
        yield run


@pytest.fixture(scope="session", params=list(RECIPES))
def trained(request: pytest.FixtureRequest, quick: Quick) -> Path:
    return quick(request.param)[0]


@pytest.fixture(
    scope="session",
    params=[f"{state} {name}" for name in RECIPES for state in ("shipped", "trained")],
)
def folder(request: pytest.FixtureRequest, quick: Quick) -> Path:
    state, name = request.param.split()
    return WEIGHTS / name if state == "shipped" else quick(name)[0]


def network(folder: Path) -> str:
    return "open_clip" if (folder / "open_clip_config.json").exists() else "clip"


def weights(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def test_the_directory_is_complete_and_at_most_5_mb(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == FILES[network(folder)]
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 5_000_000


def test_all_weights_are_in_half_precision(folder: Path) -> None:
    with safe_open(weights(folder), "pt") as held:
        assert {held.get_tensor(name).dtype for name in held.keys()} == {torch.float16}  # noqa: SIM118


def test_it_loads_as_any_folder_of_its_format_with_no_key_missing(folder: Path) -> None:
    model = load_model(f"local-dir:{folder}", device="cpu")
    rows = model.encode_reports(["No effusion.", "Large right pleural effusion."])
    assert torch.allclose(rows.norm(dim=1), torch.ones(2), atol=1e-5)
    if network(folder) == "clip":
        _, found = CLIPModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
        assert not any(
            found[kind]
            for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        )


def test_a_report_is_embedded_alike_alone_and_beside_a_longer_one(folder: Path) -> None:
    model = load_model(f"local-dir:{folder}", device="cpu")
    alone, beside = (
        model.encode_reports(["No effusion."]),
        model.encode_reports(["No effusion.", "Clear. " * 20]),
    )
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


def test_the_end_token_is_the_last_of_the_vocabulary_and_closes_a_long_text(
    folder: Path,
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("clear lungs " * 100, truncation=True)["input_ids"]
    assert (len(ids), ids[0], ids[-1]) == (
        77,
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
    )
    assert tokenizer.eos_token_id == len(tokenizer) - 1
    if network(folder) == "clip":
        config = json.loads((folder / "config.json").read_text())
        assert config["text_config"]["eos_token_id"] == tokenizer.eos_token_id


def test_case_does_not_matter_to_the_tokenizer(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (
        tokenizer("NO Effusion")["input_ids"] == tokenizer("no effusion")["input_ids"]
    )


@pytest.mark.parametrize("name", list(RECIPES))
def test_few_reports_are_cut(name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / name)
    lengths = [
        len(ids) for ids in tokenizer(list(SyntheticCxr(200).reports))["input_ids"]
    ]
    assert sum(length > 77 for length in lengths) / 200 < 0.1


def test_the_saved_image_processor_does_what_training_did(folder: Path) -> None:
    picture = SyntheticCxr(1, size=SIZE).image(0)
    raw = (
        torch.tensor(list(picture.tobytes()), dtype=torch.uint8)
        .reshape(1, SIZE, SIZE)
        .numpy()
    )
    seen = load_model(f"local-dir:{folder}", device="cpu").prepare(picture).pixels
    assert torch.equal(torch.as_tensor(seen).float() / 255, on_unit_scale(raw)[0])
    if network(folder) == "clip":
        pixels = AutoImageProcessor.from_pretrained(folder)(
            picture, return_tensors="pt"
        )["pixel_values"]
        assert torch.allclose(pixels, normalise(on_unit_scale(raw)), atol=1e-4)
    else:
        said = json.loads((folder / "open_clip_config.json").read_text())[
            "preprocess_cfg"
        ]
        assert (said["mean"], said["std"]) == ([MEAN] * 3, [STD] * 3)


def test_no_path_is_written_into_any_file(folder: Path) -> None:
    for file in folder.iterdir():
        assert str(folder.parent).encode() not in file.read_bytes()


def test_a_trained_folder_is_listed_with_its_hashes(trained: Path) -> None:
    check_sums(trained)
    listed = {line.split("  ")[1] for line in (trained / SUMS).read_text().splitlines()}
    assert listed == FILES[network(trained)] - {SUMS, "README.md"}


def test_the_card_says_what_it_is_and_holds_the_figures(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert "a test instrument, not a medical model" in card
    assert "Apache-2.0" in card
    assert "| `patches` | image-to-report | 1 |" in card
    assert ("kept out" in card) == folder.name.replace("out-", "").startswith(
        "tiny-cxr-clip-robust"
    )


def test_a_run_measures_every_level_and_occluder(work: Path, quick: Quick) -> None:
    _, figures = quick("tiny-general-clip")
    assert set(figures.curves) == {"synthetic-cxr", "synthetic-scenes"}
    for curves in figures.curves.values():
        assert set(curves) == set(OCCLUDERS)
        assert all(
            len(recalls) == len(LEVELS)
            for curve in curves.values()
            for recalls in curve["image-to-report"].values()
        )
    file = figures.write(work / "figures")
    assert read_figures("tiny-general-clip", work / "figures") == [figures]
    assert file.name == "tiny-general-clip-seed1.json"


# What is shipped


@pytest.mark.parametrize("name", list(RECIPES))
def test_three_seeds_are_documented_and_the_shipped_one_is_the_first(name: str) -> None:
    figures = read_figures(name)
    assert [one.seed for one in figures] == [0, 1, 2]
    for one in figures:
        assert one.recipe == RECIPES[name].as_json()
        assert set(
            map(int, one.curves["synthetic-cxr"]["patches"]["image-to-report"])
        ) == set(CUTS)
    assert f"--seed {figures[0].seed}`" in (WEIGHTS / name / "README.md").read_text()


@pytest.mark.parametrize(
    "name", ["tiny-cxr-clip", "tiny-cxr-clip-robust", "tiny-cxr-openclip"]
)
def test_every_seed_learns(name: str) -> None:
    recalls = [one.recall("synthetic-cxr", 10)[0] for one in read_figures(name)]
    assert min(recalls) > 0.98
    assert min(one.recall("synthetic-cxr", 1)[0] for one in read_figures(name)) > 0.75


def test_hiding_in_training_flattens_the_curve_at_little_cost() -> None:
    plain, robust = (
        read_figures(name)[0] for name in ("tiny-cxr-clip", "tiny-cxr-clip-robust")
    )
    level = LEVELS.index(0.3)
    first, tenth = (
        [one.recall("synthetic-cxr", k) for one in (plain, robust)] for k in (1, 10)
    )
    assert first[1][level] > 3 * first[0][level]
    assert tenth[1][level] / tenth[1][0] > tenth[0][level] / tenth[0][0] + 0.4
    assert first[0][0] - first[1][0] < 0.08


def test_the_general_encoder_is_at_home_elsewhere() -> None:
    general = read_figures("tiny-general-clip")[0]
    assert general.recall("synthetic-scenes", 10)[0] > 0.5
    assert general.recall("synthetic-cxr", 10)[0] < 0.045

"""`python -m pytest_retrieval_robust rank`: the ranks of an example again, as numbers alone."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import Measured, run_sweep
from pytest_retrieval_robust.run.rank_command import ReplayOptions, replay_command
from pytest_retrieval_robust.strategies import Box, Occlusion, corners, occlusions

pytestmark = pytest.mark.usefixtures("one_thread")
DATASET = "synthetic-cxr(pairs=30)"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without conftest and robust.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rank(
    capsys: pytest.CaptureFixture[str], *words: str, model: str = "tiny-cxr-clip"
) -> tuple[int, str, str]:
    code = main(["rank", model, DATASET, "--device", "cpu", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def swept(occluder: str, level: float, seed: int) -> list[tuple[int, int, int]]:
    """(image, rank before, rank after) of all images, as a sweep measures them."""
    cell = Cell(occluder, level, seed)
    model, pairs = (
        load_model("tiny-cxr-clip", device="cpu"),
        pairs_of(load_dataset(DATASET)),
    )
    cells = run_sweep(model, pairs, [(cell, load_occluder(occluder))], (1,)).cells
    before, after = cells[CLEAN], cells[cell]
    assert isinstance(before, Measured)
    assert isinstance(after, Measured)
    return list(
        zip(
            range(30),
            before.image_ranks.tolist(),
            after.image_ranks.tolist(),
            strict=True,
        )
    )


def shown(printed: str) -> list[tuple[int, ...]]:
    return [
        tuple(map(int, match))
        for match in re.findall(r"image (\d+): (\d+) -> (\d+)", printed)
    ]


@pytest.mark.parametrize("occluder", ["patches", "salient(grid=2)", "box(fill=donor)"])
def test_ranks_are_those_of_a_sweep(
    capsys: pytest.CaptureFixture[str], occluder: str
) -> None:
    code, out, _ = rank(
        capsys,
        "--occluder",
        occluder,
        "--level",
        "0.5",
        "--seed",
        "3",
        "--images",
        "30",
    )
    expected = swept(occluder, 0.5, 3)
    assert code == 0
    assert shown(out) == [
        (image, before, after) for image, before, after in expected if before != after
    ]
    top_ranks = [after for _, before, after in expected if before <= 10]
    assert (
        f"kept in the top 10: {sum(after <= 10 for after in top_ranks)} of {len(top_ranks)}"
        " images" in out
    )


def test_the_shares_hidden_and_the_size_of_the_gallery_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = rank(
        capsys,
        "--occluder",
        "box(at=top-left)",
        "--level",
        "0.0009765625",
        "--images",
        "2",
    )
    assert out.splitlines()[:3] == [
        f"tiny-cxr-clip on {DATASET}, box(at=top-left) at level 0.0009765625, seed 0",
        "  hidden: 0.0010 of the image, 0.0010 of what the model sees",
        "  rank of the right report among 30, with nothing hidden -> hidden:",
    ]


@pytest.mark.parametrize("occluder", ["patches", "salient(grid=2)"])
def test_one_image_is_shown_as_it_is_among_the_others(
    capsys: pytest.CaptureFixture[str], occluder: str
) -> None:
    words = ("--occluder", occluder, "--level", "0.5", "--images", "10")
    changed = shown(rank(capsys, *words)[1])
    assert changed
    alone = rank(capsys, *words, "--image", str(changed[-1][0]))[1]
    assert shown(alone) == changed[-1:]


def test_an_image_whose_rank_stays_is_shown_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ((image, before, after),) = shown(
        rank(capsys, "--level", "0", "--images", "3", "--image", "2")[1]
    )
    assert image == 2
    assert before == after


def test_no_id_and_no_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = rank(capsys, "--level", "0.3", "--images", "10")
    data = load_dataset(DATASET)
    assert not any(word[:30] in out + err for word in (*data.image_ids, *data.reports))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--level 1.2", "OcclusionError: Expected a level from 0 to 1, got level=1.2."),
        ("--level nan", "OcclusionError: Expected a level from 0 to 1, got level=nan."),
        ("--level 0.2 --seed -1", "OcclusionError: Expected a seed"),
        (
            "--level 0.2 --images 0",
            "RobustError: Expected at least one image, got images=0.",
        ),
        (
            "--level 0.2 --images 5 --image 7",
            "image=7. Give another number, or --images 8.",
        ),
        ("--level 0.2 --occluder patchs", "Did you mean 'patches'"),
        (
            "--level 0.2 --occluder patches,box",
            "Expected one occluder, got occluder='patches,box'",
        ),
        (
            "--level 0.2 --config absent.toml",
            "ConfigError: Expected a readable TOML file",
        ),
        (
            "--level 0.2 --precision fp8",
            "ConfigError: Expected fp32, bf16 or fp16",
        ),
    ],
)
def test_bad_input_exits_with_an_error_in_words(
    capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    code, out, err = rank(capsys, *options.split())
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("model", ["tiny-*", "all", "tiny-cxr-clip,tiny-cxr-openclip"])
def test_several_models_are_refused(
    capsys: pytest.CaptureFixture[str], model: str
) -> None:
    code, _, err = rank(capsys, "--level", "0.2", model=model)
    assert code == 2
    assert (
        f"ConfigError: Expected one model, got model={model!r}. Give the name of a"
        " single one." in err
    )


def test_a_model_of_robust_toml_is_known_and_a_required_one_does_not_take_its_place(
    capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    suite = elsewhere / "gate"
    suite.mkdir()
    tables = [
        f'[models.{name}]\nloader = "clip"\ncheckpoint = "absent.pt"'
        for name in ("ours", "other")
    ]
    (suite / "robust.toml").write_text(
        "\n".join((tables[0], tables[1], "required = true", ""))
    )
    words = ("--level", "0.2", "--images", "1")
    for place in ((), ("--tests", "gate")):
        code, _, err = rank(capsys, *words, *place, model="ours")
        assert code == 2
        assert err.startswith("NotOnThisMachineError: ")
        assert "absent.pt" in err
    assert rank(capsys, *words, "--tests", "gate", model="tiny-cxr-clip")[0] == 0


@given(example=corners(max_share=1.0) | occlusions())
def test_a_command_is_read_again_as_the_same_example(example: Occlusion) -> None:
    command = replay_command(
        "ours", DATASET, example, ReplayOptions({}, ["--tests", "my gate"])
    )
    parser = argparse.ArgumentParser()
    for option, kind in (
        ("occluder", str),
        ("level", float),
        ("seed", int),
        ("tests", str),
    ):
        parser.add_argument(f"--{option}", type=kind)
    parsed, rest = parser.parse_known_args(shlex.split(command))
    assert rest == ["python", "-m", "pytest_retrieval_robust", "rank", "ours", DATASET]
    assert (
        Occlusion(load_occluder(parsed.occluder), parsed.level, parsed.seed) == example
    )
    assert parsed.tests == "my gate"


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_every_word_survives_a_shell(text: str) -> None:
    example = Occlusion(Box(), 0.5, 0)
    assert (
        shlex.split(replay_command(text, DATASET, example, ReplayOptions({}, [])))[4]
        == text
    )


def test_a_locator_stands_for_its_model() -> None:
    options = ReplayOptions({"hf-org-name": "hf:org/name@main"}, [])
    assert " rank hf:org/name@main synthetic-cxr " in replay_command(
        "hf-org-name", "synthetic-cxr", Occlusion(Box(), 0.5, 0), options
    )


@pytest.mark.parametrize(
    "error", [ValueError("of Jane Roe"), SystemExit("of Jane Roe")]
)
def test_a_foreign_error_is_told_without_its_text(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr(
        "pytest_retrieval_robust.measure.first_ranks.FirstRanks", raises
    )
    code, out, err = rank(capsys, "--level", "0.5")
    assert code == 2
    assert f"got {type(error).__name__} at test_rank.py" in err
    assert "Roe" not in out + err

"""The suite of properties finds the models that break them, and says how to see it again."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis.vendor.pretty import pretty

from benchmarks.hostile.children import start
from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.run.commands.init import suite_folder

from ..datasets.files.trees import save, write_table

pytestmark = pytest.mark.usefixtures("one_thread")
DATASET = "synthetic-cxr(pairs=24)"
BRITTLE_MODELS = """
import pytest
from pytest_retrieval_robust.models import ModelEntry


class Brittle:
    def __init__(self, model, name):
        self._model, self.name, self._calls = model, name, 0

    def __getattr__(self, name):
        return getattr(self._model, name)

    def encode_images(self, pixels):
        return getattr(self, "_" + self.name)(self._model.encode_images(pixels), pixels)

    def encode_reports(self, texts):
        if self.name == "raising":
            raise KeyError("what a tokenizer lacks")
        rows = self._model.encode_reports(texts)
        if self.name != "padding":
            return rows
        rows = rows + 1e-4 * max(map(len, texts))  # as where a text tower averages over its padding
        return rows / rows.norm(dim=1, keepdim=True)

    def _padding(self, rows, pixels):
        return rows

    def _averaging(self, rows, pixels):
        rows = rows + 0.2 * rows.mean(dim=0)
        return rows / rows.norm(dim=1, keepdim=True)

    def _cornered(self, rows, pixels):
        corners = [pixels[..., top, left].mean(dim=(1, 2, 3)) for top in SIDES for left in SIDES]
        marked = (corners[0] > 0.3) | (corners[1] > 0.3) | (corners[2] > 0.6) | (corners[3] > 0.6)
        return rows.where(~marked[:, None], -rows)

    def _forgetful(self, rows, pixels):
        self._calls += 1
        return rows + 1e-6 * (self._calls % 2)


SIDES = (slice(0, 3), slice(-3, None))  # a cell of 32 x 32 is 3 pixels of 96


@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    def entry(name):
        def load(request):
            from pytest_retrieval_robust import load_model

            return Brittle(load_model("tiny-cxr-openclip", device=request.device), name)

        return ModelEntry(name, "breaks one property", load)

    for name in ("averaging", "cornered", "forgetful", "padding", "raising"):
        catalogues.models.add(entry(name))
"""


def run_suite(
    pytester: pytest.Pytester, folder: str, *options: str
) -> pytest.RunResult:
    target = pytester.path / folder
    target.mkdir(exist_ok=True)
    (target / "conftest.py").write_text(BRITTLE_MODELS)
    (target / "test_properties.py").write_text(
        (suite_folder() / "test_properties.py").read_text()
    )
    plain = (
        "-p",
        "no:cacheprovider",
        "-rf",
        f"--robust-datasets={DATASET}",
        "--robust-device=cpu",
    )
    return pytester.runpytest_inprocess(folder, *plain, *options)


@pytest.mark.parametrize(
    ("model", "broken"),
    [
        ("averaging", "test_an_image_does_not_depend_on_its_batch"),
        ("cornered", "test_a_hidden_corner_keeps_what_is_found"),
        ("forgetful", "test_encoding_images_twice_gives_the_same"),
        ("padding", "test_a_report_does_not_depend_on_its_batch"),
    ],
)
def test_a_brittle_model_breaks_its_property_and_no_other(
    pytester: pytest.Pytester, model: str, broken: str
) -> None:
    result = run_suite(pytester, ".", f"--robust-models={model}")
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines([f"FAILED test_properties.py::{broken}[[]{model}-*"])


def test_the_simplest_neighbour_that_matters_is_shown(
    pytester: pytest.Pytester,
) -> None:
    result = run_suite(
        pytester, ".", "--robust-models=averaging", "-k", "an_image_does_not_depend"
    )
    result.stdout.fnmatch_lines(
        [
            (
                "*Expected image 0 to be embedded alike alone and beside [[]1], got"
                " difference=0.* above 0.0001.*"
            ),
            f"*subject=averaging on {DATASET},",
            "*number=0,",
            "*neighbours=[[]1],",
            "*position=0,",
        ]
    )


def test_a_corner_that_matters_is_shown_at_its_simplest_and_its_command_gives_the_same_ranks(
    pytester: pytest.Pytester,
) -> None:
    result = run_suite(
        pytester, "gate", "--robust-models=cornered", "-k", "corner_keeps"
    )
    text = result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            (
                "*Expected 21 of the 24 images found in the top 10 to stay there, got"
                " kept=0 with share=0.0010, seed=0."
            ),
            (
                "*corner=Occlusion(occluder=Box(grid=32, fill='white', at='top-left'),"
                " level=0.0009765625, seed=0),"
            ),
        ]
    )
    # Only the lines of the failure itself: in a CI pytest's short summary repeats the
    # message in full.
    (worst,) = re.findall(
        r"^E +Worst hit, rank before -> after: (.*)\.$", text, re.MULTILINE
    )
    (command,) = re.findall(r"^E +All of them: python (.*)$", text, re.MULTILINE)
    assert (
        command == f'-m pytest_retrieval_robust rank cornered "{DATASET}" --occluder'
        ' "box(at=top-left,fill=white)" --level 0.0009765625 --seed 0 --device cpu'
        " --tests gate"
    )
    # In a fork of this process, which has imported everything.
    words = shlex.split(command)[2:]
    replayed = start(lambda: main(words), pytester.path / "printed").wait()
    assert replayed.status == 0, replayed.output
    lines = [line.strip() for line in replayed.output.splitlines()]
    title = "cornered on synthetic-cxr(pairs=24), box(at=top-left,fill=white) at level "
    assert any(line.startswith(title) for line in lines)
    assert len(worst.split(", ")) == 5
    assert set(worst.split(", ")) <= set(lines)


@pytest.mark.parametrize("model", ["padding", "raising"])
def test_a_failing_example_holds_no_id_and_no_report(
    pytester: pytest.Pytester, model: str
) -> None:
    dataset = load_dataset(DATASET)
    printed = run_suite(
        pytester, ".", f"--robust-models={model}", "-k", "report_does_not", "-vv"
    ).stdout.str()
    assert "1 failed" in printed
    assert not any(
        text[:40] in printed for text in (*dataset.image_ids, *dataset.reports)
    )


def test_an_error_of_the_model_says_where(pytester: pytest.Pytester) -> None:
    result = run_suite(
        pytester, ".", "--robust-models=raising", "-k", "report_does_not"
    )
    result.stdout.fnmatch_lines(
        [
            "*encode_reports of raising*, got KeyError at *conftest.py:* in"
            " encode_reports*"
        ]
    )
    assert "what a tokenizer lacks" not in result.stdout.str()


def test_a_data_set_of_files_prints_as_its_name(tmp_path: Path) -> None:
    save(tmp_path / "patient-7.png")
    table = write_table(
        tmp_path / "table.csv", ["image", "report"], [("patient-7.png", "A secret.")]
    )
    dataset = load_dataset("table", path=table, group=None, patient=None)
    assert {repr(dataset), pretty(dataset)} == {"<table: 1 image, 1 report>"}


def test_models_at_chance_have_no_ranks_to_keep(pytester: pytest.Pytester) -> None:
    result = run_suite(
        pytester, ".", "--robust-models=tiny-general-clip", "-k", "corner_keeps", "-rs"
    )
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*recall is not above chance with nothing hidden*"])


@pytest.mark.parametrize("occluder", ["worst(grid=2)", "salient(grid=2)"])
def test_occluders_that_a_model_guides_are_held_to_what_hiding_means(
    pytester: pytest.Pytester, occluder: str
) -> None:
    options = (
        "--robust-models=tiny-cxr-clip",
        f"--robust-occluders={occluder}",
        "-k",
        "level or hidden_pixels",
    )
    run_suite(pytester, ".", *options).assert_outcomes(passed=3)

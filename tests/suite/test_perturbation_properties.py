"""The suite of properties finds corruptions and noise that break their contract, and models
that read sides wrongly; without the options it has the tests that it always had.
"""

from __future__ import annotations

import re

import pytest

from pytest_retrieval_robust.run.commands.init import suite_folder

pytestmark = pytest.mark.usefixtures("one_thread")
CONFTEST = """
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from pytest_retrieval_robust import (
    CorruptionEntry, ImageCorruption, ModelEntry, TextNoiseEntry, load_model,
)


@dataclass(frozen=True)
class Brittle(ImageCorruption):
    family: ClassVar[str] = "brittle"
    broken: str = ""

    def changed(self, region, severity):
        if self.broken == "batch":
            return region.pixels * (1 - 0.1 * severity * len(region.ids))
        if self.broken == "falling":
            return region.pixels * (0.5 + 0.4 * severity)
        return region.pixels

    def corrupt(self, pixels, ids, severity, seed, frame, out=None):
        if self.broken == "zero":
            return pixels * 0.9
        return super().corrupt(pixels, ids, severity, seed, frame, out)


@dataclass(frozen=True)
class OfMany(Brittle):
    family: ClassVar[str] = "of-many"
    rises_by_film: ClassVar[bool] = False
    broken: str = "falling"

    def changed(self, region, severity):
        if self.broken == "falling":
            return super().changed(region, severity)
        # One film of many comes nearer to itself by all that it was changed.
        last = torch.tensor([name == region.ids[0] for name in region.ids])
        share = torch.where(last & (severity > 0.5), 0, severity)
        return region.pixels * (1 - 0.5 * share[:, None, None, None])


class Noise:
    def __init__(self, broken=""):
        self.broken, self.name = broken, f"brittle(broken={broken})"

    def apply(self, texts, severity, seed):
        if self.broken == "zero":
            return [text.lower() for text in texts]
        if severity and self.broken == "empty":
            return [" " for text in texts]
        if severity and self.broken == "others":
            return [text + str(len(texts)) for text in texts]
        return list(texts)


class Mirrored:
    def __init__(self, model, name):
        self._model, self.name = model, name

    def __getattr__(self, name):
        return getattr(self._model, name)

    def encode_images(self, pixels):
        return self._model.encode_images(pixels.flip(3))


class Blind(Mirrored):
    def encode_images(self, pixels):
        return self._model.encode_images((pixels + pixels.flip(3)) / 2)


@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    def model(kind, name):
        def load(request):
            return kind(load_model("tiny-cxr-openclip", device=request.device), name)

        return ModelEntry(name, "sees sides in its own way", load)

    catalogues.models.add(model(Mirrored, "wrong-sides"))
    catalogues.models.add(model(Blind, "no-sides"))
    parameters = {"broken": str}
    catalogues.corruptions.add(CorruptionEntry("brittle", "", parameters, Brittle))
    catalogues.corruptions.add(CorruptionEntry("of-many", "", parameters, OfMany))
    catalogues.text_noise.add(TextNoiseEntry("brittle", "", parameters, Noise))
"""
NEW = "corruption_ or noise or mirrored or severity"
BROKEN = {
    ("zero", "test_a_corruption_of_severity_0_changes_nothing"),
    ("batch", "test_a_corruption_does_not_depend_on_the_batch"),
    ("falling", "test_a_higher_severity_does_no_less_harm"),
    ("zero", "test_a_noise_of_severity_0_changes_no_report"),
    ("others", "test_a_noise_does_not_depend_on_other_reports"),
    ("empty", "test_a_noise_leaves_no_report_empty"),
}
"""(what is broken, the property that must find it)"""
OLD = 8
"""How many properties the suite has without the options, for one occluder."""


def run_suite(
    pytester: pytest.Pytester,
    *options: str,
    models: str = "tiny-cxr-openclip",
    dataset: str = "synthetic-cxr(pairs=40)",
) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    suite = suite_folder() / "test_properties.py"
    (pytester.path / "test_properties.py").write_text(suite.read_text())
    return pytester.runpytest_inprocess(
        "-p",
        "no:cacheprovider",
        "-rfs",
        "--robust-device=cpu",
        f"--robust-models={models}",
        f"--robust-datasets={dataset}",
        *options,
    )


def failed_ids(result: pytest.RunResult) -> list[str]:
    lines = [line for line in result.outlines if line.startswith("FAILED ")]
    return [line.partition("::")[2].partition(" - ")[0] for line in lines]


def test_without_corruptions_and_noise_the_suite_is_as_it_was(
    pytester: pytest.Pytester,
) -> None:
    result = run_suite(pytester, "--collect-only", "-q")
    names = [line for line in result.outlines if "::" in line]
    assert len(names) == OLD
    result.stdout.fnmatch_lines([f"{OLD} tests collected*"])


def test_each_corruption_and_noise_gets_its_properties(
    pytester: pytest.Pytester,
) -> None:
    chosen = ("--robust-corruptions=contrast,mirrored", "--robust-text-noise=case")
    run_suite(pytester, *chosen, "-k", NEW).assert_outcomes(passed=2 * 3 + 1 + 3)


def test_what_breaks_its_contract_fails_its_own_property_and_no_other(
    pytester: pytest.Pytester,
) -> None:
    changes = {part for part, _ in BROKEN}
    options = [
        f"--robust-{option}="
        + ",".join(f"brittle(broken={part})" for part in sorted(changes))
        for option in ("corruptions", "text-noise")
    ]
    result = run_suite(pytester, *options, "-k", NEW)
    broken = {tuple(re.split(r"[\[\]]", name)[:2]) for name in failed_ids(result)}
    names = {(test, case.partition("broken")[2].strip("-=")) for test, case in broken}
    assert names == {(test, part) for part, test in BROKEN}
    assert "FINDINGS" not in result.stdout.str()


HARM = "test_a_higher_severity_does_no_less_harm"


def test_a_corruption_that_may_bring_single_films_nearer_is_judged_by_the_mean(
    pytester: pytest.Pytester,
) -> None:
    chosen = (
        "of-many(broken=falling)",
        "of-many(broken=one)",
        "pixelation(preset=robustmedclip)",
        "crop",
    )
    result = run_suite(pytester, f"--robust-corruptions={','.join(chosen)}", "-k", HARM)
    result.assert_outcomes(passed=3, failed=1)
    assert "broken-falling" in failed_ids(result)[0]
    result.stdout.fnmatch_lines(["*smaller mean distance of 16 images to the clean*"])


def test_a_mean_is_not_taken_of_a_few_films(pytester: pytest.Pytester) -> None:
    result = run_suite(
        pytester,
        "--robust-corruptions=crop,contrast",
        "-k",
        HARM,
        dataset="synthetic-cxr(pairs=7)",
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*has 7 images: at least 8 are needed for a mean*"])


def test_a_model_that_sees_the_wrong_sides_is_found_and_one_that_sees_none_is_not(
    pytester: pytest.Pytester,
) -> None:
    result = run_suite(
        pytester,
        "--robust-corruptions=mirrored",
        "-k",
        "mirrored_film",
        models="tiny-cxr-openclip,no-sides,wrong-sides",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["*Expected mirrored images to prefer the report with the other side*"]
    )
    assert "wrong-sides" in failed_ids(result)[0]


def test_a_data_set_without_edits_of_sides_is_skipped_with_a_reason(
    pytester: pytest.Pytester,
) -> None:
    result = run_suite(
        pytester,
        "--robust-corruptions=mirrored",
        "-k",
        "mirrored_film",
        dataset="synthetic-scenes",
    )
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*has no edits of its reports*"])

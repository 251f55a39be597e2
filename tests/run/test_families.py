"""Corruptions and text noise in runs of pytest: which tests there are, and what is refused."""

from __future__ import annotations

import pytest

from .encode.suites import OPTIONS, Suite

pytestmark = pytest.mark.usefixtures("one_thread")
OTHERS = tuple(
    option
    for option in OPTIONS
    if not option.startswith(("--robust-occluders", "--robust-levels"))
)
FAMILIES = (
    "--robust-levels=0.2",
    "--robust-corruptions=contrast",
    "--robust-text-noise=case",
    "--robust-severities=0.6",
    "--robust-no-cache",
)
TESTS = """
def test_recall(outcome, clean_outcome):
    assert outcome.case.family == clean_outcome.case.family
    assert clean_outcome.case.level == 0

def test_curve(robustness_curve):
    family = robustness_curve.family
    level = 0.2 if family == "occlusion" else 0.6
    assert robustness_curve.levels == (0, level)
"""
RECALL = [
    "test_recall[free-synthetic-cxr-pairs24-patches-level0.00-seed0]",
    "test_recall[free-synthetic-cxr-pairs24-patches-level0.20-seed0]",
    "test_recall[free-synthetic-cxr-pairs24-contrast-severity0.00-seed0]",
    "test_recall[free-synthetic-cxr-pairs24-contrast-severity0.60-seed0]",
    "test_recall[free-synthetic-cxr-pairs24-case-severity0.00-seed0]",
    "test_recall[free-synthetic-cxr-pairs24-case-severity0.60-seed0]",
]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    suite = Suite(pytester.path, OTHERS)
    suite.write()
    (pytester.path / "test_mine.py").write_text(TESTS)
    return suite


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*OTHERS, *options)


def collected(pytester: pytest.Pytester, *options: str) -> list[str]:
    """The ids of the tests, without their file."""
    result = run(pytester, "--collect-only", "-q", *options)
    return [line.partition("::")[2] for line in result.outlines if "::" in line]


@pytest.mark.usefixtures("suite")
def test_each_family_is_tested_at_its_own_levels(pytester: pytest.Pytester) -> None:
    ids = collected(pytester, *FAMILIES)
    assert sorted(name for name in ids if "recall" in name) == sorted(RECALL)
    assert len([name for name in ids if "curve" in name]) == 3
    assert collected(pytester, *FAMILIES, "-k", "contrast and recall") == RECALL[2:4]
    run(pytester, *FAMILIES).assert_outcomes(passed=9)


@pytest.mark.usefixtures("suite")
def test_none_leaves_occlusions_out(pytester: pytest.Pytester) -> None:
    ids = collected(pytester, *FAMILIES, "--robust-occluders=none")
    assert sorted(name for name in ids if "recall" in name) == sorted(RECALL[2:])


@pytest.mark.usefixtures("suite")
def test_workers_measure_the_same(pytester: pytest.Pytester) -> None:
    for name, workers in (("alone", ()), ("shared", ("-n", "2"))):
        result = pytester.runpytest_subprocess(
            *OTHERS, *FAMILIES, *workers, f"--robust-results={name}"
        )
        result.assert_outcomes(passed=9)
    folder = pytester.path
    alone = (folder / "alone" / "ranks.npz").read_bytes()
    assert (folder / "shared" / "ranks.npz").read_bytes() == alone


@pytest.mark.usefixtures("suite")
def test_noise_of_reports_is_not_timed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="def test_time(occlusion_timer): occlusion_timer(4, 1)"
    )
    names = collected(pytester, *FAMILIES)
    assert len(names) == 4
    assert not any("-case-" in name for name in names)
    run(pytester, *FAMILIES).assert_outcomes(passed=4)


@pytest.mark.usefixtures("suite")
def test_a_test_of_masks_is_given_occluders_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        def test_masks(retrieval_model, occluder):
            assert occluder.mask

        def test_pixels(corruption):
            assert corruption.corrupt

        def test_words(text_noise):
            assert text_noise.apply(["Clear."], 1, 0) == ["CLEAR."]
        """
    )
    run(pytester, *FAMILIES).assert_outcomes(passed=3)
    # Without any there is no test of them, not even a skipped one.
    run(pytester, "--robust-no-cache").assert_outcomes(passed=1)


@pytest.mark.usefixtures("suite")
def test_a_mark_of_ones_own_may_name_a_corruption(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.parametrize(
            ("occluder", "occlusion_level"),
            [("contrast", 0.6), ("patches", 0.2)],
            indirect=True,
        )
        def test_mine(occluder, outcome):
            assert (outcome.case.family == "occlusion") == (occluder.name == "patches")
        """
    )
    run(pytester, *FAMILIES).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--robust-corruptions=contrst", "Did you mean 'contrast'"),
        ("--robust-text-noise=cases", "Did you mean 'case'"),
        (
            "--robust-occluders=contrast",
            "names a corruption. Name it with --robust-corr",
        ),
        (
            "--robust-corruptions=case",
            "names a text noise. Name it with --robust-text-no",
        ),
        (
            "--robust-text-noise=patches",
            "names an occluder. Name it with --robust-occl",
        ),
        ("--robust-corruptions=contrast(x=1)", "parameter of contrast"),
        ("--robust-severities=60", "Did you mean 0.6?"),
        ("--robust-severities=-0.2", "severities from 0 to 1"),
        ("--robust-severities=high", "severities from 0 to 1"),
        ("--robust-occluders=none,patches", "Expected none alone"),
    ],
)
@pytest.mark.usefixtures("suite")
def test_what_is_typed_wrong_is_refused(
    pytester: pytest.Pytester, option: str, words: str
) -> None:
    result = run(pytester, "--collect-only", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in " ".join([*result.errlines, *result.outlines])

"""Corruptions and text noise in runs of pytest: which tests there are, and what is refused."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from .encode.suites import OPTIONS, Suite

pytestmark = pytest.mark.usefixtures("one_thread")
OTHERS = tuple(
    option
    for option in OPTIONS
    if not option.startswith(("--robust-occluders", "--robust-levels"))
)
SUITES = Path(__file__).parents[2] / "suites"
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
def test_none_leaves_out_tests_that_are_for_occluders_alone(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_mine="""
        def test_masks(retrieval_model, occluder, occlusion_level):
            raise AssertionError

        def test_time(occlusion_timer):
            raise AssertionError

        def test_recall(outcome):
            assert outcome.case.family == "text-noise"
        """
    )
    options = ("--robust-occluders=none", "--robust-text-noise=case")
    severities = ("--robust-no-cache", "--robust-severities=0.6")
    run(pytester, *options, *severities).assert_outcomes(passed=2)


@pytest.mark.usefixtures("suite")
def test_none_with_nothing_else_to_measure_is_one_error(
    pytester: pytest.Pytester,
) -> None:
    result = run(pytester, "--robust-occluders=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if "--robust-occluders=none" in line]
    assert "Expected something to measure" in line
    # Edited reports need no occluder; here no test is about them.
    options = ("--robust-occluders=none", "--robust-counterfactuals")
    assert collected(pytester, *options) == []


def test_the_shipped_suites_take_none(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(
        str(SUITES),
        "--robust-models=tiny-cxr-clip",
        "--robust-datasets=synthetic-cxr(pairs=24)",
        "--robust-occluders=none",
        "--robust-corruptions=jpeg",
        "--robust-severities=1",
        "--collect-only",
        "-q",
    )
    assert result.ret == pytest.ExitCode.OK
    ids = [line for line in result.outlines if "::" in line]
    assert any("test_recall[" in name and "-jpeg-severity1.00-" in name for name in ids)
    assert not any("hidden_pixels" in name for name in ids)


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.usefixtures("suite")
def test_workers_measure_the_same(pytester: pytest.Pytester) -> None:
    for name, workers in (("alone", ()), ("shared", ("-n", "2"))):
        result = pytester.runpytest_inprocess(
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


@pytest.mark.usefixtures("suite")
def test_names_of_a_mark_are_measured_at_the_levels_of_their_family(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.parametrize("occluder", ["contrast"], indirect=True)
        def test_corrupted(outcome):
            assert outcome.case.level in (0, 0.6)

        @pytest.mark.parametrize(
            "occluder", [pytest.param("case", id="mine")], indirect=True
        )
        def test_noised(outcome):
            assert outcome.case.family == "text-noise"

        @pytest.mark.parametrize(["occluder"], [("patches",)], indirect=True)
        def test_hidden(outcome):
            assert outcome.case.level in (0, 0.2)
        """
    )
    ids = collected(pytester, *FAMILIES)
    for test, word, level in (
        ("test_corrupted", "severity", "0.60"),
        ("test_noised", "severity", "0.60"),
        ("test_hidden", "level", "0.20"),
    ):
        own = [name for name in ids if name.startswith(test)]
        assert len(own) == 2
        assert sum(f"{word}{level}" in name for name in own) == 1
    run(pytester, *FAMILIES).assert_outcomes(passed=6)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (
            """
            @pytest.mark.parametrize(
                "occluder", ["patches", "contrast"], indirect=True
            )
            def test_mine(outcome): pass
            """,
            "names of one family, got patches, contrast (occlusion, corruption)",
        ),
        (
            """
            @pytest.mark.parametrize("occluder", iter(["contrast"]), indirect=True)
            def test_mine(outcome): pass
            """,
            "gives occluder a list of names, got a list_iterator",
        ),
        (
            "def test_mine(corruption, outcome): pass",
            "Expected the fixture occluder beside outcome, got corruption in",
        ),
        (
            "def test_mine(text_noise, robustness_curve): pass",
            "Expected the fixture occluder beside robustness_curve, got text_noise in",
        ),
    ],
    ids=["two families", "iterator", "corruption", "text noise"],
)
@pytest.mark.usefixtures("suite")
def test_a_test_that_would_measure_something_else_is_refused(
    pytester: pytest.Pytester, test: str, words: str
) -> None:
    pytester.makepyfile(test_mine=f"import pytest\n{dedent(test)}")
    result = run(pytester, *FAMILIES)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in " ".join(result.errlines)


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
        ("--robust-severities=3", "Did you mean 0.6, the published step 3?"),
        ("--robust-severities=2.5", "Give fractions such as 0,0.2,0.6,1."),
        ("--robust-levels=3", "Did you mean 0.3 or 0.03?"),
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

"""What `make mutants` mutates and counts, without its tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutants.areas import AREAS, TESTS, area_of, file_of
from benchmarks.mutants.results import Row, nothing_left, rows_of, survivors, table
from pytest_retrieval_robust.core.toml_text import parsed_toml

ROOT = Path(__file__).parents[1]
STATUSES = {
    "pytest_retrieval_robust.gate.judge.xǁJudgeǁcell__mutmut_1": "killed",
    "pytest_retrieval_robust.gate.judge.xǁJudgeǁcell__mutmut_2": "survived",
    "pytest_retrieval_robust.gate.judge.xǁJudgeǁcell__mutmut_3": "no tests",
    "pytest_retrieval_robust.gate.judge.xǁJudgeǁcell__mutmut_4": None,
    "pytest_retrieval_robust.retrieval.ranking.x_ranks_of__mutmut_1": "timeout",
}


def test_the_area_of_a_mutant_is_that_of_its_module() -> None:
    areas = {area_of(mutant) for mutant in STATUSES}
    assert areas == {"judging", "ranks"}


def test_a_mutant_of_another_module_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"mutant='.*plugin\.x_main__mutmut_1'"):
        area_of("pytest_retrieval_robust.run.plugin.x_main__mutmut_1")


def test_the_settings_list_the_modules_of_all_areas() -> None:
    settings = parsed_toml((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    modules = [module for modules in AREAS.values() for module in modules]
    assert settings["tool"]["mutmut"]["only_mutate"] == list(map(file_of, modules))


def test_each_area_has_modules_and_tests_that_exist() -> None:
    assert AREAS.keys() == TESTS.keys()
    files = [file_of(module) for modules in AREAS.values() for module in modules]
    tests = [test for tests in TESTS.values() for test in tests]
    assert [path for path in [*files, *tests] if not (ROOT / path).exists()] == []


def test_what_hangs_counts_as_noticed_and_what_no_test_calls_does_not() -> None:
    judging, ranks = rows_of(STATUSES)
    assert (judging.made, judging.tried, judging.killed) == (4, 3, 1)
    assert (ranks.made, ranks.tried, ranks.killed) == (1, 1, 1)
    assert [mutant[-1] for mutant in survivors(STATUSES)] == ["2", "3"]


def test_where_nothing_is_left_to_try_it_says_how_to_try_more() -> None:
    sentence = nothing_left(["ranks", "judging"])
    assert "of ranks, judging, got none" in sentence
    assert "--sample" in sentence
    assert "--again" in sentence


def test_a_share_of_a_sample_has_its_interval() -> None:
    # Wilson's interval of 9 of 10, from R's prop.test(9, 10, correct = FALSE).
    row = Row("judging", 20, {"killed": 9, "survived": 1})
    assert "| judging | 20 | 10 | 9 | 1 | 90 % (60 to 98) |" in table([row])


def test_a_share_of_all_mutants_has_none() -> None:
    row = Row("judging", 10, {"killed": 9, "survived": 1})
    assert "| judging | 10 | 10 | 9 | 1 | 90 % |" in table([row])

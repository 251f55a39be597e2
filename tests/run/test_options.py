"""What a user types: parsed strictly, refused with a hint, exit code 4."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.names import call_name, parse_call, slug, split_list
from pytest_retrieval_robust.run.robust_toml import find_upward
from pytest_retrieval_robust.run.typed_values import parse_levels

from ..conftest import Run
from ..forked_runs import forked_pytest

words = st.text("abcxyz0189.-_=", min_size=1, max_size=8)
items = st.builds(
    lambda name, inner: f"{name}({','.join(inner)})" if inner else name,
    words,
    st.lists(words),
)


@given(st.lists(items, min_size=1))
def test_splitting_a_list_undoes_joining_it(parts: list[str]) -> None:
    assert split_list("--x", ",".join(parts)) == parts


@pytest.mark.parametrize(
    "text", ["a,,b", "a(", "a)b(", ",", "a(b=1", "patches(grid=14)),x"]
)
def test_a_malformed_list_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="matching parentheses"):
        split_list("--robust-occluders", text)


@pytest.mark.parametrize(
    "text", ["patches(grid)", "patches(grid=)", "patches(=1)", "(a=1)", "a(b=1)c"]
)
def test_a_malformed_call_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="got item="):
        parse_call(text)


@dataclass(frozen=True)
class Choices:
    width: float = 1.0
    fill: str = "black"


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("abcxyz0189.-_", min_size=1),
)
def test_calling_a_name_undoes_parsing_it(width: float, fill: str) -> None:
    name, texts = parse_call(call_name("x", Choices(width, fill)))
    assert (
        name,
        Choices(float(texts.get("width", 1)), texts.get("fill", "black")),
    ) == ("x", Choices(width, fill))


def test_a_name_leaves_defaults_out_and_sorts_the_rest() -> None:
    assert call_name("x", Choices(1)) == "x"
    assert call_name("x", Choices(2, "mean")) == "x(fill=mean,width=2)"
    assert call_name("x", Choices(2, "mean"), width="two") == "x(fill=mean,width=two)"


def test_levels_are_compared_as_decimals_and_zero_is_always_there() -> None:
    assert parse_levels("--x", "0.3,0.30,.3,0.1") == (0.0, 0.1, 0.3)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30", "Did you mean 0.3?"),
        ("0,3", "Did you mean 0.3 or 0.03?"),
        ("-0.1", "fractions"),
        ("nan", "fractions"),
    ],
)
def test_a_level_outside_0_to_1_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1") as caught:
        parse_levels("--robust-levels", text)
    assert hint in str(caught.value)


@given(st.text())
def test_a_slug_never_holds_a_separator(name: str) -> None:
    assert not set(slug(name)) & set("/\\:[]() ,=@")


def test_slugs_read_well() -> None:
    assert slug("patches(fill=mean,grid=14)") == "patches-fillmean-grid14"
    assert (
        slug("hf-openai/clip-vit-base-patch32@main")
        == "hf-openai-clip-vit-base-patch32-main"
    )


def test_the_nearest_robust_toml_above_the_arguments_is_used(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "robust.toml").touch()
    assert find_upward(["a/b"], tmp_path, tmp_path) == tmp_path / "robust.toml"
    (tmp_path / "a/robust.toml").touch()
    assert find_upward(["a/b", "a"], tmp_path, tmp_path) == tmp_path / "a/robust.toml"
    assert (
        find_upward(["."], tmp_path / "a", tmp_path / "a/b")
        == tmp_path / "a/robust.toml"
    )


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--robust-models=tiny-cxr-clop", "Did you mean 'tiny-cxr-clip'?"),
        ("--robust-models=tiny-*,nothing-*", "got model='nothing-[*]'"),
        ("--robust-models=hf:", "Expected hf:ORG/NAME"),
        ("--robust-models=open_clip:ViT-B-32", "Expected open_clip:ARCH/TAG"),
        ("--robust-datasets=synthetic-cxt", "Did you mean 'synthetic-cxr'?"),
        ("--robust-datasets=synthetic-cxr(prevalance=1)", "Did you mean 'prevalence'"),
        (
            "--robust-datasets=synthetic-cxr(prevalence=much)",
            "to be of type float, got prevalence='much'",
        ),
        (
            "--robust-datasets=synthetic-cxr(prevalence=65)",
            "from 0 to 1, or None, got prevalence=65.0",
        ),
        (
            "--robust-datasets=synthetic-cxr(relevance=same-lables)",
            "Did you mean 'same-labels'?",
        ),
        ("--robust-datasets=synthetic-cxr(size=224x)", "such as 224 or 320x256"),
        ("--robust-datasets=synthetic-cxr(pairs=3", "matching parentheses"),
        ("--robust-occluders=patch", "Did you mean 'patches'?"),
        ("--robust-occluders=patches(gird=14)", "Did you mean 'grid'?"),
        ("--robust-occluders=patches(grid=many)", "to be of type int, got grid='many'"),
        ("--robust-occluders=patches(grid=0)", "grid=0"),
        ("--robust-occluders=patches(fill=blck)", "black"),
        ("--robust-occluders=patches(fill=mean", "matching parentheses"),
        ("--robust-levels=1.5", "Expected fractions of the image area from 0 to 1"),
        ("--robust-seeds=-1", "Expected whole numbers"),
        ("--robust-k=0", "Expected whole numbers from 1"),
        ("--robust-k=1,,5", "matching parentheses"),
        ("--robust-device=gpu", "Expected auto, cpu, cuda"),
        ("--robust-precision=int8", "Expected fp32, bf16 or fp16"),
        ("--robust-decode=gpu", "Expected host or device"),
        ("--robust-batch-size=0", "Expected whole numbers from 1"),
        ("--robust-limit=none", "Expected whole numbers from 1"),
        ("--robust-config=missing.toml", "Expected a readable TOML file"),
    ],
)
def test_a_wrong_option_is_exit_4_and_says_what_is_close(
    run_suite: Run, option: str, said: str
) -> None:
    result = run_suite(option)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: *{said}*"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[gate]]\nlevel = = 3", "*line 2*"),
        (
            "[[gate]]\nrecall = { 1 = 0.5 }\n\n[[gate]]\nrecal = { 1 = 0.5 }",
            "*robust.toml, line 5*Did you mean 'recall'*",
        ),
        ("[[gate]]\nrecall = { 1 = 1.5 }", "*line 2*floors from 0 to 1*"),
        ("[[gate]]\nrecall = { 1 = nan }", "*line 2*floors from 0 to 1*"),
        ("[[gate]]\nlevel = 30", "*line 2*fraction of the image area*"),
        ("[gate]\nlevel = 0.3", "*got [[]gate]. A gate begins with two brackets*"),
        (
            '[datasets.ours]\nloader = "tabel"',
            "*got data_set='tabel'. Did you mean 'table'?",
        ),
        ("[[gate]]\nrelative_cost = -1", "*line 2*above 0*"),
        (
            "[[gate]]\ndirection = 'sideways'",
            "*line 2*image-to-report or report-to-image*",
        ),
        ("[[gate]]\ncost_relative_to = 'clip'", "*line 2*model = *max = *"),
        ("[[gate]]\nmodel = 3", "*line 2*a name or glob*"),
        ("[gates]\n", "*line 1*Did you mean 'gate'*"),
        ("[gate]\nlevel = 0.3", "*line 1*[[][[]gate]]*"),
        ("[[gate]]\nrecall = { 7 = 0.5 }", "*line 1*k=7*--robust-k*"),
        (
            "[[gate]]\nrecall = { 1 = 0.5 }\n[[gate]]\nrecall = { 1 = 0.6 }",
            "*line 3*equally specific*line 1*",
        ),
        (
            "[models.mine]\nloader = 'transfomers'\ncheckpoint = 'x'\n",
            "*line 2*Did you mean 'transformers'*",
        ),
        ("[models.mine]\nrequired = true\n", "*line 1*expected checkpoint*"),
        (
            "[models.tiny-cxr-clip]\ncheckpoint = 'x'\n",
            "*which the catalogue has already. Choose another name*",
        ),
        ("[models.mine]\nheights = 'x'\n", "*line 2*heights*"),
    ],
)
def test_a_wrong_robust_toml_is_exit_4_with_its_line(
    run_suite: Run, pytester: pytest.Pytester, text: str, said: str
) -> None:
    pytester.makefile(".toml", robust=text)
    result = run_suite()
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


def test_the_command_line_wins_over_the_ini_file(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nrobust_levels = 0.7\nrobust_k = 2\n")
    result = bare_suite()
    result.stdout.fnmatch_lines(["*Recall@2 in %", "*   0    0.3*"])


def test_ini_values_are_used(pytester: pytest.Pytester, run_suite: Run) -> None:
    pytester.makeini(
        "[pytest]\nrobust_occluders = patches(fill=mean)\nrobust_seeds = 0,1\n"
    )
    result = run_suite()
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        ["synthetic-cxr, patches(fill=mean): *", "tiny-cxr-clip seed1*"]
    )


@pytest.mark.parametrize(
    "arguments",
    [("suites/", "--models", "tiny-*"), ("--models", "tiny-*", "suites/"), ()],
)
def test_the_short_aliases_work_in_every_word_order(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    root = Path(__file__).parents[2]
    pytester.makefile(".py", conftest=(root / "conftest.py").read_text())
    pytester.makefile(".ini", pytest="[pytest]\ntestpaths = suites\n")
    pytester.mkdir("suites").joinpath("test_mine.py").write_text(
        "def test_recall(outcome): pass\n"
    )
    typed = arguments or ("--models", "tiny-*")
    # Not in this process: the project's conftest chooses a profile of Hypothesis.
    result = forked_pytest(
        pytester.path, *typed, "--levels", "0.3", "--collect-only", "-q"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "suites/test_mine.py::test_recall[[]tiny-cxr-clip-synthetic-cxr-patches-level0.30-*"
        ]
    )


def test_an_alias_that_is_taken_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "from pytest_retrieval_robust.run.options import add_short_aliases\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--models', help='ours')\n"
        "    add_short_aliases(parser)\n"
    )
    pytester.makepyfile(
        "def test_it(request): assert request.config.getoption('--models') == 'mine'"
    )
    assert pytester.runpytest_inprocess("--models=mine").ret == 0


@pytest.mark.parametrize(
    "text", [f"a = {'[' * 5000}", f"a = {'1' * 5000}"], ids=["deep", "long"]
)
def test_a_policy_that_python_cannot_read_is_a_sentence(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "robust.toml").write_text(text)
    with pytest.raises(ConfigError, match="Expected TOML in .*, got "):
        read_config_file(tmp_path / "robust.toml")


def test_a_policy_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "robust.toml")
    with pytest.raises(ConfigError, match="a FIFO where a file is expected"):
        read_config_file(tmp_path / "robust.toml")


@pytest.mark.parametrize("option", ["--robust-baseline", "--robust-report"])
def test_a_value_that_the_shell_left_empty_is_refused(
    run_suite: Run, option: str
) -> None:
    """`--robust-baseline=$UNSET` would skip the gates that compare with it."""
    result = run_suite(f"{option}=")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*Expected a value after {option}, got {option}=''.*"]
    )


def test_an_empty_list_takes_back_what_the_ini_file_lists(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    pytester.makeini("[pytest]\nrobust_corruptions = jpeg\n")
    result = run_suite("--robust-corruptions=", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*jpeg*")


def test_a_folder_in_place_of_the_policy_is_named_as_one(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    pytester.mkdir("gate")
    result = run_suite("--robust-config=gate")
    result.stderr.fnmatch_lines(["*--robust-config='gate', which is a folder.*"])

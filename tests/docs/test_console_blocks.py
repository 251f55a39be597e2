"""Every command of a console block is run, or its words are checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.run import typed_values

from .commands import of_this_package, typed
from .conftest import SMALL, Project
from .pages import PAGES, ROOT, Block, blocks

Words = list[str]
REPLAY = "--robust-replay"


def program(words: Words) -> str:
    """What runs a command: the key of `CHECKS`."""
    if of_this_package(words) is not None:
        return "pytest_retrieval_robust"
    if words[:2] == ["python", "-m"]:
        return words[2].partition(".")[0]
    return words[0]


def check_pip(words: Words) -> str:
    """Only packages that pyproject.toml knows, with extras that it has."""
    settings = (ROOT / "pyproject.toml").read_text()
    assert words[1] == "install"
    for word in words[2:]:
        if word.startswith(("-", "$")):
            assert word in ("--index-url", "$PYTORCH_CPU_INDEX")
            continue
        requirement = Requirement(word)
        assert re.search(rf'^(name = |  )"{requirement.name}\b', settings, re.M)
        assert all(f"\n{extra} = [" in settings for extra in requirement.extras)
    return ""


def check_make(words: Words) -> str:
    """Targets of the Makefile, and variables that it reads."""
    makefile = (ROOT / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.M)
    settings = [f"{name}=" for name in re.findall(r"^(\w+) \?=", makefile, re.M)]
    for word in words[1:]:
        assert word in targets.split() or word.startswith(tuple(settings))
    return ""


def check_module(words: Words) -> str:
    """A module of this repository whose source has the options."""
    spec = find_spec(words[2])
    assert spec is not None
    assert spec.origin is not None
    origin = Path(spec.origin)
    files = [origin]
    if origin.name == "__init__.py":
        files = sorted(origin.parent.glob("*.py"))
    source = "".join(file.read_text() for file in files)
    assert [flag for flag in words if flag[:2] == "--" and flag not in source] == []
    return ""


CHECKS: Mapping[str, Callable[[Words], str] | None] = {
    "pip": check_pip,
    "make": check_make,
    "training": check_module,
    "benchmarks": check_module,
    "pytest": None,
    "pytest_retrieval_robust": None,
}
"""By program; None: the command is run in the project."""


def shown(*programs: str) -> list[object]:
    """The commands of these programs on all pages."""
    shown_blocks = [block for page in PAGES for block in blocks(page, "console")]
    parameters: list[object] = []
    for block in shown_blocks:
        for number, words in enumerate(typed(block.text)):
            if program(words) in programs:
                case = f"{block.place} {number} {words[0]}"
                parameters.append(pytest.param(words, id=case))
    return parameters


def is_checked(block: Block) -> bool:
    """Whether every command has a check; output has one of its own."""
    found = list(typed(block.text))
    return bool(found) and all(program(words) in CHECKS for words in found)


def place_of(words: Words, project: Project) -> Path:
    """Where a command is typed: in the project if it names `gate/`, else beside the tests."""
    if any(word.startswith("gate") for word in words):
        return project.folder
    return project.suite


@pytest.mark.parametrize("words", shown("pip", "make", "training", "benchmarks"))
def test_a_command_of_another_program_exists(words: Words) -> None:
    check = CHECKS[program(words)]
    assert check is not None
    check(words)


@pytest.mark.parametrize("words", shown("pytest"))
def test_a_command_of_pytest_runs(
    words: Words,
    project: Project,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Up to measuring; a saved run is judged again in whole."""
    # Nothing of Ray is imported before that, so that it need not be here.
    monkeypatch.setattr(typed_values, "find_spec", lambda name: name)
    monkeypatch.chdir(place_of(words, project))
    options = ["-p", "no:cacheprovider"]
    if not any(word.startswith(REPLAY) for word in words):
        options += ["--collect-only", "-q"]
    result = pytester.runpytest_inprocess(*words[1:], *options)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    for name in names_of_models(words):
        assert name in result.stdout.str()


def names_of_models(words: Words) -> list[str]:
    """The models that a command names, as test ids write them: a folder by its last part."""
    if "--robust-models" not in words:
        return []
    items = words[words.index("--robust-models") + 1].split(",")
    shown = [re.sub(r"^local-dir:.*/", "local-dir:", item) for item in items]
    return [re.sub(r"[^A-Za-z0-9_.*]+", "-", item).partition("*")[0] for item in shown]


@pytest.mark.usefixtures("modules_forgotten")
@pytest.mark.parametrize("words", shown("pytest_retrieval_robust"))
def test_a_command_of_this_package_succeeds(
    words: Words,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place_of(words, project))
    arguments = of_this_package(words)
    assert arguments is not None
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    if arguments[0] == "rank":
        (output,) = [
            block.text
            for block in blocks("docs/strategies.md", "text")
            if block.text.startswith(f"{arguments[1]} on {arguments[2]}")
        ]
        assert printed == output


def test_the_shared_run_measured_what_the_pages_tests_ask_for(project: Project) -> None:
    assert project.printed.count("6 passed") == 2, project.printed
    assert "RELEASE GATE: PASSED (2 gates met, 1 gate without a base" in project.printed
    assert "RELEASE GATE: PASSED (3 gates met)" in project.printed
    assert project.printed.count("smallest hidden area that pushes the report out") == 2


def test_a_model_of_the_readmes_conftest_is_measured(
    project: Project, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    options = ("--robust-measure-only", "--robust-no-cache", "-p", "no:cacheprovider")
    result = pytester.runpytest_inprocess(
        "gate/test_recall.py", "--robust-models=ours", *SMALL, *options
    )
    result.stdout.fnmatch_lines(["ours *", "MEASURED ONLY*"])
    assert result.ret == 0


def test_a_data_set_of_the_pages_conftest_is_collected(
    project: Project, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    options = ("--robust-models=ours", "--robust-datasets=ours", "--robust-levels=0.3")
    quiet = ("--robust-measure-only", "--robust-no-cache", "-p", "no:cacheprovider")
    result = pytester.runpytest_inprocess("gate/test_recall.py", *options, *quiet)
    result.stdout.fnmatch_lines(["12 queries, gallery 12,*", "MEASURED ONLY*"])
    assert result.ret == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ["pip", "install", "pytest-retrieval-robust[nothing]"],
        ["make", "nothing"],
        ["python", "-m", "benchmarks.hostile", "--nothing"],
    ],
    ids=lambda words: words[0],
)
def test_a_wrong_command_is_found(wrong: Words) -> None:
    check = CHECKS[program(wrong)]
    assert check is not None
    with pytest.raises(AssertionError):
        check(wrong)

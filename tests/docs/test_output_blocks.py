"""Output that a page shows, and files that belong to other programs, are as they are shown."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Mapping

import pytest

from pytest_retrieval_robust import __version__
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.gate.attempts import AttemptRecord, TriedRole
from pytest_retrieval_robust.reports.terminal.family_tables import HEADS, LEGEND
from pytest_retrieval_robust.reports.terminal.lines import sentence_lines
from pytest_retrieval_robust.strategies import Box, Occlusion
from training.figures import LEVELS, read_figures
from training.recipes import RECIPES

from .commands import of_this_package, typed, unknown_options
from .pages import ROOT, Block, block

SAMPLES = (("README.md", "console", 1), ("docs/reports.md", "text", 0))
"""Made by training.readme_page."""


def check_pins(shown: Block) -> None:
    """Versions that were tested."""
    tested = (ROOT / "constraints.txt").read_text().splitlines()
    known = (*tested, f"pytest-retrieval-robust=={__version__}")
    assert [pin for pin in shown.text.split() if pin not in known] == []


def check_owners(shown: Block) -> None:
    """A CODEOWNERS file: a folder and a team per line."""
    comment, *lines = shown.text.splitlines()
    assert comment.startswith("# .github/CODEOWNERS")
    assert all(re.fullmatch(r"/[\w.]+/ +@ORG/[\w-]+", line) for line in lines)


def check_example(shown: Block) -> None:
    """A representation that gives the same example again."""
    text = shown.text.strip().removeprefix("occlusion=")
    made = eval(text, {"Occlusion": Occlusion, "Box": Box})
    assert repr(made) == text
    assert made.share > 0.1


def check_sample(shown: Block) -> None:
    """The summary of a run that passed: levels, recorded recalls, and the verdict."""
    lines = shown.text.strip().splitlines()
    assert lines[-1].startswith("RELEASE GATE: PASSED (")
    assert max(map(len, lines[:-1])) <= 80
    levels = " +".join(f"{level:g}" for level in LEVELS)
    assert re.search(rf"^ +{levels} +kept +half$", shown.text, re.MULTILINE)
    models = [name for name in RECIPES if f"\n{name}" in shown.text]
    assert models
    for model in models:
        recorded = read_figures(model)[0].recall("synthetic-cxr", 10)
        assert shown_recalls(shown.text, model) == [
            f"{100 * value:.1f}" for value in recorded
        ]


def shown_recalls(sample: str, model: str) -> list[str]:
    """The numbers of a model's row, whose name may stand on a line of its own."""
    numbers = rf"(?:[\d.]+[~!? ] *){{{len(LEVELS)}}}"
    rows = re.findall(rf"^{re.escape(model)}\n? +({numbers})", sample, re.MULTILINE)
    return re.findall(r"[\d.]+", rows[0])


def check_cluster(shown: Block) -> None:
    """Commands that a cluster runs, or that encode for long: options and scripts exist."""
    assert unknown_options(shown.text.replace("$ ", "")) == []
    scripts = re.findall(r"[\w-]+\.(?:sh|py)\b", shown.text)
    missing = [name for name in scripts if not (ROOT / "docs/cluster" / name).exists()]
    assert missing == []


def check_ranks(shown: Block) -> None:
    """`test_console_blocks` runs the command that prints it."""
    assert " on synthetic-cxr, " in shown.text


def check_families(shown: Block) -> None:
    """Heads and legend are those of the summary, and each mean is among its numbers."""
    lines = shown.text.strip().splitlines()
    assert [line for line in lines if line.endswith("fails")] == [HEADS, HEADS]
    assert lines[-len(LEGEND) :] == list(LEGEND)
    for line in lines:
        if line.startswith("  "):
            numbers = [
                float(number) for number in line.split()[1:4] if number[0].isdigit()
            ]
            assert not numbers or numbers[2] <= numbers[1] <= 100


def check_attempts(shown: Block) -> None:
    """The sentences of a fourth attempt with the weights of the second."""
    tried = TriedRole(Role.BASELINE, 4, error=0.05, spent=None)
    attempt = AttemptRecord((tried,), 2, True, "", "")
    sentences = [f"{sentence}." for sentence in attempt.sentences]
    lines = sentence_lines("attempts:", sentences)
    said = ["".join(span.text for span in line) for line in lines]
    assert shown.text.strip().splitlines() == said


def check_plan(shown: Block) -> None:
    """A part of what the command above it prints."""
    (words,) = typed(block("docs/planning.md", "console", 0).text)
    arguments = of_this_package(words)
    assert arguments is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(arguments) == 0
    assert f"\n{shown.text}" in printed.getvalue()


CHECKS: Mapping[tuple[str, str, int], Callable[[Block], None]] = {
    SAMPLES[0]: check_sample,
    SAMPLES[1]: check_sample,
    ("docs/reports.md", "text", 1): check_families,
    ("docs/ci.md", "text", 0): check_pins,
    ("docs/ci.md", "text", 1): check_owners,
    ("docs/cluster.md", "text", 0): check_cluster,
    ("docs/cluster.md", "text", 1): check_cluster,
    ("docs/cluster.md", "text", 2): check_cluster,
    ("docs/cluster.md", "text", 3): check_cluster,
    ("docs/erosion.md", "text", 0): check_attempts,
    ("docs/planning.md", "text", 0): check_plan,
    ("docs/strategies.md", "text", 0): check_example,
    ("docs/strategies.md", "text", 1): check_ranks,
}


@pytest.mark.parametrize("key", CHECKS, ids=lambda key: f"{key[0]} {key[2]}")
def test_output_is_as_it_is_shown(key: tuple[str, str, int]) -> None:
    CHECKS[key](block(*key))


def test_every_encoder_is_in_the_sample_of_the_whole_suite() -> None:
    sample = block(*SAMPLES[1]).text
    assert [name for name in RECIPES if f"\n{name}" not in sample] == []


def test_another_figure_is_found() -> None:
    shown = block(*SAMPLES[1])
    changed = Block(shown.page, "text", 0, 1, shown.text.replace("75.8", "75.9"))
    with pytest.raises(AssertionError):
        check_sample(changed)

"""Writes the sample outputs of README.md and docs/reports.md, from runs of what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from training.contact_sheet import DOCS, replace_part

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FIRST = "retrieval robustness"
LAST = "RELEASE GATE: "
"""What the first and the last line of the summary hold."""
MODELS = "tiny-cxr-clip*"
"""What the README's command measures."""


def main() -> None:
    """Run README's three lines and the suite that `init` copies, each in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        summary = summary_of_three_lines(Path(folder))
    command = f'$ pytest --robust-models "{MODELS}"'
    _show(README, "console", [command, *cut(summary)])
    with tempfile.TemporaryDirectory() as folder:
        summary = summary_of_the_suite(Path(folder))
    _show(DOCS / "reports.md", "text", summary)


def _show(page: Path, language: str, lines: list[str]) -> None:
    replace_part(page, "sample", "\n".join([f"```{language}", *lines, "```"]))


def summary_of_three_lines(folder: Path) -> list[str]:
    """What pytest prints of README's own test and `robust.toml`."""
    text = README.read_text(encoding="utf-8")
    (folder / "test_retrieval.py").write_text(first_block(text, "python"))
    (folder / "robust.toml").write_text(first_block(text, "toml"))
    return _summary(folder, "--robust-models", MODELS)


def summary_of_the_suite(folder: Path) -> list[str]:
    """What `pytest gate/` prints of the embedded encoders."""
    _python(folder, "pytest_retrieval_robust", "init", "gate")
    return _summary(folder, "gate")


def first_block(text: str, language: str) -> str:
    """The first code block of that language."""
    match = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise ValueError(f"Expected a block of {language} in the page, got none.")
    return match[1]


def cut(summary: list[str]) -> list[str]:
    """The table's title, its numbers and the verdict, without what explains the table."""
    title = next(n for n, line in enumerate(summary) if "Recall@10 in %" in line)
    levels = next(n for n, line in enumerate(summary) if line.endswith("half"))
    end = summary.index("", levels)
    return [summary[title], *summary[levels:end], summary[-1]]


def _summary(folder: Path, *arguments: str) -> list[str]:
    """The lines of the summary of a run, without pytest's own."""
    quiet = ("-p", "no:cacheprovider", "-p", "no:randomly")
    lines = _python(folder, "pytest", *arguments, *quiet).splitlines()
    first = next(n for n, line in enumerate(lines) if FIRST in line and line[0] == "=")
    last = next(n for n, line in enumerate(lines) if line.startswith(LAST))
    return [line.rstrip() for line in lines[first : last + 1]]


def _python(folder: Path, *arguments: str) -> str:
    """What `python -m` prints in a terminal of 80 columns."""
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "80",
    }
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    main()

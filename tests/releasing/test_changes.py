"""Fragments of the changelog: what a contributor writes is what a release says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from releasing.changes import FOLDER, fragments, require_none_left
from releasing.source import ReleaseError

ROOT = Path(__file__).parents[2]
KINDS = (".changed.md", ".new.md", ".fixed.md")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The changelog and its settings, and three changes."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in ("README.md", "_template.md"):
        shutil.copy(ROOT / FOLDER / name, folder)
    (folder / "z.new.md").write_text("A gate on groups,\nin two lines.\n")
    (folder / "default.changed.md").write_text("The default is 3.\n")
    (folder / "end.fixed.md").write_text("A run did not end.\n")
    return tmp_path


def towncrier(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "towncrier", "build", "--version", "9.9.0"]
    return subprocess.run(
        [*command, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_release_puts_the_changes_above_what_was_there(project: Path) -> None:
    before = (project / "CHANGELOG.md").read_text()
    done = towncrier(project, "--yes", "--date", "2026-12-01")
    assert done.returncode == 0, done.stderr
    marker = "<!-- the next release comes here -->\n\n"
    head, older = before.split(marker)
    assert (project / "CHANGELOG.md").read_text() == (
        f"{head}{marker}## 9.9.0 (2026-12-01)\n\n"
        "* Changed: The default is 3.\n"
        "* A gate on groups,\n  in two lines.\n"
        "* Fixed: A run did not end.\n\n"
        f"{older}"
    )
    assert fragments(project) == []


def test_a_name_that_a_release_would_leave_out_is_refused(project: Path) -> None:
    (project / FOLDER / "groups.md").write_text("A gate on groups.\n")
    done = towncrier(project, "--draft")
    assert done.returncode == 1
    assert "groups.md" in done.stderr


def test_the_fragments_that_lie_here_have_names_of_the_three_kinds() -> None:
    assert [name for name in fragments(ROOT) if not name.endswith(KINDS)] == []


def test_a_release_with_a_fragment_left_is_refused(project: Path) -> None:
    with pytest.raises(ReleaseError, match=r"got 3 \(default\.changed\.md"):
        require_none_left(project)
    for name in fragments(project):
        (project / FOLDER / name).unlink()
    require_none_left(project)

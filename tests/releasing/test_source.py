"""A release is made of one clean commit, whose tag, version and changelog agree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_retrieval_robust import __version__
from releasing.dist import check_tag
from releasing.source import (
    ReleaseError,
    clean_commit,
    commit_seconds,
    export,
    export_otherwise,
)

from ..docs.workflows import loaded, tool

ROOT = Path(__file__).parents[2]


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "a.py").write_text("a = 1\n")
    script = folder / "run"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (folder / ".gitignore").write_text("dist/\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first", "--date", "2020-01-01T00:00:00Z")
    return folder


def test_a_clean_clone_is_its_commit(clone: Path) -> None:
    (clone / "dist").mkdir()
    (clone / "dist" / "old.whl").write_text("ignored")
    commit = clean_commit(clone)
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert commit_seconds(clone, commit) > 1.7e9


@pytest.mark.parametrize("name", ["package/a.py", "package/new.py"])
def test_a_change_that_is_not_committed_is_refused(clone: Path, name: str) -> None:
    (clone / name).write_text("b = 2\n")
    with pytest.raises(ReleaseError, match=f"got 1 changed or new files .{name}"):
        clean_commit(clone)


def test_a_folder_that_is_no_clone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ReleaseError, match="Expected a clone"):
        clean_commit(tmp_path)


def test_both_exports_differ_in_nothing_but_rights_and_dates(
    clone: Path, tmp_path: Path
) -> None:
    commit = clean_commit(clone)
    one, other = tmp_path / "one", tmp_path / "other"
    export(clone, commit, one)
    export_otherwise(clone, commit, other)
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert {str(file) for file in files} == {".gitignore", "package/a.py", "run"}
    for file in files:
        assert (one / file).read_bytes() == (other / file).read_bytes()
        assert (other / file).stat().st_mode & 0o077 == 0
        assert (other / file).stat().st_mtime == 10**9
    assert (other / "run").stat().st_mode & 0o100


# The version


def test_a_tag_that_fits_is_no_problem() -> None:
    check_tag("v0.2.0", "0.2.0", "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n* A.\n")


@pytest.mark.parametrize(
    ("tag", "changelog", "problem"),
    [
        ("v0.2.1", "## 0.2.0 (2026-12-01)", "the tag v0.2.0 of pyproject.toml"),
        ("0.2.0", "## 0.2.0 (2026-12-01)", "got tag='0.2.0'"),
        ("v0.2.0", "## 0.2.0 (unreleased)", "the heading '## 0.2.0"),
        ("v0.2.0", "## 0.2.01 (2026-12-01)", "the heading '## 0.2.0"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(
    tag: str, changelog: str, problem: str
) -> None:
    with pytest.raises(ReleaseError, match=re.escape(problem)):
        check_tag(tag, "0.2.0", changelog)


def test_every_place_has_the_same_version() -> None:
    citation = loaded((ROOT / "CITATION.cff").read_text())
    settings = (ROOT / "pyproject.toml").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert citation["version"] == __version__
    assert f'\nversion = "{__version__}"\n' in settings
    newest = re.search(r"^## (\S+) ", changelog, re.M)
    assert newest is not None
    assert newest[1] == __version__


def test_the_citation_file_fits_its_schema(tmp_path: Path) -> None:
    schema = ("--builtin-schema", "vendor.citation-file-format")
    text = (ROOT / "CITATION.cff").read_text()
    assert tool("check-jsonschema", *schema, ROOT / "CITATION.cff") == ""
    broken = tmp_path / "CITATION.cff"
    broken.write_text(text.replace("family-names: Deanda", "last-name: Deanda"))
    assert tool("check-jsonschema", *schema, broken) != ""


def test_the_release_is_built_by_the_hatchling_that_is_tested() -> None:
    def pin(file: str) -> str:
        pins = re.findall(r"^hatchling==(\S+)$", (ROOT / file).read_text(), re.M)
        return str(pins[0])

    assert pin("releasing/requirements.txt") == pin("constraints.txt")

"""The archives: repeatable bytes, contents, size, and the licences of what is in them."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from pytest_retrieval_robust import __version__
from releasing.bill import encoders_in, metadata_of, required_names
from releasing.contents import listing, members, problems
from releasing.dist import (
    OTHER_PLACE,
    build,
    require_same_bytes,
    sha256_of,
    unpacked_sdist,
)
from releasing.source import ReleaseError, make_private_and_old

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "pytest_retrieval_robust" / "models" / "weights"
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
MODE = 0o100644


@dataclass(frozen=True)
class Archives:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """The archives of the working tree."""
    out = tmp_path_factory.mktemp("archives")
    for target in ("sdist", "wheel"):
        build(target, ROOT, out, EPOCH)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Archives(wheel, sdist)


# Bytes


def test_a_wheel_of_the_source_archive_has_the_same_bytes(
    archives: Archives, tmp_path: Path
) -> None:
    tree = unpacked_sdist(archives.sdist, tmp_path / "another place")
    make_private_and_old(tree)
    build("wheel", tree, tmp_path / "again", {**EPOCH, **OTHER_PLACE})
    (again,) = (tmp_path / "again").iterdir()
    assert again.name == archives.wheel.name
    assert sha256_of(again) == sha256_of(archives.wheel)


@pytest.mark.parametrize("other", [{"a": "1", "b": "3"}, {"a": "1"}])
def test_builds_that_differ_are_named(other: dict[str, str], tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, files in ((first, {"a": "1", "b": "2"}), (second, other)):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    require_same_bytes(first, first)
    with pytest.raises(ReleaseError, match=r"different ones of b\."):
        require_same_bytes(first, second)


# Contents


def test_the_archives_hold_what_is_allowed_and_no_more(archives: Archives) -> None:
    assert problems(archives.wheel) == []
    assert problems(archives.sdist) == []


def test_the_listing_counts_every_file_and_byte(archives: Archives) -> None:
    rows = [
        line.replace(",", "").split()
        for line in listing(archives.wheel).split("\n")[2:]
    ]
    with zipfile.ZipFile(archives.wheel) as wheel:
        infos = wheel.infolist()
    assert sum(int(row[0]) for row in rows) == sum(info.file_size for info in infos)
    assert sum(int(row[1]) for row in rows) == len(infos)


def wheel_with(path: Path, name: str, mode: int = MODE, size: int = 1) -> Path:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(path / "p-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(info, bytes(size))
    return path / "p-1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("tests/test_x.py", MODE, "is in the new folder tests/"),
        ("setup.py", MODE, "is a new file at the root"),
        ("pytest_retrieval_robust/data.csv", MODE, "has the new suffix '.csv'"),
        ("pytest_retrieval_robust/id_rsa", MODE, "has the new suffix ''"),
        ("pytest_retrieval_robust/a.py", 0o100666, "has mode=666"),
        ("pytest_retrieval_robust/a.py", 0o120644, "is no regular file"),
    ],
)
def test_a_file_that_is_not_allowed_in_a_wheel_is_found(
    name: str, mode: int, problem: str, tmp_path: Path
) -> None:
    (found,) = problems(wheel_with(tmp_path, name, mode))
    assert f"{name} {problem}" in found


def test_what_is_allowed_in_a_wheel_is_no_problem(tmp_path: Path) -> None:
    for name in ("pytest_retrieval_robust/a.py", "p-1.dist-info/METADATA"):
        assert problems(wheel_with(tmp_path, name)) == []


def test_a_wheel_that_is_too_large_is_found(tmp_path: Path) -> None:
    name = "pytest_retrieval_robust/a.json"
    (found,) = problems(wheel_with(tmp_path, name, size=20_000_001))
    assert "expected at most 20000000 bytes, got size=2000" in found


def test_a_file_that_is_not_allowed_in_a_source_archive_is_found(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p-1.tar.gz"
    with tarfile.open(path, "w:gz") as sdist:
        for name in ("p-1/results/run.json", "p-1/.env", "p-1/tests/test_x.py"):
            info = tarfile.TarInfo(name)
            info.size = 1
            sdist.addfile(info, io.BytesIO(b"x"))
    assert problems(path) == [
        "p-1.tar.gz: results/run.json is in the new folder results/.",
        "p-1.tar.gz: .env is a new file at the root.",
    ]


def test_the_command_ends_with_what_is_not_allowed(tmp_path: Path) -> None:
    wheel = wheel_with(tmp_path, "notes/a.md")
    done = subprocess.run(
        [sys.executable, "-m", "releasing.contents", str(wheel)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "notes/a.md is in the new folder notes/." in done.stderr
    assert "releasing/contents.py" in done.stderr


# Licences


def test_the_wheel_states_its_licence_and_has_its_files(archives: Archives) -> None:
    with zipfile.ZipFile(archives.wheel) as wheel:
        metadata = metadata_of(wheel)
        licences = f"pytest_retrieval_robust-{__version__}.dist-info/licenses"
        shipped = {
            name: wheel.read(f"{licences}/{name}") for name in ("LICENSE", "NOTICE")
        }
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]
    assert shipped == {name: (ROOT / name).read_bytes() for name in shipped}


def is_data(path: PurePosixPath) -> bool:
    """Whether a file is neither code, nor a page, nor about the archive itself."""
    is_of_the_archive = len(path.parts) == 1 or path.parts[0] == "dist-info"
    return not is_of_the_archive and path.suffix not in (".py", ".md", ".typed")


def unnamed(paths: Iterable[PurePosixPath], notice: str) -> list[str]:
    """Data files that lie below no path that NOTICE names."""
    named = re.findall(r"[\w.-]+(?:/[\w.-]*)+", notice)
    return [
        str(path)
        for path in paths
        if is_data(path) and not any(str(path).startswith(place) for place in named)
    ]


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_notice_names_the_place_of_everything_shipped_that_is_no_code(
    archives: Archives, kind: str
) -> None:
    paths = [member.path for member in members(getattr(archives, kind))]
    assert sum(map(is_data, paths)) > 25
    assert unnamed(paths, (ROOT / "NOTICE").read_text()) == []


def test_data_that_notice_does_not_name_is_found() -> None:
    paths = map(PurePosixPath, ["a/b.json", "a/c/d.npz", "a/code.py", "LICENSE"])
    assert unnamed(paths, "Drawn by us (a/c/): Apache-2.0.") == ["a/b.json"]


def test_every_folder_of_weights_states_its_licence() -> None:
    notice = (ROOT / "NOTICE").read_text()
    encoders = [path for path in WEIGHTS.iterdir() if path.is_dir()]
    assert len(encoders) >= 4
    for encoder in encoders:
        assert f" {encoder.name}" in notice
        head, licence = (encoder / "README.md").read_text().split("\n---\n", 1)
        assert "license: apache-2.0" in head.splitlines()
        assert licence.rstrip().endswith("## Licence\nApache-2.0.")


def test_the_bill_names_each_encoder_with_the_hash_of_its_weights(
    archives: Archives,
) -> None:
    with zipfile.ZipFile(archives.wheel) as wheel:
        encoders = encoders_in(wheel, "1")
    assert {part["name"]: part["hashes"][0]["content"] for part in encoders} == {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in WEIGHTS.glob("*/*.safetensors")
    }


def test_the_bill_leaves_extras_out(archives: Archives) -> None:
    with zipfile.ZipFile(archives.wheel) as wheel:
        names = required_names(metadata_of(wheel))
    assert {"torch", "pytest", "open-clip-torch"} <= names
    assert names.isdisjoint({"ruff", "mypy", "ray", "pydicom", "pytest-xdist"})

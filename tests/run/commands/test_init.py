"""`python -m pytest_retrieval_robust init` from a wheel that is installed elsewhere,
and its errors.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from pytest_retrieval_robust import __version__
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.models.tiny import _SUMMARIES
from pytest_retrieval_robust.run.commands.init import copy_suite, suite_folder

ROOT = Path(__file__).parents[3]
WEIGHTS = Path("pytest_retrieval_robust/models/weights")


def call(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel in it; the heavy dependencies are
    borrowed from this one.
    """
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("elsewhere")
    build = call(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder,
        str(ROOT),
        folder=folder,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    packages = (
        folder
        / "venv"
        / "lib"
        / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        / "site-packages"
    )
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    (wheel,) = folder.glob("*.whl")
    install = call(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--target",
        packages,
        wheel,
        folder=folder,
    )
    assert install.returncode == 0, install.stderr
    return python


def test_a_suite_made_by_an_installed_wheel_passes(
    elsewhere: Path, tmp_path: Path
) -> None:
    made = call(
        elsewhere, "-m", "pytest_retrieval_robust", "init", "gate", folder=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert "next: pytest gate\n" in made.stdout
    where = call(
        elsewhere,
        "-c",
        "import pytest_retrieval_robust as p; print(p.__file__)",
        folder=tmp_path,
    )
    assert str(elsewhere.parent.parent) in where.stdout
    run = call(
        *(
            elsewhere,
            "-m",
            "pytest",
            "gate",
            "--robust-levels=0.3",
            "--robust-limit=100",
            "--robust-models=tiny-cxr-clip",
        ),
        "--robust-report=report.html",
        folder=tmp_path,
    )
    assert run.returncode == 0, run.stdout
    assert "RELEASE GATE: PASSED" in run.stdout
    assert (
        (tmp_path / "report.html")
        .read_text(encoding="utf-8")
        .rstrip()
        .endswith("</html>")
    )


def test_a_wheel_brings_a_command_of_its_own(elsewhere: Path, tmp_path: Path) -> None:
    # `pip install --target` puts scripts into a folder of the target's own.
    script = next(elsewhere.parent.parent.rglob("retrieval-robust"))
    shown = call(elsewhere, script, "--version", folder=tmp_path)
    assert shown.stdout == f"pytest-retrieval-robust {__version__}\n", shown.stderr
    assert call(elsewhere, script, "--help", folder=tmp_path).stdout.startswith(
        "usage: retrieval-robust "
    )


def test_the_module_tells_its_version_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"pytest-retrieval-robust {__version__}\n"


def test_a_wheel_holds_every_embedded_encoder(elsewhere: Path) -> None:
    """Byte for byte: `tests/models/test_tiny.py` loads those of the checkout."""
    (in_the_wheel,) = elsewhere.parents[1].rglob(str(WEIGHTS))
    expected = files_below(ROOT / WEIGHTS)
    assert {name.parts[0] for name in expected} == set(_SUMMARIES)
    assert files_below(in_the_wheel) == expected


def files_below(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_suite_of_a_checkout_is_the_repositorys() -> None:
    assert suite_folder() == ROOT / "suites"


def test_init_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_curve.py").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert "got " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["test_curve.py"]


def test_every_file_of_the_suite_is_copied(tmp_path: Path) -> None:
    copied = {path.name for path in copy_suite(tmp_path / "new")}
    assert copied == {
        path.name
        for path in (ROOT / "suites").iterdir()
        if path.suffix in (".py", ".toml")
    }

"""`inspect NAME`: where a data set is looked for, and what is said of its images."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.__main__ import main

from ...datasets.files.trees import save, write_table
from ...forked_runs import forked_command


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose suite is in `gate/`, with two data sets of which one is configured wrong."""
    rows = [(f"{number}.png", f"Report {number}.") for number in range(3)]
    for name, _ in rows:
        save(tmp_path / "data" / name, 1)
    write_table(tmp_path / "data/table.csv", ["image", "report"], rows)
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate/robust.toml").write_text(
        '[datasets.ours]\nloader = "table"\npath = "../data/table.csv"\n'
        '[datasets.other]\nloader = "tabel"\npath = "../data/table.csv"\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("folder", [".", "gate", "gate/deeper"])
def test_inspect_finds_the_configuration_of_the_suite(
    project: Path,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (project / "gate/deeper").mkdir()
    monkeypatch.chdir(project / folder)
    assert main(["inspect", "ours"]) == 0
    assert "gallery: 3 reports in 3 groups" in capsys.readouterr().out


def test_inspect_says_where_a_configuration_may_be(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # What lies above the project is another one's.
    (project / "robust.toml").write_text('[datasets.ours]\nloader = "table"\n')
    (project / "data/pyproject.toml").write_text("")
    monkeypatch.chdir(project / "data")
    assert main(["inspect", "ours"]) == 2
    said = capsys.readouterr().err
    assert "give --config FILE" in said
    assert "--tests PATH" in said


def test_inspect_asks_which_of_two_configurations_is_meant(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "other").mkdir()
    text = (project / "gate/robust.toml").read_text()
    (project / "other/robust.toml").write_text(text.replace("ours", "theirs"))
    assert main(["inspect", "theirs"]) == 0
    (project / "other/robust.toml").write_text(text)
    assert main(["inspect", "ours"]) == 2
    said = capsys.readouterr().err
    assert "gate/robust.toml and other/robust.toml" in said


@pytest.mark.usefixtures("project")
def test_a_mistake_in_another_table_does_not_stop_inspect(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "ours", "--config", "gate/robust.toml"]) == 0
    assert "gallery: 3 reports in 3 groups" in capsys.readouterr().out
    assert main(["inspect", "other", "--config", "gate/robust.toml"]) == 2
    assert "Did you mean 'table'" in capsys.readouterr().err


def test_nor_does_it_in_the_suite_of_a_conftest(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["inspect", "ours", "--tests", "gate"]
    assert main(asked) == 0
    assert "gallery: 3 reports in 3 groups" in capfd.readouterr().out
    (project / "data/2.png").unlink()
    assert main(asked) == 1


@pytest.mark.parametrize("where", [(), ("--config", "gate/robust.toml")])
def test_a_model_is_that_of_the_same_configuration(
    project: Path, where: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "gate/robust.toml"
    command = json.dumps([sys.executable, "absent.py"])
    file.write_text(
        f'{file.read_text()}[models.mine]\nloader = "command"\ncommand = {command}\n'
        '[models.wrong]\nloader = "transformer"\ncheckpoint = "x"\n'
    )
    asked = ["inspect", "ours", *where, "--model"]
    # It is found, beside a table that is wrong, and fails as a model of its own.
    assert main([*asked, "mine"]) == 2
    said = capsys.readouterr().err
    assert "ModelError" in said
    assert "mine" in said
    assert main([*asked, "wrong"]) == 2
    assert "Did you mean 'transformers'" in capsys.readouterr().err
    assert main([*asked, "tiny-cxr-clip"]) == 0
    assert "tiny-cxr-clip" in capsys.readouterr().out
    assert main([*asked, "minne"]) == 2
    said = capsys.readouterr().err
    assert "Did you mean 'mine'" in said
    assert "model that a conftest registers is known with --tests PATH" in said


def test_a_model_of_a_conftest_is_known_with_its_tests(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "gate/conftest.py").write_text(
        "import pytest\n"
        "from pytest_retrieval_robust import ModelEntry, load_model\n"
        "def load(request):\n"
        "    model = load_model('tiny-cxr-clip', device=request.device)\n"
        "    model.name = 'mine'\n"
        "    return model\n"
        "@pytest.hookimpl(optionalhook=True)\n"
        "def pytest_robust_register(catalogues):\n"
        "    catalogues.models.add(ModelEntry('mine', 'mine', load))\n"
    )
    assert main(["inspect", "ours", "--tests", "gate", "--model", "mine"]) == 0
    assert "mine" in capfd.readouterr().out


def test_inspect_exits_1_for_images_that_cannot_be_read(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["inspect", "ours", "--config", "gate/robust.toml", "--images"]
    assert main(asked) == 0
    assert (
        "repeated images, pixel for pixel: 3 images of 1 picture"
        in capsys.readouterr().out
    )
    (project / "data/2.png").write_bytes(b"no picture")
    assert main(asked[:-1]) == 0
    (project / "data/1.png").unlink()
    assert main(asked[:-1]) == 1
    said = capsys.readouterr().out
    assert "  missing: no file of the image in row 2\n" in said
    assert ".png" not in said
    assert main(asked) == 1
    said = capsys.readouterr().out
    assert "  broken: Expected an image, got no such file: row 2 of its table." in said
    assert "row 3 of its table" in said
    assert ".png" not in said


def test_inspect_of_a_data_set_that_a_conftest_registers(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest("""
        import pytest
        from PIL import Image
        from pytest_retrieval_robust import dataset_from_lists
        from pytest_retrieval_robust.datasets import DatasetEntry

        def load():
            images = [Image.new("L", (8, 8), 40 * n) for n in range(3)]
            return dataset_from_lists("mine", images, ["a", "b", "c"])

        @pytest.hookimpl(optionalhook=True)
        def pytest_robust_register(catalogues):
            catalogues.datasets.add(DatasetEntry("mine", "mine", load))
        """)
    words = ("inspect", "mine", "--tests", ".", "--images")
    result = forked_command(pytester.path, *words)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "mine: split all, text full, relevance same-text",
            "*gallery: 3 reports*",
            "*L images: 3",
        ]
    )
    missing = forked_command(pytester.path, "inspect", "mine2", "--tests", ".")
    assert missing.ret != 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--write-ids", "absent/ids.csv"],
            "--write-ids='ids.csv' in 'absent': no such",
        ),
        (["--write-repeats", "data"], "--write-repeats='data', got a folder"),
        (["--write-ids", "a.csv", "--write-repeats", "./a.csv"], "Expected two files"),
        (["--write-ids", "data/0.png/ids.csv"], "in '0.png': no such folder"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_place_that_cannot_be_written_is_said_before_any_work(
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "ours", *options]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert not printed.out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.usefixtures("project")
def test_a_disk_that_is_full_is_an_error_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "ours", "--write-ids", "/dev/full"]) == 2
    assert "ConfigError: Expected a file that can be" in capsys.readouterr().err


def test_what_is_there_twice_is_counted_and_named_only_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    radiographs = load_dataset("synthetic-cxr")
    rows = []
    for number in range(8):
        radiographs.image(number).save(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", f"Report {number}.", f"p{number // 2}", "test"))
    radiographs.image(3).save(tmp_path / "copy.png")
    rows.append(("copy.png", "Copy.", "p9", "test"))
    small = radiographs.image(4).convert("L").resize((150, 150))
    small.save(tmp_path / "small.jpg", quality=80)
    rows.append(("small.jpg", "Small.", "p2", "test"))
    for level in (0, 90, 200):
        Image.new("L", (64, 64), level).save(tmp_path / f"blank{level}.png")
        rows.append((f"blank{level}.png", "Blank.", "p2", "test"))
    rows += [("6.png", "Report 6.", "p3", "train"), ("5.png", "Other.", "q", "train")]
    table = write_table(
        tmp_path / "t.csv", ["image", "report", "patient", "split"], rows
    )
    split = f"table(path={table},patient=patient,split_column=split,split="
    options = ["--write-repeats", str(tmp_path / "repeats.csv")]
    asked = ["inspect", f"{split}test)", "--against", f"{split}train)", *options]
    assert main(asked) == 0
    said = capsys.readouterr().out
    for line in (
        "pixel for pixel: 2 images of 1 picture, 1 of them with several patients",
        "brighter): 2 images of 1 picture, 0 of them with several patients",
        "too plain to be compared: 3 images, 3 of them blank",
        "1 patient by name\n    1 text, word for word\n    2 images, pixel for pixel",
        "4 ids of repeated images written to repeats.csv",
    ):
        assert line in said
    assert ".png" not in said
    written = (tmp_path / "repeats.csv").read_text().splitlines()
    assert written[1:] == [
        "1,same,3.png",
        "1,same,copy.png",
        "2,nearly the same,4.png",
        "2,nearly the same,small.jpg",
    ]


def test_a_wrong_parameter_of_a_known_data_set_asks_for_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without a robust.toml, which an unknown name would ask for.
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", "synthetic-cxr(pairs=60,strata=nosuch)"]) == 2
    said = capsys.readouterr().err
    assert "Known: device, finding, length, side." in said
    assert "--config" not in said
    assert "--tests" not in said

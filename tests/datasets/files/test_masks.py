"""Anatomical masks beside a data set of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import (
    DatasetError,
    OcclusionError,
    UnreadableImageError,
)
from pytest_retrieval_robust.datasets._files.mask_folder import mask_path
from pytest_retrieval_robust.occluders import WHOLE
from pytest_retrieval_robust.occluders.drawn.regions import Regions
from pytest_retrieval_robust.occluders.scene import Scene, Setting

from .pictures import animation, oriented, png_claiming, turned
from .trees import picture, save, write_table

SIZE = (40, 32)  # rows, columns, as `save` makes them
IMAGES = ("images/a.png", "images/b.png", "images/c.png")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number, image in enumerate(IMAGES):
        save(tmp_path / image, number)
    rows = [(image, f"Report {number}.") for number, image in enumerate(IMAGES)]
    return write_table(tmp_path / "table.csv", ["image", "report"], rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lungs of the first two images, the heart of the first, and something else."""
    masks = tmp_path / "masks"
    for region, images in (("lungs", "ab"), ("heart", "a"), ("rib 4", "c")):
        for image in images:
            write_mask(
                masks / region / "images" / f"{image}.png", mask_of(region, image) * 1
            )
    return masks


def mask_of(region: str, image: str) -> NDArray[np.bool_]:
    return np.random.default_rng([len(region), ord(image)]).random(SIZE) < 0.4


def write_mask(file: Path, values: NDArray[Any], mode: str = "L") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).convert(mode).save(file)
    return file


def opened(table: Path, masks: Path | str | None, **options: Any) -> Any:
    return load_dataset("table", path=table, masks=masks, **options)


def test_masks_are_those_of_the_files_and_a_missing_file_is_an_absent_region(
    table: Path, folder: Path
) -> None:
    dataset = opened(table, folder)
    assert dataset.regions == ("heart", "lungs", "rib 4")
    assert [sorted(dataset.masks(number)) for number in range(3)] == [
        ["heart", "lungs"],
        ["lungs"],
        ["rib 4"],
    ]
    for number, image in enumerate("abc"):
        for region, mask in dataset.masks(number).items():
            assert mask.dtype == np.bool_
            assert np.array_equal(mask, mask_of(region, image))


@pytest.mark.parametrize(("value", "mode"), [(1, "L"), (255, "L"), (255, "1")])
def test_whatever_is_not_0_is_inside(
    table: Path, folder: Path, value: int, mode: str
) -> None:
    write_mask(folder / "lungs/images/a.png", mask_of("lungs", "a") * value, mode)
    assert np.array_equal(
        opened(table, folder).masks(0)["lungs"], mask_of("lungs", "a")
    )


def test_masks_change_neither_fingerprint_nor_name(table: Path, folder: Path) -> None:
    without = opened(table, None)
    with_them = opened(table, str(folder))
    assert with_them.fingerprint == without.fingerprint
    assert with_them.name == without.name == "table"


@pytest.mark.usefixtures("folder")
def test_a_table_of_robust_toml_gives_masks_relative_to_itself(
    table: Path, pytester: pytest.Pytester
) -> None:
    (table.parent / "robust.toml").write_text(
        '[datasets.ours]\nloader = "table"\npath = "table.csv"\nmasks = "masks"\n'
    )
    (table.parent / "test_mine.py").write_text(
        "def test_it(outcome):\n    assert outcome.achieved_level > 0.05\n"
    )
    result = pytester.runpytest_inprocess(
        table.parent,
        f"--rootdir={table.parent}",
        "--robust-models=tiny-cxr-clip",
        "--robust-datasets=ours",
        "--robust-occluders=regions",
        "--robust-levels=0.5",
        "--robust-k=1",
        "-k",
        "level0.50",
        "-pno:cacheprovider",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("image_id", "path"),
    [
        ("images/a.png", "images/a.png"),
        ("p10/s5/A.JPEG", "p10/s5/A.png"),
        ("02aa804e-bde0afdd", "02aa804e-bde0afdd.png"),
        ("1.2.840.113654", "1.2.840.113654.png"),
        ("1_IM-0001-4001.dcm.png", "1_IM-0001-4001.dcm.png"),
        ("a.dcm", "a.png"),
        ("a.tar", "a.tar.png"),
        ("a.png\n", "a.png\n.png"),
    ],
)
def test_an_id_loses_its_suffix_and_keeps_its_folders(image_id: str, path: str) -> None:
    assert mask_path(image_id) == path


def test_two_images_may_not_share_a_mask(tmp_path: Path, folder: Path) -> None:
    for name in ("a.png", "a.tif"):
        save(tmp_path / name)
    table = write_table(
        tmp_path / "two.csv",
        ["image", "report"],
        [("a.png", "One."), ("a.tif", "Two.")],
    )
    with pytest.raises(DatasetError, match="differ without their suffixes.*got 1 of 2"):
        opened(table, folder)


@pytest.mark.parametrize(
    "bad", ["../a.png", "/etc/a.png", "x/../../a", "C:a", "a\\..\\..\\b"]
)
def test_an_id_that_leads_out_of_the_folder_is_refused(
    tmp_path: Path, folder: Path, bad: str
) -> None:
    save(tmp_path / "a.png")
    table = write_table(
        tmp_path / "ids.csv", ["image", "report", "id"], [("a.png", "One.", bad)]
    )
    dataset = opened(table, folder, id="id")
    with pytest.raises(
        DatasetError,
        match="ids that are paths inside masks='masks', got one that leads out",
    ) as caught:
        dataset.masks(0)
    assert bad not in str(caught.value)


@pytest.mark.parametrize("link", ["lungs/images/a.png", "lungs"])
def test_links_out_of_the_folder_are_refused(
    table: Path, folder: Path, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    (folder / link).rename(outside)
    (folder / link).symlink_to(outside)
    with pytest.raises(
        DatasetError,
        match="a link leads out of it: region 'lungs' of row 1 of its table",
    ):
        opened(table, folder).masks(0)


def test_the_folder_itself_may_be_a_link(
    table: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert "lungs" in opened(table, tmp_path / "link").masks(0)


def test_a_mask_of_another_size_names_the_row_and_both_sizes(
    table: Path, folder: Path
) -> None:
    write_mask(folder / "lungs/images/b.png", np.ones((20, 16)))
    with pytest.raises(
        DatasetError,
        match="32 x 40 pixels upright, got 16 x 20: region 'lungs' of row 2 .*Export",
    ) as caught:
        opened(table, folder).masks(1)
    assert "b.png" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"",
            (
                "got UnidentifiedImageError while the mask was decoded: region 'heart'"
                " of row 1 of its table. Export it"
            ),
        ),
        (
            b"\x89PNG\r\n\x1a\nbroken",
            (
                "Expected a whole PNG.*region 'heart' of row 1 of its table. Export it"
                " again"
            ),
        ),
    ],
)
def test_a_broken_mask_names_the_row(
    table: Path, folder: Path, content: bytes, message: str
) -> None:
    (folder / "heart/images/a.png").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        opened(table, folder).masks(0)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_mask_that_was_cut_short_is_broken(table: Path, folder: Path) -> None:
    file = folder / "lungs/images/a.png"
    Image.fromarray(
        np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
    ).save(file)
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(
        DatasetError,
        match="Expected a whole PNG, got OSError.*region 'lungs' of row 1 of its table",
    ):
        opened(table, folder).masks(0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "I;16"])
def test_other_kinds_of_pixels_are_refused(
    table: Path, folder: Path, mode: str
) -> None:
    Image.new(mode, SIZE[::-1]).save(folder / "lungs/images/a.png")
    with pytest.raises(
        DatasetError,
        match=(
            f"8-bit grey mask.*got mode='{mode}': region 'lungs' of row 1 of its table"
        ),
    ):
        opened(table, folder).masks(0)


def test_a_folder_in_place_of_a_file_is_an_error(table: Path, folder: Path) -> None:
    (folder / "heart/images/b.png").mkdir()
    with pytest.raises(
        DatasetError,
        match="a mask, got a folder where a file is expected: region 'heart' of row 2",
    ):
        opened(table, folder).masks(1)


def test_a_folder_without_regions_or_none_at_all_is_said_at_once(
    table: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="no folder at masks="):
        opened(table, tmp_path / "absent")
    (tmp_path / "empty/.hidden").mkdir(parents=True)
    with pytest.raises(
        DatasetError, match="one folder per region.*got none in masks='empty' of table"
    ):
        opened(table, tmp_path / "empty")


def test_without_masks_it_says_how_to_give_them(table: Path) -> None:
    dataset = opened(table, None)
    assert dataset.regions == ()
    with pytest.raises(DatasetError, match="opened without masks, got none. Give it"):
        dataset.masks(0)
    with pytest.raises(
        OcclusionError, match="anatomical masks, got none in table. Give masks=FOLDER"
    ):
        Regions().bind(scene_of(dataset))


def scene_of(dataset: Any) -> Scene:
    setting = Setting(None, dataset, torch.zeros(1, 4), np.zeros(1, dtype=np.int64))  # type: ignore[arg-type]
    groups = np.zeros(3, dtype=np.int64)
    return Scene(
        setting,
        range(3),
        dataset.image_ids,
        torch.zeros(3, 3, 8, 8),
        [WHOLE] * 3,
        groups,
    )


def test_regions_of_the_folder_are_hidden(table: Path, folder: Path) -> None:
    scene = scene_of(opened(table, folder))
    shares = Regions(region="rib 4").bind(scene).shares(scene.ids, 1, 0)
    assert shares[:2] == [0.0, 0.0]
    assert shares[2] == pytest.approx(mask_of("rib 4", "c").mean(), abs=0.01)
    with pytest.raises(
        OcclusionError,
        match="out of heart, lungs, rib 4, which table has, got region='lung'",
    ):
        Regions(region="lung").bind(scene)


def test_an_image_is_decoded_once_to_know_its_size(
    table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = opened(table, folder)
    image = type(dataset).image
    decoded = []

    def counted(self: Any, index: int) -> Image.Image:
        decoded.append(index)
        found: Image.Image = image(self, index)
        return found

    monkeypatch.setattr(type(dataset), "image", counted)
    for _ in range(3):
        dataset.masks(0)
        dataset.masks(1)
    assert decoded == [0, 1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_fit_the_picture_as_it_is_seen(
    table: Path, folder: Path, orientation: int
) -> None:
    """The mask of a turned photograph is drawn on what a viewer shows, or carries the
    same orientation itself.
    """
    (table.parent / IMAGES[0]).write_bytes(oriented(picture(), "PNG", orientation))
    stored = mask_of("lungs", "a")
    seen = turned(stored, orientation)
    mask = folder / "lungs/images/a.png"
    (folder / "heart/images/a.png").unlink()
    write_mask(mask, seen * 255)
    assert np.array_equal(opened(table, folder).masks(0)["lungs"], seen)
    mask.write_bytes(
        oriented(Image.fromarray(stored.astype(np.uint8) * 255), "PNG", orientation)
    )
    assert np.array_equal(opened(table, folder).masks(0)["lungs"], seen)


def test_a_mask_of_the_stored_size_does_not_fit_a_turned_picture(
    table: Path, folder: Path
) -> None:
    (table.parent / IMAGES[0]).write_bytes(oriented(picture(), "PNG", 6))
    with pytest.raises(DatasetError, match="40 x 32 pixels upright, got 32 x 40"):
        opened(table, folder).masks(0)


def test_an_animated_mask_is_refused(table: Path, folder: Path) -> None:
    frames = [
        Image.fromarray(np.full(SIZE, value, dtype=np.uint8)) for value in (0, 255)
    ]
    (folder / "lungs/images/a.png").write_bytes(animation("PNG", frames))
    with pytest.raises(
        DatasetError,
        match="one mask per file, got 2 frames: region 'lungs' of row 1 of its table",
    ):
        opened(table, folder).masks(0)


def test_a_fifo_in_place_of_a_mask_is_an_error(table: Path, folder: Path) -> None:
    (folder / "lungs/images/a.png").unlink()
    os.mkfifo(folder / "lungs/images/a.png")
    with pytest.raises(
        DatasetError,
        match="a mask, got a FIFO where a file is expected: region 'lungs' of row 1",
    ):
        opened(table, folder).masks(0)


def test_a_mask_that_claims_billions_of_pixels_is_not_decoded(
    table: Path, folder: Path
) -> None:
    for side in (12_000, 100_000):
        (folder / "lungs/images/a.png").write_bytes(png_claiming(side, side))
        with pytest.raises(
            DatasetError,
            match=r"got (12000 x 12000|far more pixels than its image): region 'lungs'",
        ):
            opened(table, folder).masks(0)


def test_a_broken_image_is_not_called_a_broken_mask(table: Path, folder: Path) -> None:
    (table.parent / IMAGES[0]).write_bytes(b"no picture")
    with pytest.raises(UnreadableImageError, match="no PNG, JPEG, TIFF, WebP or DICOM"):
        opened(table, folder).masks(0)


def test_the_repr_of_a_folder_of_masks_names_no_path(table: Path, folder: Path) -> None:
    assert repr(opened(table, folder).mask_folder) == "<MaskFolder of 3 regions>"

"""Small trees laid out like published data sets beyond the chest, and like ReXGradient.

Reports and captions are made up here; values that the publications write in place of
missing ones are theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .trees import picture, save, write_table

REX_PATH = "../deid_png/{0}/{1}/studies/{2}/series/1.3/instances/{3}.png"
FAIRVLMED_COLUMNS = (
    *("filename", "age", "gender", "race", "ethnicity", "language", "maritalstatus"),
    *("note", "gpt4_summary", "glaucoma", "use"),
)
SKINCAP_COLUMNS = (
    *("id", "skincap_file_path", "caption_zh", "caption_zh_polish"),
    *("caption_zh_polish_en", "disease", "Do not consider this image", "Papule"),
    "fitzpatrick_scale",
)
QUILT_COLUMNS = (
    *("", "caption", "image_path", "subset", "split", "pathology", "roi_text"),
    *("noisy_text", "corrected_text", "med_umls_ids", "magnification", "height"),
)
DERM1M_COLUMNS = (
    *("filename", "truncated_caption", "disease_label", "hierarchical_disease_label"),
    *("skin_concept", "source", "source_type"),
)


def rex_study(
    patient: str, study: str, images: dict[str, str | None], **report: Any
) -> dict[str, Any]:
    """A study of `*_metadata_view_position.json`: `images` are names and their views."""
    paths = [REX_PATH.format(patient, "A1", study, image) for image in images]
    sections = {"Indication": "Cough.", "Comparison": "None.", "Findings": None}
    return {
        "StudyInstanceUid": study,
        "PatientID": patient,
        "AccessionNumber": "A1",
        "PatientSex": "F" if patient.endswith("1") else None,
        "PatientAge": "061Y",
        "StudyDate": 20190102,
        **sections,
        "Impression": None,
        **report,
        "ImagePath": paths,
        "ImageViewPosition": list(images.values()),
        "ImageShape": [[512, 420]] * len(paths),
    }


def rexgradient_studies() -> dict[str, Any]:
    """The studies of the test split by their composite keys."""
    clear = {"Findings": "Clear lungs.", "Impression": "No acute process."}
    effusion = {"Findings": "None", "Impression": "Small effusion."}
    studies = [
        rex_study("GRDNP1", "1.1", {"a": "PA", "b": "LATERAL"}, **clear),
        rex_study("GRDNP1", "1.2", {"c": "POSTERO_ANTERIOR"}, **effusion),
        rex_study("GRDNP2", "1.3", {"d": None, "e": "AP"}, Findings=float("nan")),
        rex_study("GRDNP3", "1.4", {}, **clear),
    ]
    return {
        f"{study['PatientID']}_A1_{study['StudyInstanceUid']}": study
        for study in studies
    }


def rexgradient(folder: Path, studies: dict[str, Any] | None = None) -> Path:
    """The folder `ReXGradient-160K` with `metadata/` and `deid_png/`."""
    root = folder / "ReXGradient-160K"
    (root / "metadata").mkdir(parents=True)
    written = rexgradient_studies() if studies is None else studies
    file = root / "metadata" / "test_metadata_view_position.json"
    file.write_text(json.dumps(written))
    for number, study in enumerate(written.values()):
        for path in study["ImagePath"]:
            save(root / path.removeprefix("../"), number)
    return root


def fairvlmed(folder: Path, *, test_folder: str = "Test") -> Path:
    """The folder `FairVLMed` with its table and a picture per patient."""
    root = folder / "FairVLMed"
    people = [
        ("data_08001.npz", "white", "Disc pale.", "Pale disc.", "yes", "test"),
        ("data_08002.npz", "black", "Disc pink.", "Pink disc.", "no", "test"),
        ("data_08003.npz", "asian", " ", "Nothing.", "no", "test"),
        ("data_00001.npz", "white", "For training.", "Training.", "no", "training"),
    ]
    rows = [
        (file, 61.2, "female", race, "non-hispanic", "english", "single", *others)
        for file, race, *others in people
    ]
    write_table(root / "data_summary.csv", FAIRVLMED_COLUMNS, rows)
    folders = {"test": test_folder, "training": "Training"}
    for number, (file, *_, use) in enumerate(people):
        fields = {"race": np.array(number), "glaucoma": np.array(1), "age": 61.2}
        save_npz(root / folders[use] / file, slo_fundus=fundus(number), **fields)
    return root


def fundus(seed: int) -> np.ndarray[Any, Any]:
    """(40, 32) grey values as the archives hold them, with every value up to 255."""
    values = np.array(picture(seed))
    values[0, 0] = 255
    return values


def save_npz(file: Path, **arrays: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **arrays)
    return file


def skincap(folder: Path) -> Path:
    """The folder `SkinCAP` with its table and `skincap/`."""
    root = folder / "SkinCAP"
    rows = [
        (1, "1.png", "一", "一。", "A red papule on the arm.", "acne", 0, 1, 2),
        (2, "2.png", "二", "二。", "Scales,\nwith a comma.", "psoriasis", 0, 0, 6),
        (3, "3.png", "三", "三。", "Blurred.", "acne", 1, 0, ""),
        (4, "4.png", "四", "四。", "", "", 0, 0, 1),
    ]
    write_table(root / "skincap_v240623.csv", SKINCAP_COLUMNS, rows)
    for number in (1, 2):
        file = root / "skincap" / f"{number}.png"
        file.parent.mkdir(exist_ok=True, parents=True)
        Image.merge("RGB", [picture(number)] * 3).save(file)
    save(root / "skincap" / "not_include" / "3.png", 3)
    return root


def quilt_row(
    number: int, caption: str, image: str, source: str, split: str, pathology: str
) -> tuple[object, ...]:
    """A row of `quilt_1M_lookup.csv`."""
    ids = "[[{'entity': 'nucleus'}]]"
    return (
        *(number, caption, image, source, split, pathology, "['region']"),
        *("noisy words", "corrected words", ids, 1.0, 512),
    )


def quilt_1m(folder: Path) -> Path:
    """The folder `quilt-1m` with its table and two unpacked parts."""
    root = folder / "quilt-1m"
    frame = "v1_image_{}.jpg"
    skin = "['Dermatopathology', 'Soft tissue']"
    rows = [
        quilt_row(0, "Large nuclei.", frame.format("aa"), "quilt", "val", skin),
        quilt_row(1, "Mitoses.", frame.format("aa"), "quilt", "val", skin),
        quilt_row(2, "Large nuclei.", frame.format("aa"), "quilt", "val", skin),
        quilt_row(3, "Fibrosis.", frame.format("bb"), "quilt", "val", "['Bone']"),
        quilt_row(4, "A tweet.", "1500.jpg", "openpath", "val", ""),
        quilt_row(5, "Training.", frame.format("cc"), "quilt", "train", "[]"),
    ]
    write_table(root / "quilt_1M_lookup.csv", QUILT_COLUMNS, rows)
    save(root / "images_part_1" / "quilt_1m" / frame.format("aa"), 1)
    save(root / "images_part_2" / "quilt_1m" / frame.format("bb"), 2)
    save(root / "images_part_2" / "quilt_1m" / "1500.jpg", 3)
    return root


def derm1m(folder: Path) -> Path:
    """The folder `Derm1M` with the table of its split for validation."""
    root = folder / "Derm1M"
    rows = [
        ("pubmed/1.png", "Papules on the face.", "acne", "a, acne", "papule", "p", "k"),
        ("youtube/2.jpg", "Silvery scales.", "psoriasis", "a, b", "scale", "y", "k"),
        ("pubmed/1.png", "A face with acne.", "acne", "a, acne", "papule", "p", "o"),
    ]
    table = write_table(root / "Derm1M_v2_validation.csv", DERM1M_COLUMNS, rows)
    # As published: with a byte order mark.
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    save(root / "pubmed" / "1.png", 1)
    save(root / "youtube" / "2.jpg", 2)
    return root


def all_of(folder: Path) -> None:
    """All trees of this module, in one folder."""
    for tree in (rexgradient, fairvlmed, skincap, quilt_1m, derm1m):
        tree(folder)

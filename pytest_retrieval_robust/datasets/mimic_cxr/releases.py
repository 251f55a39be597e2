"""Where the releases of MIMIC-CXR lie in the folders that a user gives."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from ...core.errors import DatasetError
from ...core.files import is_regular
from .._files.paths import require_file, require_root

_JPG_HOLDS = (
    "MIMIC-CXR-JPG's folder with files/ and the tables mimic-cxr-2.0.0-split.csv.gz and"
    " -metadata.csv.gz"
)
_REPORTS_HOLD = "MIMIC-CXR's folder with files/p10/..., or mimic-cxr-reports.zip"
_BELOW = (
    "{0}",
    "{0}/*",
    "files/{0}/*",
    "physionet.org/files/{0}/*",
    "*/physionet.org/files/{0}/*",
)
"""Where a release, whose own folder is `{0}`, lies in a folder of downloads.

As copied, or as wget leaves it.
"""
_ZIP = "mimic-cxr-reports.zip"


def images_root(images: str | Path, name: str) -> Path:
    """The root of MIMIC-CXR-JPG, or else that of MIMIC-CXR with its DICOM files."""
    folder = require_root(images, "images", name, _JPG_HOLDS)
    # JPEG first: reading DICOM files needs an extra.
    for release in ("mimic-cxr-jpg", "mimic-cxr"):
        root = _release_root(folder, release, _has_patients)
        if _has_patients(root):
            return root
    return folder


def tables_root(
    metadata: str | Path | None, images: str | Path | None, name: str
) -> Path:
    """The folder of MIMIC-CXR-JPG's tables: in `metadata`, or else in `images`."""
    if images is None and metadata is None:
        raise DatasetError(
            f"Expected images=FOLDER of {name} beside its reports ({_JPG_HOLDS}), got"
            " none. Its tables say which study is in which split: give images, or"
            " metadata=FOLDER to go without images."
        )
    folder = images if metadata is None else metadata
    root = require_root(folder, "metadata", name, "the tables of MIMIC-CXR-JPG")
    return _release_root(root, "mimic-cxr-jpg", _has_tables)


def table_of(folder: Path, kind: str, name: str) -> Path:
    """The `split` or `metadata` table."""
    tables = sorted(folder.glob(f"mimic-cxr-2.*-{kind}.csv*"))
    if not tables:
        raise DatasetError(
            f"Expected mimic-cxr-2.0.0-{kind}.csv.gz of {name} in {folder.name}, got"
            " none. It comes with MIMIC-CXR-JPG: copy it there, or give its folder as"
            " metadata."
        )
    return tables[0]


def label_table(labels: str | Path | None, tables: Path, name: str) -> Path | None:
    """The table of labels: the user's, or CheXpert's beside the others, if any."""
    if labels is not None:
        return require_file(labels, "labels", name, "study_id and one column per label")
    return next(iter(sorted(tables.glob("mimic-cxr-2.*-chexpert.csv*"))), None)


def report_source(reports: str | Path | None, name: str) -> Path:
    """The root of MIMIC-CXR with its reports, or their archive."""
    if reports is None:
        raise DatasetError(
            f"Expected reports=FOLDER or ZIP of {name} ({_REPORTS_HOLD}), got none:"
            " MIMIC-CXR-JPG holds no reports, they come with MIMIC-CXR. Give it to"
            f" load_dataset, or under [datasets.{name}] in robust.toml."
        )
    path = Path(reports).expanduser()
    if is_regular(path) and zipfile.is_zipfile(path):
        return path
    folder = require_root(reports, "reports", name, _REPORTS_HOLD)
    root = _release_root(folder, "mimic-cxr", _has_reports)
    archive = root / _ZIP
    # Unpacked reports are preferred to the archive beside them.
    if is_regular(archive) and not _has_patients(root):
        return archive
    return root


def _release_root(folder: Path, release: str, is_root: Callable[[Path], bool]) -> Path:
    """The root of a release in a folder that may lie above it.

    The folder itself if there is none below. Raises `DatasetError` for several versions.
    """
    # The folder itself first: below it there may be copies of other versions.
    if is_root(folder):
        return folder
    for pattern in _BELOW:
        folders = sorted(folder.glob(pattern.format(release)))
        roots = [root for root in folders if root.is_dir() and is_root(root)]
        # Which of two versions is meant decides the numbers: it is not guessed.
        if len(roots) > 1:
            versions = ", ".join(root.name for root in roots)
            raise DatasetError(
                f"Expected one version of {release} below the folder that was given,"
                f" got {len(roots)}: {versions}. Give the folder of one of them."
            )
        if roots:
            return roots[0]
    return folder


def _has_tables(folder: Path) -> bool:
    return any(folder.glob("mimic-cxr-2.*-split.csv*"))


def _has_patients(folder: Path) -> bool:
    """Whether a folder holds `files/p10/` or `p10/`, and so on."""
    for base in (folder / "files", folder):
        if any(path.is_dir() for path in base.glob("p1[0-9]")):
            return True
    return False


def _has_reports(folder: Path) -> bool:
    return (folder / _ZIP).is_file() or _has_patients(folder)

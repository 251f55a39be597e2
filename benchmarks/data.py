"""What real data costs: an index of MIMIC-CXR's size, WebDataset's memory, decoding.

`python -m benchmarks.data [index|webdataset|decoding]`. All data is generated. Times
and peaks are of child processes; what is compared with what runs in turns in one call.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

IMAGES = 377_110
STUDIES = 227_835
TEST_STUDIES = 3_269
_REPORT = (
    " FINAL REPORT\n FINDINGS:\n Study {study} is clear.\n \n"
    " IMPRESSION:\n No acute process {study}.\n"
)


def write_mimic_tables(root: Path) -> None:
    """Tables with as many rows as the real ones, and the test split's reports."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    study_of = np.sort(
        np.concatenate([np.arange(STUDIES), rng.integers(0, STUDIES, IMAGES - STUDIES)])
    )
    with (
        _new_table(root / "mimic-cxr-2.0.0-split.csv.gz") as split_table,
        _new_table(root / "mimic-cxr-2.0.0-metadata.csv.gz") as metadata,
    ):
        splits = csv.writer(split_table)
        views = csv.writer(metadata)
        splits.writerow(["dicom_id", "study_id", "subject_id", "split"])
        views.writerow(
            [
                "dicom_id",
                "subject_id",
                "study_id",
                "PerformedProcedureStepDescription",
                "ViewPosition",
            ]
        )
        for number, study in enumerate(study_of):
            image = "-".join(f"{part:08x}" for part in (number, study, 1, 2, 3))
            subject = 10_000_000 + study // 4
            split = "test" if study < TEST_STUDIES else "train"
            view = ("PA", "LATERAL")[number % 2]
            splits.writerow([image, 50_000_000 + study, subject, split])
            views.writerow(
                [image, subject, 50_000_000 + study, "CHEST (PA AND LAT)", view]
            )
    for study in range(TEST_STUDIES):
        report = root / _report_path(study)
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(_REPORT.format(study=study))


def _new_table(file: Path) -> TextIO:
    return gzip.open(file, "wt", newline="", compresslevel=1)


def _report_path(study: int) -> str:
    """Where MIMIC-CXR keeps a report; four studies belong to a patient."""
    subject = 10_000_000 + study // 4
    return f"files/p{str(subject)[:2]}/p{subject}/s{50_000_000 + study}.txt"


def write_reports_zip(archive: Path) -> None:
    """All reports as one archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for study in range(STUDIES):
            opened.writestr(_report_path(study), _REPORT.format(study=study))


_OPEN = """
import resource, sys, time
from pytest_retrieval_robust import load_dataset
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
dataset = load_dataset(sys.argv[1], **dict(part.split("=", 1) for part in sys.argv[2:]))
seconds = time.perf_counter() - start
images = len(dataset.image_ids)
if sys.argv[1] == "webdataset":
    for index in range(min(8, images)):
        dataset.image(index * (images // 8))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
grown = peak - before
print(f"{seconds:.2f} s, peak {peak / 1024:.0f} MB,"
      f" of which {grown / 1024:.0f} MB after the imports;"
      f" {len(dataset.image_ids)} images, {len(dataset.reports)} reports")
"""


def opened(name: str, cache: Path, **options: object) -> str:
    """What a fresh process prints of opening a data set."""
    words = [f"{key}={value}" for key, value in options.items()]
    environment = {**os.environ, "RETRIEVAL_ROBUST_CACHE": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", _OPEN, name, *words],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def index(folder: Path) -> None:
    root = folder / "mimic"
    write_mimic_tables(root)
    archive = folder / "mimic-cxr-reports.zip"
    write_reports_zip(archive)
    for split in ("test", "all"):
        for kind, reports in (("folder", root), ("zip", archive)):
            if (split, kind) == ("all", "folder"):
                continue  # 227,835 files: the disk's own time
            options = {"metadata": root, "reports": reports, "split": split}
            cache = folder / f"cache-{split}-{kind}"
            for start in ("first", "second", "third"):
                printed = opened("mimic-cxr", cache, **options)
                print(f"split={split}, {kind}, {start} start: {printed}")


def write_shard(file: Path, first: int, count: int, picture: bytes) -> None:
    with tarfile.open(file, "w") as shard:
        for number in range(first, first + count):
            for kind, content in (
                ("png", picture),
                ("txt", f"report {number}".encode()),
            ):
                member = tarfile.TarInfo(f"{number:08d}.{kind}")
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))


def webdataset(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    picture = buffer.getvalue()
    for count in (1, 4, 16):
        shards = folder / f"shards-{count}"
        shards.mkdir()
        for number in range(count):
            write_shard(shards / f"{number:04d}.tar", number * 100, 100, picture)
        size = sum(file.stat().st_size for file in shards.iterdir()) / 1e6
        printed = opened("webdataset", folder / "cache", path=shards)
        print(f"{count:>3} shards, {size:.0f} MB: {printed}")


def decoding(folder: Path) -> None:
    """A sweep's decoding and preparing with one thread and with as many as it uses, in turns."""
    from concurrent.futures import ThreadPoolExecutor

    from pytest_retrieval_robust import load_dataset, load_model
    from pytest_retrieval_robust.measure.sweep.feed import DECODERS

    slope = np.add.outer(np.arange(2500), np.arange(2000)) / 20
    smooth = slope + np.random.default_rng(0).normal(0, 6, (2500, 2000))
    with (folder / "table.csv").open("w", encoding="utf-8") as table:
        table.write("image,report\n")
        for number in range(48):
            image = Image.fromarray(np.clip(smooth + number, 0, 255).astype(np.uint8))
            image.save(folder / f"{number}.jpg", quality=95)
            table.write(f"{number}.jpg,report {number}\n")
    dataset = load_dataset("table", path=folder / "table.csv")
    model = load_model("tiny-cxr-clip", device="cpu")

    def prepare(number: int) -> object:
        return model.prepare(dataset.image(number))

    ratios = []
    for _ in range(7):
        seconds = []
        for workers in (1, DECODERS):
            with ThreadPoolExecutor(workers) as pool:
                start = time.perf_counter()
                list(pool.map(prepare, range(48)))
                seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
        print(
            f"1 thread {48 / seconds[0]:.1f} images/s, {DECODERS} threads"
            f" {48 / seconds[1]:.1f}: {ratios[-1]:.2f} times"
        )
    print(f"median of 7: {sorted(ratios)[3]:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"index": index, "webdataset": webdataset, "decoding": decoding}
    parser.add_argument("part", nargs="?", choices=tuple(parts))
    chosen = parser.parse_args().part
    for name, measure in parts.items():
        if chosen in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                print(f"{name}:")
                measure(Path(folder))


if __name__ == "__main__":
    main()

"""Real data's costs: the index of a data set of MIMIC-CXR's size, WebDataset's memory,
decoding beside encoding.

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

import numpy as np
from PIL import Image

IMAGES, STUDIES, TEST_STUDIES = 377_110, 227_835, 3_269


def write_mimic_tables(root: Path) -> None:
    """Split and metadata tables with as many rows as the real ones, and the test
    split's reports.
    """
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    study_of = np.sort(
        np.concatenate([np.arange(STUDIES), rng.integers(0, STUDIES, IMAGES - STUDIES)])
    )
    split_table, metadata = (
        "mimic-cxr-2.0.0-split.csv.gz",
        "mimic-cxr-2.0.0-metadata.csv.gz",
    )
    with (
        gzip.open(root / split_table, "wt", newline="", compresslevel=1) as first,
        gzip.open(root / metadata, "wt", newline="", compresslevel=1) as second,
    ):
        splits, views = csv.writer(first), csv.writer(second)
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
            subject, split = (
                10_000_000 + study // 4,
                "test" if study < TEST_STUDIES else "train",
            )
            splits.writerow([image, 50_000_000 + study, subject, split])
            views.writerow(
                [
                    image,
                    subject,
                    50_000_000 + study,
                    "CHEST (PA AND LAT)",
                    ("PA", "LATERAL")[number % 2],
                ]
            )
    for study in range(TEST_STUDIES):
        subject = 10_000_000 + study // 4
        folder = root / "files" / f"p{str(subject)[:2]}" / f"p{subject}"
        folder.mkdir(parents=True, exist_ok=True)
        text = (
            f" FINAL REPORT\n FINDINGS:\n Study {study} is clear.\n \n IMPRESSION:\n No"
            f" acute process {study}.\n"
        )
        (folder / f"s{50_000_000 + study}.txt").write_text(text)


def write_reports_zip(archive: Path) -> None:
    """All reports as one archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for study in range(STUDIES):
            subject = 10_000_000 + study // 4
            text = (
                f" FINAL REPORT\n FINDINGS:\n Study {study} is clear.\n \n"
                f" IMPRESSION:\n No acute process {study}.\n"
            )
            opened.writestr(
                f"files/p{str(subject)[:2]}/p{subject}/s{50_000_000 + study}.txt", text
            )


_OPEN = """
import resource, sys, time
from pytest_retrieval_robust import load_dataset
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
dataset = load_dataset(sys.argv[1], **dict(part.split("=", 1) for part in sys.argv[2:]))
seconds = time.perf_counter() - start
for index in range(min(8, len(dataset.image_ids))) if sys.argv[1] == "webdataset" else ():
    dataset.image(index * (len(dataset.image_ids) // 8))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{seconds:.2f} s, peak {peak / 1024:.0f} MB, of which {(peak - before) / 1024:.0f} MB after the imports; "
      f"{len(dataset.image_ids)} images, {len(dataset.reports)} reports")
"""


def opened(name: str, cache: Path, **options: object) -> str:
    """What a fresh process says of opening a data set."""
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
                print(
                    f"split={split}, {kind}, {start} start:"
                    f" {opened('mimic-cxr', cache, **options)}"
                )


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
    for shards in (1, 4, 16):
        place = folder / f"shards-{shards}"
        place.mkdir()
        for number in range(shards):
            write_shard(
                place / f"{number:04d}.tar", number * 100, 100, buffer.getvalue()
            )
        size = sum(file.stat().st_size for file in place.iterdir()) / 1e6
        print(
            f"{shards:>3} shards, {size:.0f} MB:"
            f" {opened('webdataset', folder / 'cache', path=place)}"
        )


def decoding(folder: Path) -> None:
    """A sweep's decoding and preparing with one thread and with as many as it uses, in turns."""
    from concurrent.futures import ThreadPoolExecutor

    from pytest_retrieval_robust import load_dataset, load_model
    from pytest_retrieval_robust.measure.sweep.feed import DECODERS

    smooth = np.add.outer(
        np.arange(2500), np.arange(2000)
    ) / 20 + np.random.default_rng(0).normal(0, 6, (2500, 2000))
    with (folder / "table.csv").open("w", encoding="utf-8") as table:
        table.write("image,report\n")
        for number in range(48):
            image = Image.fromarray(np.clip(smooth + number, 0, 255).astype(np.uint8))
            image.save(folder / f"{number}.jpg", quality=95)
            table.write(f"{number}.jpg,report {number}\n")
    dataset, model = (
        load_dataset("table", path=folder / "table.csv"),
        load_model("tiny-cxr-clip", device="cpu"),
    )
    ratios = []
    for _ in range(7):
        seconds = []
        for workers in (1, DECODERS):
            with ThreadPoolExecutor(workers) as pool:
                start = time.perf_counter()
                list(
                    pool.map(
                        lambda number: model.prepare(dataset.image(number)), range(48)
                    )
                )
                seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
        print(
            f"1 thread {48 / seconds[0]:.1f} images/s, {DECODERS} threads"
            f" {48 / seconds[1]:.1f}: {ratios[-1]:.2f} times"
        )
    print(f"median of 7: {sorted(ratios)[3]:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("index", "webdataset", "decoding"))
    what = parser.parse_args().what
    for name, measure in (
        ("index", index),
        ("webdataset", webdataset),
        ("decoding", decoding),
    ):
        if what in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                print(f"{name}:")
                measure(Path(folder))


if __name__ == "__main__":
    main()

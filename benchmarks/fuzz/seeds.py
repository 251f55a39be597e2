"""Write the honest inputs of the corpora: `python -m benchmarks.fuzz.seeds`.

The package's own writers, and the libraries that made the formats, make them. Other files
of a corpus were found by fuzzing, and stay.
"""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.hostile.archive_attempts import png_of
from benchmarks.hostile.archive_reports import report_xml
from benchmarks.hostile.archive_shards import tar_of
from benchmarks.hostile.image_files import CANARY, valid_images
from benchmarks.hostile.payloads import FORMS
from pytest_retrieval_robust.gate.ledger import Attempt, Ledger
from pytest_retrieval_robust.measure.drift.saved import write_fingerprint
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from tests.datasets.files import trees
from tests.measure.drift.test_saved import example
from tests.models.checkpoints import save_clip, save_open_clip

from .data_targets import REPORTS
from .model_targets import CLIP_FILES, OPEN_CLIP_FILES, bundle, honest_frames
from .saved_run import honest_run
from .saved_targets import SHARD_KEY, honest_arrays
from .target import CORPUS, HONEST

Inputs = Mapping[str, bytes]
"""The name of an input, without `honest-`, and its content."""

_TOML = f"""\
# {CANARY}
timeout = 60
[models.ours]
checkpoint = "weights"  # {CANARY}
[datasets.theirs]
loader = "table"
path = "t.csv"
[[gate]]
model = "ours"
level = 0.2
direction = "image-to-report"
decide = "bound"
confidence = 0.9
recall = {{ 1 = 0.1, 10 = 0.3 }}
retention = {{ 10 = 0.5 }}
[[gate]]
corruption = "*"
mce = {{ k = 10, max = 1.05 }}
"""
_OPTIONS = (
    *("patches,patches(grid=14,fill=mean)", "box(fill=noise)", "tiny-cxr-clip*"),
    *("synthetic-cxr", "patches(grid=14)", "jpeg", "typos", "mrr"),
    *("0,0.1,0.3", "0.2,1", "0,1,2", "1,5,10", "cpu", "fp32", "host", "local"),
    *("NVIDIA H100", "auto", "64", "100", "16", "20GB", "60"),
)
"""One per option, in the order of `settings_targets`."""
_MIMIC = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough.

 FINDINGS:

 The lungs are clear.

 IMPRESSION:

 No acute process.
"""


def seeds(folder: Path) -> Mapping[str, Inputs]:
    """The honest inputs of each target; what makes them may write into `folder`."""
    return {
        **_settings(),
        **_saved(folder),
        **_pictures(),
        **_data(folder),
        **_models(folder),
    }


def _settings() -> Mapping[str, Inputs]:
    submission = {"name": "ours", "link": "https://example.org/ours", "run": "run"}
    return {
        "robust-toml": {"gates.toml": _TOML.encode()},
        "options": {
            f"{number:02}": bytes([number]) + text.encode()
            for number, text in enumerate(_OPTIONS)
        },
        "submissions": {"form.json": json.dumps(submission).encode()},
    }


def _saved(folder: Path) -> Mapping[str, Inputs]:
    run = honest_run(folder / "run")
    ledger = Ledger()
    for number in range(2):
        attempt = Attempt(
            run=f"run-{number}",
            started="2026-01-01T00:00:00+00:00",
            version="0.2.0",
            weights="a" * 64,
            baseline="b" * 64,
            reference=None,
            gates="c" * 64,
            judged="2026-01-01T00:01:00+00:00",
            verdict="PASSED",
        )
        ledger = ledger.with_line(ledger.next_line(attempt))
    fingerprint = folder / "ours.json"
    write_fingerprint(example(), fingerprint)
    store = EmbeddingStore(folder / "embeddings")
    store.save(SHARD_KEY, honest_arrays(), {"made": "by a fuzzer"})
    (shard,) = store.files()
    return {
        "run-json": {"run.json": (run / "run.json").read_bytes()},
        "ranks": {"ranks.npz": (run / "ranks.npz").read_bytes()},
        "attempts": {"two.jsonl": "".join(line.text for line in ledger.lines).encode()},
        "fingerprints": {"ours.json": fingerprint.read_bytes()},
        "shards": {"shard.npz": shard.path.read_bytes()},
    }


def _pictures() -> Mapping[str, Inputs]:
    inputs: dict[str, dict[str, bytes]] = {}
    for kind, content in valid_images().items():
        target = kind.split(",")[0].split(" ")[0].lower()
        name = "".join(sign if sign.isalnum() else "-" for sign in kind.lower())
        inputs.setdefault(target, {})[name] = content
    inputs["png-bits"] = {"png-of-12-bits": _png_of_12_bits()}
    inputs["dicom"] |= {
        "dicom-rle": _compressed_dicom("1.2.840.10008.1.2.5"),
        "dicom-jpeg-2000": _jpeg_dicom("JPEG2000", "1.2.840.10008.1.2.4.90"),
        "dicom-jpeg": _jpeg_dicom("JPEG", "1.2.840.10008.1.2.4.50"),
    }
    return inputs


def _grey() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 12), dtype=np.uint8)
    return Image.fromarray(pixels)


def _png_of_12_bits() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.asarray(_grey()).astype(np.uint16) << 4).save(stream, "PNG")
    return stream.getvalue()


def _compressed_dicom(syntax: str) -> bytes:
    from pydicom import dcmread

    from benchmarks.hostile.image_files import dicom

    file = dcmread(io.BytesIO(dicom(np.asarray(_grey()))))
    file.compress(syntax)
    stream = io.BytesIO()
    file.save_as(stream)
    return stream.getvalue()


def _jpeg_dicom(kind: str, syntax: str) -> bytes:
    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    from benchmarks.hostile.image_files import dicom

    picture = io.BytesIO()
    _grey().save(picture, kind, **({"no_jp2": True} if kind == "JPEG2000" else {}))
    file = dcmread(io.BytesIO(dicom(np.asarray(_grey()))))
    file.file_meta.TransferSyntaxUID = UID(syntax)
    file.PixelData = encapsulate([picture.getvalue()])
    file["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    file.save_as(stream)
    return stream.getvalue()


def _data(folder: Path) -> Mapping[str, Inputs]:
    rows = [
        {
            "image": f"{number}.png",
            "report": f"{CANARY} text {number}",
            "name": f"{CANARY}-{number}",
            "patient": f"{CANARY}-p{number}",
            "study": f"s{number}",
            "view": "PA",
            "labels": "effusion;mass",
        }
        for number in range(2)
    ]
    header = ",".join(rows[0])
    table = "\n".join([header, *(",".join(row.values()) for row in rows)]) + "\n"
    lines = "\n".join(map(json.dumps, rows)) + "\n"
    shard = []
    for number in range(2):
        fields = {"report": f"{CANARY} {number}", "patient": f"{CANARY}-{number}"}
        shard.append((f"{number}.png", png_of(number)))
        shard.append((f"{number}.json", json.dumps(fields).encode()))
    trees.mimic(folder / "mimic")
    xml = report_xml(f"{CANARY} Clear lungs.")
    edits = [
        {"original": text, "edited": f"{text} {CANARY}.", "kind": "size", "id": CANARY}
        for text in REPORTS
    ]
    edited_lines = "\n".join(map(json.dumps, edits)) + "\n"
    quoted = [",".join(f'"{value}"' for value in edit.values()) for edit in edits]
    edited_table = "\n".join(["original,edited,kind,id", *quoted]) + "\n"
    align = {
        "mimic": {
            f"{CANARY}-{number}": {"report": text, "negation": f"No. {text}"}
            for number, text in enumerate(REPORTS)
        }
    }
    return {
        "table-csv": {"table.csv": table.encode()},
        "table-csv-gz": {"table.csv.gz": gzip.compress(table.encode(), mtime=0)},
        "table-jsonl": {"table.jsonl": lines.encode()},
        "table-parquet": {"table.parquet": _parquet(rows)},
        "webdataset": {"shard.tar": tar_of(shard)},
        "mimic-sections": {"report.txt": _MIMIC.encode()},
        "mimic-reports": {
            "reports.zip": trees.mimic_zip(folder / "mimic").read_bytes()
        },
        "open-i": {"report.xml": xml},
        "open-i-archive": {"reports.tar": tar_of([("1.xml", xml)])},
        "edits-csv": {"edits.csv": edited_table.encode()},
        "edits-jsonl": {"edits.jsonl": edited_lines.encode()},
        "edits-json": {"align.json": json.dumps(align).encode()},
        "hugging-face": {"test.parquet": _hugging_face()},
    }


def _parquet(rows: list[dict[str, str]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    names = ("image", "report")
    columns = {name: [row[name] for row in rows] for name in names}
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def _hugging_face() -> bytes:
    from datasets import Dataset
    from datasets import Image as ImageFeature

    images = [{"bytes": png_of(number), "path": None} for number in range(2)]
    texts = [f"{CANARY} {number}" for number in range(2)]
    data = Dataset.from_dict({"image": images, "text": texts})
    stream = io.BytesIO()
    data.cast_column("image", ImageFeature()).to_parquet(stream)
    return stream.getvalue()


def _models(folder: Path) -> Mapping[str, Inputs]:
    import torch
    from safetensors.torch import save

    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
    content = {"state_dict": state, "epoch": 3, "config": {"name": "x"}}
    files = {}
    for form, (write, suffix) in FORMS.items():
        file = folder / f"{form}{suffix}"
        write(content, file)
        files[form] = file.read_bytes()
    clip = save_clip(folder / "clip")
    open_clip = save_open_clip(folder / "open-clip")
    frames = honest_frames()
    return {
        "safetensors": {"weights.safetensors": save(state)},
        "torch-zip": {"weights.pt": files["zip"]},
        "torch-pickle": {"legacy.ckpt": files["legacy"]},
        "weights-archive": {"weights.zip": files["zip in a zip"]},
        "transformers-folder": {"clip.json": bundle(clip, CLIP_FILES)},
        "open-clip-folder": {"vit.json": bundle(open_clip, OPEN_CLIP_FILES)},
        "command-frames": {"answers": b"\xff" + frames},
        "command-pipes": {"answers": frames},
    }


def main() -> None:
    """Write every honest input, and print how large the corpora are."""
    with tempfile.TemporaryDirectory() as scratch:
        for target, inputs in seeds(Path(scratch)).items():
            corpus = CORPUS / target
            corpus.mkdir(parents=True, exist_ok=True)
            for name, content in inputs.items():
                stem = name.replace(".", "-")
                (corpus / f"{HONEST}-{stem}.bin").write_bytes(content)
    for corpus in sorted(CORPUS.iterdir()):
        sizes = [file.stat().st_size for file in corpus.iterdir()]
        print(f"{corpus.name}: {len(sizes)} inputs, {sum(sizes):,} bytes")


if __name__ == "__main__":
    main()

"""Worlds in which something is wrong: each changes the project before a command runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from ..models.checkpoints import save_clip
from . import world
from .places import canary
from .users_code import PAIRS

Spoil = Callable[[Path], None]


def _image(project: Path) -> Path:
    return project / world.DATA / world.image_name(3)


def _changed_row(**changes: object) -> Spoil:
    """Row 4 of the table with other values."""

    def spoil(project: Path) -> None:
        rows = [world.row(number) for number in range(PAIRS)]
        rows[3] |= changes
        world.write_table(project, rows)

    return spoil


def _policy(old: str, new: str) -> Spoil:
    """`robust.toml` with one thing replaced."""

    def spoil(project: Path) -> None:
        assert old in world.POLICY
        (project / "robust.toml").write_text(world.POLICY.replace(old, new))

    return spoil


def image_missing(project: Path) -> None:
    _image(project).unlink()


def image_broken(project: Path) -> None:
    _image(project).write_bytes(b"\x89PNG\r\n" + canary("broken bytes").encode())


def image_a_fifo(project: Path) -> None:
    _image(project).unlink()
    os.mkfifo(_image(project))


def image_of_floats(project: Path) -> None:
    Image.new("F", (8, 8)).save(_image(project), "TIFF")


def dicom_that_warns(project: Path) -> None:
    """pydicom quotes a value that breaks its kind."""
    image = project / world.DATA / world.image_name(2)
    bad = canary("dicom header").encode()[:5]
    image.write_bytes(image.read_bytes().replace(b"1.2.3", bad))


def table_broken(project: Path) -> None:
    with (project / world.TABLE).open("a") as table:
        table.write(f'"{canary("broken bytes")}')


def table_not_utf8(project: Path) -> None:
    (project / world.TABLE).write_bytes(b"image,report\n\xff" + b"canaryofbrokenbytes")


def table_missing(project: Path) -> None:
    (project / world.TABLE).unlink()


def edits_broken(project: Path) -> None:
    with (project / world.DATA / "edits.csv").open("a") as table:
        table.write(f"{canary('edited report')},,,\n")


def policy_broken(project: Path) -> None:
    (project / "robust.toml").write_text(
        f"{world.POLICY}\n{canary('toml value')} = = 3\n"
    )


def policy_not_utf8(project: Path) -> None:
    (project / "robust.toml").write_bytes(world.POLICY.encode() + b"# \xff\n")


def policy_a_fifo(project: Path) -> None:
    (project / "robust.toml").unlink()
    os.mkfifo(project / "robust.toml")


def table_is_text(project: Path) -> None:
    before, _, after = world.POLICY.partition("[models.unused]")
    gates = after[after.index("[[gate]]") :]
    wrong = f'models.other = "/srv/{canary("toml value")}/step.pt"\n'
    (project / "robust.toml").write_text(wrong + before + gates)


path_is_a_list = _policy(
    f'path = "{world.TABLE}"', f'path = ["/srv/{canary("toml value")}/a.csv"]'
)
checkpoint_is_a_list = _policy(
    f'checkpoint = "/srv/{canary("toml value")}/step.pt"',
    f'checkpoint = ["/srv/{canary("toml value")}/step.pt"]',
)


def checkpoint(project: Path) -> None:
    """A folder of transformers, above which and in whose texts canaries are."""
    folder = save_clip(_checkpoint(project))
    words = folder / "tokenizer.json"
    named = words.read_text().replace('"heart"', f'"{canary("tokenizer")}"')
    # A word that is in one report alone: not all reports are one text to the model.
    words.write_text(named.replace('"large"', '"1"'))
    settings = folder / "config.json"
    content = json.loads(settings.read_text())
    content["_name_or_path"] = f"/srv/{canary('tokenizer')}/clip"
    settings.write_text(json.dumps(content))
    with (folder / "README.md").open("a") as readme:
        readme.write(f"{canary('tokenizer')}\n")


def _checkpoint(project: Path) -> Path:
    return project.parents[1] / canary("checkpoint") / "candidate"


def _broken(name: str) -> Spoil:
    """The checkpoint with a file of other bytes."""

    def spoil(project: Path) -> None:
        checkpoint(project)
        (_checkpoint(project) / name).write_text(f'{{"{canary("broken bytes")}: ')

    return spoil


settings_broken = _broken("config.json")
weights_broken = _broken("model.safetensors")
tokenizer_broken = _broken("tokenizer.json")


def tracking(project: Path) -> None:
    with (project / "robust.toml").open("a") as policy:
        address = f"http://jane:{canary('password')}@127.0.0.1:9"
        policy.write(f'[tracking]\nmlflow = "{address}"\n')


def address_with_password(project: Path) -> None:
    """Addresses where the package wants files."""
    address = f"https://jane:{canary('password')}@127.0.0.1:9"
    with (project / "robust.toml").open("a") as policy:
        policy.write(
            f'[datasets.remote]\nloader = "webdataset"\npath = "{address}/a.tar"\n'
            '[models.remote]\nloader = "open_clip"\narchitecture = "ViT-B-32"\n'
            f'checkpoint = "{address}/step.pt"\n'
        )


def suite_broken(project: Path) -> None:
    world.write_text(project / "gate/test_recall.py", "import nowhere_to_be_found\n")


def saved_run_broken(project: Path) -> None:
    run = project / "baseline/run.json"
    text = run.read_text()
    run.write_text(text[: len(text) // 2] + canary("broken bytes"))


def ranks_broken(project: Path) -> None:
    (project / "baseline/ranks.npz").write_bytes(canary("broken bytes").encode())


def shards_broken(project: Path) -> None:
    for shard in (project / "cache").rglob("*.npz"):
        shard.write_bytes(canary("broken bytes").encode())


def ledger_broken(project: Path) -> None:
    (project / "attempts.jsonl").write_text(f'{{"{canary("broken bytes")}": \n')


FAILURES: dict[str, Spoil] = {
    "gate not met": _policy(
        "recall = { 1 = 0.1 }", 'recall = { 1 = 1.0 }\ndecide = "bound"'
    ),
    "image missing": image_missing,
    "image broken": image_broken,
    "image a FIFO": image_a_fifo,
    "image of floats": image_of_floats,
    "DICOM that warns": dicom_that_warns,
    "image above the root": _changed_row(image=f"../{canary('elsewhere')}/a.png"),
    "image elsewhere": _changed_row(image=f"/{canary('elsewhere')}/a.png"),
    "id twice": _changed_row(id=world.row(2)["id"]),
    "two texts of one study": _changed_row(study=world.row(2)["study"]),
    "blank text": _changed_row(report=""),
    "table broken": table_broken,
    "table not UTF-8": table_not_utf8,
    "table missing": table_missing,
    "column missing": _policy('text = "report"', 'text = "reprot"'),
    "stratum missing": _policy('strata = ["site"]', 'strata = ["siet"]'),
    "edits broken": edits_broken,
    "policy broken": policy_broken,
    "policy not UTF-8": policy_not_utf8,
    "policy a FIFO": policy_a_fifo,
    "table is text": table_is_text,
    "path is a list": path_is_a_list,
    "checkpoint is a list": checkpoint_is_a_list,
    "checkpoint with canaries": checkpoint,
    "checkpoint's settings broken": settings_broken,
    "checkpoint's weights broken": weights_broken,
    "checkpoint's tokenizer broken": tokenizer_broken,
    "tracking": tracking,
    "address with a password": address_with_password,
    "unknown option": _policy('patient = "patient"', 'pateint = "patient"'),
    "suite broken": suite_broken,
    "saved run broken": saved_run_broken,
    "ranks broken": ranks_broken,
    "shards broken": shards_broken,
    "ledger broken": ledger_broken,
}
"""What may be wrong, by its name."""

"""Commands of `retrieval-robust`: as they should be, and with things that are wrong."""

from __future__ import annotations

from .commands import Command, shown
from .places import canary
from .running import PRINTED

_CACHE = "--cache-dir={project}/cache"
_RANK = "rank toy clinic --tests=gate --level=0.2 --device=cpu"
_LOCAL = f"local-dir:{{project}}/../../{canary('checkpoint')}/candidate"
_RUNS = "{project}/baseline {project}/candidate"
ENCODE = Command(
    "encode --part=1/1 gate SETTINGS --robust-models=tiny-cxr-clip", "batch"
)
"""Of an embedded model, whose embeddings are kept: it fills the cache."""
TOOLS = (
    ENCODE,
    Command("encode --part=1/1 gate SETTINGS", "not kept", 1, failing="images"),
    Command("plan-run gate SETTINGS", "clinic"),
    Command("inspect clinic", "gallery: 8 reports"),
    Command("inspect clinic --images --against clinic", "gallery: 8 reports"),
    Command("inspect clinic --tests=gate --model=toy", "gallery: 8 reports"),
    Command("inspect clinic", "missing", 1, "image missing"),
    Command("inspect clinic --images", "broken", 1, "image broken"),
    Command("inspect clinic", "row", 2, "table broken"),
    Command("inspect clinic", "UTF-8", 2, "table not UTF-8"),
    Command("inspect clinic", "robust.toml", 2, "policy broken"),
    Command("inspect clinic", "robust.toml", 2, "table is text"),
    Command("inspect clinic", "Expected", 2, "path is a list"),
    Command(
        f"inspect clinic --model={_LOCAL}", "gallery: 8", 0, "checkpoint with canaries"
    ),
    Command(
        f"inspect clinic --model={_LOCAL}", "Error", 2, "checkpoint's weights broken"
    ),
    Command("inspect remote", "Expected", 2, "address with a password"),
    Command("inspect clinc", "clinc", 2),
    # Paths that are wrong, as they were typed.
    Command(
        "inspect clinic",
        "outside",
        2,
        "image elsewhere",
        shows=shown("data folder", PRINTED),
    ),
    Command(
        "inspect clinic",
        "no file",
        2,
        "table missing",
        shows=shown("data folder, table file", PRINTED),
    ),
    # The only way in which ids leave the data.
    Command(
        "inspect clinic --write-ids={project}/ids.csv --write-repeats={project}/two.csv",
        "8 ids written to ids.csv",
        shows=shown("image id", "ids.csv"),
    ),
    Command(_RANK, "rank"),
    Command(_RANK, "CanaryError", 2, failing="images"),
    Command("fingerprint toy --tests=gate --out={project}/toy.json", "toy.json"),
    Command("fingerprint toy --tests=gate", "CanaryError", 2, failing="images"),
    Command(f"store list {_CACHE}", "tiny-cxr-clip"),
    Command(f"store verify {_CACHE}", "damaged", 1, "shards broken"),
    Command(f"store prune --limit=0B {_CACHE}", "removed"),
    Command("plan --from={project}/candidate --policy={project}/robust.toml", "quer"),
    Command(
        "plan --from={project}/candidate --policy={project}/robust.toml",
        "robust.toml",
        2,
        "policy broken",
    ),
    Command("suggest {project}/candidate", "at least 100 patients", 1),
    Command(f"compare {_RUNS} --verbose", "toy"),
    Command(f"compare {_RUNS} --json", "toy"),
    Command(f"compare {_RUNS}", "run.json", 2, "saved run broken"),
    Command("compare {project}/gate {project}/candidate", "run.json", 2),
    Command("leaderboard {project}/baseline --out={project}/board", "board"),
    Command("card {project}/candidate --out={project}/card.md", ""),
    Command("table {project}/candidate --long", "clinic"),
    Command("plot {project}/candidate --out={project}/figure.svg", ""),
    Command("init {project}/suite", "copied"),
    Command("init {project}/gate", "Expected a folder without", 2),
    Command("serve --write={project}/serve.py", "serve.py"),
    Command("serve --write={project}/pytest.ini", "which exists", 2),
)

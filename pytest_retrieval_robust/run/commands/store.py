"""`store`: what the embedding store holds, and how to make it smaller."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.shown_values import shown_place
from ...core.words import shown_size
from ._errors import Commands, reason_of, report_error, text_of

if TYPE_CHECKING:
    from ...measure.embeddings.store import EmbeddingStore, ShardFile

ACTIONS = ("list", "size", "prune", "verify")
_SHOWN = 10
"""Damaged shards that are listed."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "store", help="the embeddings that are kept: list, size, prune, verify"
    )
    parser.add_argument("action", nargs="?", default="list", choices=ACTIONS)
    parser.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="as --robust-cache-dir"
    )
    parser.add_argument(
        "--limit",
        metavar="SIZE",
        help="what prune leaves at most, as 500MB, 20GB or 0B (default: 20GB)",
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...core.atomic_files import cache_folder
    from ...core.errors import RobustError
    from ...measure.embeddings.store import FOLDER, EmbeddingStore
    from ..options import CACHE_LIMIT
    from ..typed_values import parse_size

    try:
        limit = parse_size("--limit", parsed.limit or CACHE_LIMIT)
    except RobustError as error:
        return report_error(text_of(error))
    try:
        store = EmbeddingStore(cache_folder(parsed.cache_dir) / FOLDER, limit)
        code, lines = store_lines(store, parsed.action, limit)
    except OSError as error:
        return report_error(
            f"Expected a cache folder that can be read, got: {reason_of(error)}. Fix"
            " --cache-dir."
        )
    for line in lines:
        print(line)
    return code


def store_lines(
    store: EmbeddingStore, action: str, limit: int | None
) -> tuple[int, list[str]]:
    """The exit status, 1 where `verify` finds damage, and the lines of one of `ACTIONS`."""
    if action == "list":
        return 0, [*_contents(store), _total(store)]
    if action == "prune":
        removed = _shown(store.prune(limit))
        return 0, [f"removed {removed}", _total(store)]
    if action == "verify":
        return _verification(store)
    return 0, [_total(store)]


def _contents(store: EmbeddingStore) -> Iterator[str]:
    """A line per model and data set."""
    from ...measure.embeddings.store import about_shard

    files: defaultdict[tuple[str, str], list[ShardFile]] = defaultdict(list)
    for file in store.files():
        # A damaged shard says nothing about itself.
        about = about_shard(file.path)
        content = str(about.get("holds", "damaged"))
        if "dataset" in about:
            content = f"images of {about['dataset']}"
        files[str(about.get("model", "?")), content].append(file)
    for model, content in sorted(files):
        yield f"{model}, {content}: {_shown(files[model, content])}"


def _total(store: EmbeddingStore) -> str:
    limit = shown_size(store.limit)
    return f"{_shown(store.files())} of at most {limit} in {shown_place(store.folder)}"


def _verification(store: EmbeddingStore) -> tuple[int, list[str]]:
    damaged = store.damaged()
    lines = [
        f"damaged: {file.path.relative_to(store.folder)}" for file in damaged[:_SHOWN]
    ]
    if damaged:
        lines.append(
            f"Expected whole shards, got {len(damaged)} damaged or foreign ones. They"
            " are never used, and are replaced when their images are next encoded."
            " Check the disk. You may delete them."
        )
    return int(bool(damaged)), [*lines, _total(store)]


def _shown(files: Iterable[ShardFile]) -> str:
    """How many shards, and how large they are together."""
    sizes = [file.size for file in files]
    plural = "" if len(sizes) == 1 else "s"
    return f"{len(sizes):,} shard{plural}, {shown_size(sum(sizes))}"

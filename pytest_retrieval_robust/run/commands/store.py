"""`python -m pytest_retrieval_robust store`: what the embedding store holds, and how to
make it smaller.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ...measure.embeddings.store import EmbeddingStore, ShardFile, about_shard

_SHOWN = 10
ACTIONS = ("list", "size", "prune", "verify")


def store_lines(
    store: EmbeddingStore, action: str, limit: int | None
) -> tuple[int, list[str]]:
    """The exit status (1 where `verify` finds damage) and the lines of one of `ACTIONS`."""
    if action == "list":
        return 0, [*_listed(store), _size(store)]
    if action == "prune":
        return 0, [_pruned(store.prune(limit)), _size(store)]
    if action == "verify":
        return _verified(store)
    return 0, [_size(store)]


@dataclass
class _Row:
    shards: int = 0
    size: int = 0

    def add(self, file: ShardFile) -> None:
        self.shards += 1
        self.size += file.size


def _listed(store: EmbeddingStore) -> Iterator[str]:
    rows: dict[tuple[str, str], _Row] = defaultdict(_Row)
    for file in store.files():
        about = about_shard(file.path)
        of = (
            f"images of {about['dataset']}"
            if "dataset" in about
            else str(about.get("holds", "damaged"))
        )
        rows[str(about.get("model", "?")), of].add(file)
    for (model, of), row in sorted(rows.items()):
        yield f"{model}, {of}: {_counted(row.shards)}, {shown_size(row.size)}"


def _size(store: EmbeddingStore) -> str:
    whole = _Row()
    for file in store.files():
        whole.add(file)
    return (
        f"{_counted(whole.shards)}, {shown_size(whole.size)} of at most"
        f" {shown_size(store.limit)} in {store.folder}"
    )


def _pruned(removed: list[ShardFile]) -> str:
    return (
        f"removed {_counted(len(removed))},"
        f" {shown_size(sum(file.size for file in removed))}"
    )


def _verified(store: EmbeddingStore) -> tuple[int, list[str]]:
    damaged = store.damaged()
    lines = [
        f"damaged: {file.path.relative_to(store.folder)}" for file in damaged[:_SHOWN]
    ]
    if damaged:
        lines.append(
            f"Expected whole shards, got {len(damaged)} damaged or foreign ones. They"
            " are never used, and written anew when their images are next encoded."
            " Check the disk. You may delete them."
        )
    return int(bool(damaged)), [*lines, _size(store)]


def _counted(shards: int) -> str:
    return f"{shards:,} shard{'' if shards == 1 else 's'}"


def shown_size(size: int) -> str:
    """Bytes for people.

    >>> shown_size(1_234_567)
    '1.2 MB'
    """
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"

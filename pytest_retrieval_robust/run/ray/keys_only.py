"""A store that keeps nothing, where an actor does not see the controller's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...measure.embeddings.store import EmbeddingStore

if TYPE_CHECKING:
    from numpy.typing import NDArray


class KeysOnly(EmbeddingStore):
    """Has batches get their keys, under which the controller keeps what is sent to it.

    It says that it keeps everything, because the controller will.
    """

    def __init__(self) -> None:
        # Below a file no folder can be made, whoever tries.
        super().__init__(Path(os.devnull, "none"))

    def within(self, *folders: str) -> EmbeddingStore:  # noqa: ARG002
        return self

    def load(self, key: str) -> dict[str, NDArray[Any]] | None:  # noqa: ARG002
        return None

    def save(
        self,
        key: str,  # noqa: ARG002
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG002
        about: Mapping[str, object],  # noqa: ARG002
    ) -> bool:
        return True

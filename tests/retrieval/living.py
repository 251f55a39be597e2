"""What torch holds in memory while something runs, counted exactly."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes how many results of torch's operations were alive at once, and their memory.

    Nothing of it depends on the allocator, as the memory of a process does.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        """Results alive at once."""
        self.most_bytes = 0
        """Memory of these; that of several views counts once, and as a whole."""
        self._alive: dict[int, weakref.ref[torch.Tensor]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf)
        storages = {}
        for reference in list(self._alive.values()):
            tensor = reference()
            if tensor is not None:
                storage = tensor.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
        self.most = max(self.most, len(self._alive))
        self.most_bytes = max(self.most_bytes, sum(storages.values()))
        return result

    def _watch(self, tensor: torch.Tensor) -> None:
        key = id(tensor)
        self._alive[key] = weakref.ref(tensor, lambda _: self._alive.pop(key, None))

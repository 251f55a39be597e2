"""What a checkpoint's pickle may hold, and the classes that stand for other libraries'."""

from __future__ import annotations

from collections import defaultdict

_OMEGACONF_NODES = (
    "Any",
    "Boolean",
    "Bytes",
    "Enum",
    "Float",
    "Integer",
    "InterpolationResult",
    "Path",
    "String",
)
# Settings, metrics and callbacks that published checkpoints pickle beside their
# weights. They are given classes that hold nothing, so that the tensors can be read
# with `weights_only=True` and none of these libraries is needed.
_INERT_NAMES = (
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.base.Container",
    "omegaconf.base.Node",
    "omegaconf.base.SCMode",
    *(f"omegaconf.nodes.{kind}Node" for kind in _OMEGACONF_NODES),
    "typing.Any",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "pytorch_lightning.callbacks.lr_monitor.LearningRateMonitor",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "_codecs.encode",
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
)


class _Inert:
    """Stands for an object of a library that is not needed; keeps nothing of it."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def _inert_class(name: str) -> type:
    """A class that holds nothing, for torch to use under that name."""
    # torch 2.4 knows a class by its own name and module alone, not by a name beside it.
    module, _, own_name = name.rpartition(".")
    return type(own_name, (_Inert,), {"__module__": module})


ALLOWED: list[type] = [
    *(_inert_class(name) for name in _INERT_NAMES),
    defaultdict,
    dict,
    list,
    int,
]
"""What torch may build while it reads a pickle, beside tensors and plain values."""

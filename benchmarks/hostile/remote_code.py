"""Folders that bring code along, which must not run.

The code is in models, tokenizers, processors, loading scripts and pickles.
"""

from __future__ import annotations

import json
import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.core.errors import RobustError

from .children import in_children
from .payloads import Payload
from .trials import Check, Ground, Row, Trial

Write = Callable[[Path, Path], None]
"""Writes the folder; the second path is the canary, which must never be made."""


def _code(canary: Path) -> str:
    names = ("Config", "Model", "Tokenizer", "Processor", "Builder")
    classes = "\n".join(f"class {name}:\n    pass" for name in names)
    return f"open({str(canary)!r}, 'w').close()\n{classes}\n"


def _config(**more: object) -> str:
    towers = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    return json.dumps(
        {
            "model_type": "clip",
            "projection_dim": 8,
            "text_config": towers,
            "vision_config": towers,
            **more,
        }
    )


def _auto_map(**names: str) -> dict[str, object]:
    return {"auto_map": {name: f"code.{value}" for name, value in names.items()}}


def _model(folder: Path, canary: Path) -> None:
    (folder / "code.py").write_text(_code(canary))
    named = _auto_map(AutoConfig="Config", AutoModel="Model")
    (folder / "config.json").write_text(
        _config(**{**named, "model_type": "unheard-of"})
    )


def _known_model(folder: Path, canary: Path) -> None:
    (folder / "code.py").write_text(_code(canary))
    (folder / "config.json").write_text(
        _config(**_auto_map(AutoConfig="Config", AutoModel="Model"))
    )


def _tokenizer(folder: Path, canary: Path) -> None:
    (folder / "code.py").write_text(_code(canary))
    (folder / "config.json").write_text(_config())
    named = {
        "auto_map": {"AutoTokenizer": ["code.Tokenizer", None]},
        "tokenizer_class": "Tokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(named))


def _processor(folder: Path, canary: Path) -> None:
    (folder / "code.py").write_text(_code(canary))
    (folder / "config.json").write_text(_config())
    named = _auto_map(AutoImageProcessor="Processor", AutoProcessor="Processor")
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).write_text(
            json.dumps({**named, "image_processor_type": "Processor"})
        )


def _evil_bin(folder: Path, canary: Path) -> None:
    (folder / "config.json").write_text(_config())
    (folder / "pytorch_model.bin").write_bytes(
        pickle.dumps(Payload(os.system, f"touch {canary}"), protocol=2)
    )


def _evil_index(folder: Path, canary: Path) -> None:
    """An index of shards that leads to a pickle outside of the folder."""
    outside = folder.parent / "outside.bin"
    outside.write_bytes(pickle.dumps(Payload(os.system, f"touch {canary}"), protocol=2))
    (folder / "config.json").write_text(_config())
    index = {"metadata": {}, "weight_map": {"logit_scale": "../outside.bin"}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def _evil_open_clip(folder: Path, canary: Path) -> None:
    tower = {"image_size": 32, "layers": 1, "width": 16, "patch_size": 8}
    text = {
        "context_length": 8,
        "vocab_size": 100,
        "width": 16,
        "heads": 2,
        "layers": 1,
    }
    config = {
        "model_cfg": {"embed_dim": 8, "vision_cfg": tower, "text_cfg": text},
        "preprocess_cfg": {},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    evil = pickle.dumps(Payload(os.system, f"touch {canary}"), protocol=2)
    (folder / "open_clip_pytorch_model.bin").write_bytes(evil)


def _evil_extras(folder: Path, canary: Path) -> None:
    """Pickles that training leaves behind, and code that Python imports by itself."""
    evil = pickle.dumps(Payload(os.system, f"touch {canary}"), protocol=2)
    (folder / "config.json").write_text(_config())
    for name in (
        "training_args.bin",
        "optimizer.pt",
        "tokenizer.pkl",
        "pytorch_model.bin",
    ):
        (folder / name).write_bytes(evil)
    for name in ("conftest.py", "sitecustomize.py", "__init__.py", "setup.py"):
        (folder / name).write_text(_code(canary))


_MODELS: Mapping[str, Write] = {
    "auto_map, model of an unknown kind": _model,
    "auto_map, model of a known kind": _known_model,
    "auto_map, tokenizer": _tokenizer,
    "auto_map, processor": _processor,
    "a pickle as weights": _evil_bin,
    "an index that leads out": _evil_index,
    "an open_clip pickle": _evil_open_clip,
    "pickles and modules beside": _evil_extras,
}


def _script(folder: Path, canary: Path) -> None:
    (folder / f"{folder.name}.py").write_text(_code(canary))


def _script_and_data(folder: Path, canary: Path) -> None:
    _script(folder, canary)
    (folder / "data.csv").write_text("image,text\na.png,b\n")


_DATA: Mapping[str, Write] = {
    "a loading script": _script,
    "a loading script beside data": _script_and_data,
}


def rows(ground: Ground) -> Iterator[Trial]:
    checks: list[tuple[str, Check]] = [
        (name, partial(_refused, ground.place(name), write, False))
        for name, write in _MODELS.items()
    ]
    checks += [
        (name, partial(_refused, ground.place(name), write, True))
        for name, write in _DATA.items()
    ]
    yield from in_children(ground.some(checks, 4), seconds=60)


def _refused(place: Path, write: Write, data: bool) -> str | None:
    folder = place / "evil"
    canary = place / "canary"
    folder.mkdir()
    write(folder, canary)
    problem: str | None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if data:
                load_dataset("hugging-face", path=str(folder))
            else:
                load_model(f"local-dir:{folder}", device="cpu", download=False)
    except RobustError as error:
        problem = None
        if "weights_only=False" in str(error):
            problem = "advises to unpickle"
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
    else:
        problem = "it was loaded"
    if canary.exists():
        return "THE CODE WAS RUN"
    return problem


ROWS = (
    Row(
        "remote-code",
        "folders that bring code along: none of it runs, refused in a sentence",
        rows,
    ),
)

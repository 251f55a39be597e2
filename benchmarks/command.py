"""An encoder through `loader = "command"` against the same one in process.

    python -m benchmarks.command [ROUNDS [PAIRS]]

ViT-B/32 of open_clip with random weights. The two take turns in one process, each round
a sweep over the same pairs, so that a busy machine slows both alike; each figure is the
median of the rounds. The last lines are of the pipe alone: an encoder that does nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import open_clip
import torch

from pytest_retrieval_robust import (
    DualEncoder,
    encoder_from_command,
    evaluate,
    load_dataset,
    load_occluder,
)
from pytest_retrieval_robust.models import LoadRequest
from pytest_retrieval_robust.models._formats.open_clip import load_file
from pytest_retrieval_robust.models.command import HELPER

_ARCHITECTURE = "ViT-B-32"
_PAIRS = 64
_PIXELS = (64, 3, 224, 224)
_LOAD = """
def load(device, precision):
    global model, tokenizer, torch, mean, std
    import open_clip
    import torch

    model = open_clip.create_model(ARCHITECTURE, pretrained=None)
    model.load_state_dict(torch.load(WEIGHTS))
    model.eval()
    tokenizer = open_clip.get_tokenizer(ARCHITECTURE)
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).reshape(1, 3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).reshape(1, 3, 1, 1)
    return {"size": 224, "width": 512, "device": "cpu"}


def embed_images(pixels):
    with torch.no_grad():
        return model.encode_image((torch.from_numpy(pixels) - mean) / std)


def embed_texts(texts):
    with torch.no_grad():
        return model.encode_text(tokenizer(texts))
"""
_NOTHING = """
def load(device, precision):
    return {"size": 224, "width": 512, "device": "cpu"}


def embed_images(pixels):
    return np.ones((len(pixels), 512), dtype=np.float32)
"""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else _PAIRS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here = _in_process(folder)
        there = _served(folder, "vit", _LOAD)
        _compare(here, there, rounds, pairs)
        _time_pipe(_served(folder, "nothing", _NOTHING))


def _in_process(folder: Path) -> DualEncoder:
    torch.manual_seed(0)
    network = open_clip.create_model(_ARCHITECTURE, pretrained=None)
    weights = folder / "weights.pt"
    torch.save(network.state_dict(), weights)
    return load_file("vit", _ARCHITECTURE, weights, LoadRequest(), source="random")


def _served(folder: Path, name: str, functions: str) -> DualEncoder:
    text = HELPER.read_text(encoding="utf-8")
    before, own, protocol = text.split("\n# -----")
    values = f"\nARCHITECTURE = {_ARCHITECTURE!r}\nWEIGHTS = 'weights.pt'\n"
    file = folder / f"{name}.py"
    # What is defined last counts.
    filled = "\n# -----".join((before, own + values + functions, protocol))
    file.write_text(filled, encoding="utf-8")
    return encoder_from_command(
        name, [sys.executable, file.name], folder=folder, device="cpu"
    )


def _compare(here: DualEncoder, there: DualEncoder, rounds: int, pairs: int) -> None:
    dataset = load_dataset("synthetic-cxr", pairs=pairs)
    occluder = load_occluder("patches")
    seconds: dict[str, list[float]] = {"in process": [], "command": []}
    cores: dict[str, list[float]] = {"in process": [], "command": []}
    # One round more: the first warms both up.
    for number in range(rounds + 1):
        turns = [("in process", here), ("command", there)]
        # Who goes first takes turns too.
        for name, model in turns[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            used = _core_seconds(there)
            evaluate(model, dataset, occluder, levels=(0.3,))
            seconds[name].append(time.perf_counter() - start)
            cores[name].append(_core_seconds(there) - used)
            print(f"round {number}, {name}: {seconds[name][-1]:.2f} s", flush=True)
    ratios = _ratios(seconds)
    for name, measured in seconds.items():
        print(f"{name}: {2 * pairs / median(measured[1:]):.1f} images per second")
    print(f"throughput of command over in process: {median(ratios):.3f}")
    print("rounds:", " ".join(f"{ratio:.3f}" for ratio in sorted(ratios)))
    print(f"core seconds, in process over command: {median(_ratios(cores)):.3f}")
    pixels = torch.rand(8, 3, 224, 224)
    apart = (here.encode_images(pixels) - there.encode_images(pixels)).abs().max()
    print(f"largest difference of a row's numbers: {float(apart):.1e}")


def _ratios(of_sides: Mapping[str, Sequence[float]]) -> list[float]:
    """In process over command, by rounds, without the first."""
    pairs = zip(of_sides["in process"][1:], of_sides["command"][1:], strict=True)
    return [own / served for own, served in pairs]


def _core_seconds(there: Any) -> float:
    """What this process and the served one have used of the cores so far."""
    pid = there._server._process._process.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _time_pipe(model: DualEncoder) -> None:
    pixels = torch.rand(_PIXELS)
    megabytes = pixels.nbytes / 1e6
    seconds = []
    for _ in range(11):
        start = time.perf_counter()
        model.encode_images(pixels)
        seconds.append(time.perf_counter() - start)
    print(
        f"the pipe alone: {median(seconds) * 1000:.0f} ms for a batch of"
        f" {megabytes:.0f} MB, {np.divide(megabytes / 1000, median(seconds)):.1f} GB/s"
    )


if __name__ == "__main__":
    main()

"""Which card it is, which versions and settings, and what it reaches at best."""

from __future__ import annotations

import itertools
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from pytest_retrieval_robust.measure.timing.hardware import hardware_name

from ..side_by_side import Action, in_turns, of_device
from .steps import Notebook, Setting

_ROUNDS = 5

_PACKAGES = (
    "pytest-retrieval-robust",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "pillow",
    "triton",
    "numba",
)
_DIMENSIONS = (8192, 518, 520, 576)
"""Widths of a product: the last but two is one that tensor cores cannot align."""


def run(setting: Setting, notebook: Notebook) -> None:
    notebook.fact("device", hardware_name(setting.device))
    notebook.fact("driver", _driver())
    notebook.fact("processor", f"{hardware_name('cpu')}, {_cores()} usable cores")
    notebook.fact("python", platform.python_version())
    notebook.fact("torch", f"{torch.__version__}, CUDA {torch.version.cuda}")
    notebook.fact("numpy", np.__version__)
    for package in _PACKAGES:
        notebook.fact(package, _version(package))
    backends: Any = torch.backends
    matmul = getattr(backends.cuda.matmul, "fp32_precision", "unknown")
    convolutions = getattr(backends.cudnn.conv, "fp32_precision", "unknown")
    notebook.fact("float32 products, torch's default", matmul)
    notebook.fact("float32 convolutions, torch's default", convolutions)
    reduced = backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    notebook.fact("sums of bfloat16 products in bfloat16", reduced)
    override = os.environ.get("NVIDIA_TF32_OVERRIDE", "not set")
    notebook.fact("NVIDIA_TF32_OVERRIDE", override)
    _copies(setting, notebook)
    _products(setting, notebook)


def _copies(setting: Setting, notebook: Notebook) -> None:
    count = setting.size(2**26, 2**20)

    def copy(_: int) -> Action:
        source = torch.rand(count, device=setting.device)
        target = torch.empty_like(source)
        return lambda: target.copy_(source)

    seconds = _seconds(_rotated(copy), setting)
    # Each float32 number is read and written.
    rates = [8 * count / taken / 1e12 for taken in seconds]
    notebook.figure("copy on the device", rates, "TB/s")


def _products(setting: Setting, notebook: Notebook) -> None:
    rows = setting.size(8192, 256)
    columns = setting.size(16384, 512)
    for dimension in _DIMENSIONS:
        width = dimension if not setting.quick else min(dimension, 576)
        left = torch.randn(rows, width, device=setting.device).bfloat16()
        right = torch.randn(columns, width, device=setting.device).bfloat16()

        def product(left: torch.Tensor = left, right: torch.Tensor = right) -> object:
            return left @ right.T

        seconds = _seconds(product, setting)
        work = 2 * rows * columns * width
        rates = [work / taken / 1e12 for taken in seconds]
        notebook.figure(f"bfloat16 product, K = {dimension}", rates, "TFLOP/s")


def _seconds(action: Action, setting: Setting) -> list[float]:
    return in_turns({"it": action}, setting.device, _ROUNDS, of_device)["it"]


def _rotated(make: Callable[[int], Action], count: int = 4) -> Action:
    """An action that goes round several buffers, so that the cache does not hold them."""
    actions = itertools.cycle([make(number) for number in range(count)])
    return lambda: next(actions)()


def _driver() -> str:
    if shutil.which("nvidia-smi") is None:
        return "none"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

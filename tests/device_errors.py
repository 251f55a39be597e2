"""The class of what a device itself reports: an older torch raises a RuntimeError."""

from __future__ import annotations

import torch

AcceleratorError: type[Exception] = getattr(torch, "AcceleratorError", RuntimeError)

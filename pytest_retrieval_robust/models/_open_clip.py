"""Dual encoders through open_clip, with the preprocessing that the checkpoint declares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import Normalize, ToTensor

from ..errors import ConfigError, ModelError, NotOnThisMachineError
from . import LoadRequest, ModelCard, Prepared
from ._checkpoint import licence_of, sha256_of, torch_dtype, unit_rows, weight_files
from ._geometry import Geometry


def load_tag(name: str, architecture: str, tag: str, request: LoadRequest) -> OpenClipEncoder:
    """An architecture with one of open_clip's published weight tags."""
    if open_clip.pretrained.get_pretrained_cfg(architecture, tag) == {}:
        known = open_clip.list_pretrained_tags_by_model(architecture)
        raise ConfigError(
            f"Expected an open_clip architecture with a published tag, got open_clip:{architecture}/{tag}. "
            f"Tags of {architecture}: {', '.join(known) or 'none'}."
        )
    return _load(name, architecture, tag, request, f"open_clip:{architecture}/{tag}", None)


def load_folder(name: str, folder: Path, request: LoadRequest, *, shown_source: str) -> OpenClipEncoder:
    """A folder with `open_clip_config.json` and weights, as open_clip's `push_to_hub` writes it."""
    return _load(name, f"local-dir:{folder}", None, request, shown_source, folder)


def load_repository(name: str, repository: str, request: LoadRequest) -> OpenClipEncoder:
    """A hub repository in open_clip's layout."""
    from ._hub import cached_folder

    return _load(name, f"hf-hub:{repository}", None, request, f"hf:{repository}", cached_folder(repository))


def _load(
    name: str, architecture: str, tag: str | None, request: LoadRequest, source: str, folder: Path | None
) -> OpenClipEncoder:
    with _offline_unless(request.may_download):
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                architecture, pretrained=tag, device="cpu", precision="fp32", weights_only=True
            )
            tokenizer = open_clip.get_tokenizer(architecture)
        except Exception as error:  # open_clip lets through whatever its readers raise
            raise _loading_error(name, error) from error
    files = weight_files(folder) if folder else []
    card = ModelCard(
        source=source,
        sha256=sha256_of(files),
        licence=licence_of(folder) if folder else None,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        context_length=int(tokenizer.context_length),
    )
    return OpenClipEncoder(name, model, preprocess, tokenizer, request, card)


def _loading_error(name: str, error: Exception) -> Exception:
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    absent = (LocalEntryNotFoundError, OfflineModeIsEnabled)
    if isinstance(error, absent) or isinstance(error.__cause__, absent) or "Failed to download" in str(error):
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub, got: {first_line} "
            "Run once where there is a network, or allow downloads (--robust-download)."
        )
    return ModelError(
        f"Expected a whole open_clip checkpoint for {name}, got {type(error).__name__}: {first_line} "
        "The architecture and the checkpoint must belong together; load or download the matching one."
    )


class _offline_unless:
    """open_clip has no switch for offline use: for the time of a load, the hub's own one is set."""

    def __init__(self, may_download: bool) -> None:
        self._may_download = may_download

    def __enter__(self) -> None:
        from huggingface_hub import constants

        self._before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = self._before or not self._may_download

    def __exit__(self, *_: object) -> None:
        from huggingface_hub import constants

        constants.HF_HUB_OFFLINE = self._before


def geometry_of(name: str, config: dict[str, Any]) -> Geometry:
    """The checkpoint's declared resize; `ModelError` unless it leads to one fixed square."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    if height != width:
        raise ModelError(f"Expected a square input of {name}, got size={size}. Register a loader of your own.")
    resize = {"squash": "exact", "longest": "longest", "shortest": "shortest"}[config.get("resize_mode") or "shortest"]
    return Geometry(resize, height, height)  # type: ignore[arg-type]  # one of the three, by the table


class OpenClipEncoder:
    """An open_clip dual encoder: geometry by its own transform, normalisation and encoding on the device."""

    def __init__(
        self, name: str, model: Any, preprocess: Any, tokenizer: Any, request: LoadRequest, card: ModelCard
    ) -> None:
        self.name, self.device = name, request.device
        config = dict(model.visual.preprocess_cfg)
        self._geometry = geometry_of(name, config)
        self.card = ModelCard(**{**card.__dict__, "input_size": self._geometry.side})
        self._dtype = torch_dtype(request.precision)
        self._model = model.to(device=request.device, dtype=self._dtype).eval()
        self._tokenizer = tokenizer
        self._shape = [step for step in preprocess.transforms if _is_geometry(step)]
        normalise = next(step for step in preprocess.transforms if isinstance(step, Normalize))
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(normalise.mean, device=request.device).reshape(shape)
        self._std = torch.tensor(normalise.std, device=request.device).reshape(shape)

    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's transform declares, kept at 8 bits."""
        shaped = image.convert("RGB")
        for step in self._shape:
            shaped = step(shaped)
        pixels = np.ascontiguousarray(np.asarray(shaped, dtype=np.uint8).transpose(2, 0, 1))
        return Prepared(pixels, self._geometry.frame(*image.size))

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        normalised = ((pixels - self._mean) / self._std).to(self._dtype)
        return unit_rows(self._model.encode_image(normalised))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(list(texts)).to(self.device)
        return unit_rows(self._model.encode_text(tokens))

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        context = int(self._tokenizer.context_length)
        return sum(self._length(text) > context for text in texts)

    def _length(self, text: str) -> int:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return len(inner(text)["input_ids"])
        return len(self._tokenizer.encode(text)) + 2  # start and end of text


def _is_geometry(step: Any) -> bool:
    return not isinstance(step, Normalize | ToTensor)

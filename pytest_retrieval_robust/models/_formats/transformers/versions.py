"""What transformers 4 and 5 call or give otherwise; all of it can go with transformers 4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import transformers
from torch import Tensor

IS_5 = int(transformers.__version__.split(".")[0]) >= 5
THROUGH_PIL: Mapping[str, Any] = {"backend": "pil"} if IS_5 else {"use_fast": False}
"""The option of an image processor that works on PIL's images."""


def pooled(features: Any) -> Tensor:
    """The features of `get_image_features` and `get_text_features`: version 5 returns
    them in an output object, version 4 as they are.
    """
    tensor = features if isinstance(features, Tensor) else features.pooler_output
    assert isinstance(tensor, Tensor)
    return tensor


def mismatched(keys: Iterable[Any], model: Any) -> list[tuple[str, Any, Any]]:
    """(key, stored shape, own shape) of what a load reports to be of another shape.

    Version 4 reports the keys alone: then the stored shape is None.
    """
    own = model.state_dict()
    return [
        (key, None, own[key].shape) if isinstance(key, str) else key for key in keys
    ]

"""Images decoded and prepared by torchvision on a model's device."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ...core.foreign import FOREIGN, let_go
from ...core.memory import is_out_of_memory
from ...datasets.file_content import plain_jpeg_of
from ...models.tensor_pictures import prepared_from_jpeg
from .decode import DecodedImage

if TYPE_CHECKING:
    from ...datasets import RetrievalDataset
    from ...models import DualEncoder

_KIND = b"the file of a JPEG that torchvision decoded"


def decoded_on_device(
    model: DualEncoder, dataset: RetrievalDataset, number: int
) -> DecodedImage | None:
    """A plain JPEG as the model wants it, but for rounding; None for any other image.

    Its digest is that of its file, because its pixels never come to the host. Whoever
    gets None decodes on the host, which also says what is wrong with a file.
    """
    try:
        jpeg = plain_jpeg_of(dataset, number)
    except FOREIGN as error:
        let_go(error)
        return None
    if jpeg is None:
        return None
    try:
        prepared = prepared_from_jpeg(model, jpeg.content, jpeg.mode)
    except FOREIGN as error:
        # Which images are decoded where must not depend on what else is on the device.
        if is_out_of_memory(error):
            raise
        let_go(error)
        return None
    if prepared is None:
        return None
    digest = hashlib.sha256(_KIND + jpeg.content).digest()
    return DecodedImage(prepared, digest)

"""Compiles the pass over the pixels for NVIDIA devices; none has to be there.

`python -m tests.occluders.compile_kernels`
"""

from __future__ import annotations

import re
from collections import Counter

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from pytest_retrieval_robust.occluders import _kernels

POINTERS = ("pixels", "out", "table", "fill", "priorities", "rows", "columns")
STRIDES = ("priorities_image", "rows_image", "columns_image")
PLAIN = ("threshold", "blocks", "fill_image", "fill_channel")
CONSTANTS = {
    "GRID": 16,
    "WIDTH": 224,
    "AREA": 224 * 224,
    "BLOCK": _kernels.BLOCK,
}
DEVICES = (75, 90)
"""Compute capabilities: T4, H100."""
CASES = (
    ("*bf16", "*bf16", 14, False),
    ("*fp32", "*fp32", 0, True),
    ("*u8", "*bf16", 0, False),
)
"""Pixels, output, the side of a cell (0: looked up) and whether the fill is a plane."""


def memory_operations(
    pixels: str, out: str, cell: int, is_plane: bool, device: int
) -> Counter[str]:
    """How often each kind of memory operation is in the compiled code, for a program's
    thread.
    """
    constants = {
        **CONSTANTS,
        "CELL_HEIGHT": cell,
        "CELL_WIDTH": cell,
        "HAS_TABLE": pixels != out,
        "HAS_FILL": True,
        "IS_PLANE": is_plane,
    }
    types = {"pixels": pixels, "priorities": "*i64", "rows": "*i16", "columns": "*i16"}
    signature = {}
    for name in _kernels.hide_pixels.arg_names:
        if name in constants:
            signature[name] = "constexpr"
        elif name in POINTERS:
            signature[name] = types.get(name, out)
        else:
            signature[name] = "i32"
    names = list(signature)
    # As torch's memory is, and sides of 224 pixels are.
    aligned = {
        (names.index(name),): [["tt.divisibility", 16]]
        for name in (*POINTERS, *STRIDES)
    }
    source = ASTSource(_kernels.hide_pixels, signature, constants, aligned)
    compiled = triton.compile(
        source,
        target=GPUTarget("cuda", device, 32),
        options={"enable_fp_fusion": False},
    )
    assert compiled.asm["cubin"]
    return Counter(re.findall(r"(?:ld|st)\.global[\w.]*", compiled.asm["ptx"]))


def main() -> None:
    bytes_of = {"*u8": 1, "*bf16": 2, "*fp32": 4}
    for device in DEVICES:
        for pixels, out, cell, is_plane in CASES:
            found = memory_operations(pixels, out, cell, is_plane, device)
            # Of 16 pixels a thread, in each of three channels.
            assert found["st.global.v4.b32"] == 3 * bytes_of[out], found
            assert found["ld.global.v4.b32"] >= 3 * bytes_of[pixels], found
            print(device, pixels, out, cell, dict(found))


if __name__ == "__main__":
    main()

"""Images as they lie on disks: kinds, depths, orientations, and what is wrong with them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError
from pytest_retrieval_robust.datasets._pixels.stored_image import (
    StoredImage,
    read_image,
)

from .pictures import (
    BLACK_IS_ZERO,
    FLOAT,
    LENGTH,
    RGB,
    SIGNED,
    UNSIGNED,
    WHITE_IS_ZERO,
    Page,
    animation,
    chunk,
    encoded,
    oriented,
    png_claiming,
    tiff,
    turned,
)
from .trees import picture, write_table

ORIENTATIONS = range(1, 9)


def shown(content: bytes, bits: int | None = None) -> np.ndarray[Any, Any]:
    return np.asarray(read_image(content, "the image", bits))


def asymmetric() -> Image.Image:
    """Blocks of 8 x 8 pixels that no turn and no mirror maps onto one another; JPEG and
    WebP keep them.
    """
    blocks = np.array([[0, 40, 80], [120, 160, 240]], dtype=np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((16, 16), dtype=np.uint8)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_lossless_kinds(kind: str) -> None:
    image = picture() if kind != "WEBP" else picture().convert("RGB")
    read = read_image(encoded(image, kind, lossless=True), "the image")
    assert np.array_equal(np.asarray(read), np.asarray(image))


def test_jpeg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(picture(), "JPEG", quality=95))
    assert np.array_equal(
        np.asarray(read_image(tmp_path / "a.jpg", "a")),
        np.asarray(Image.open(tmp_path / "a.jpg")),
    )


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "RGB"])
def test_eight_bit_modes_stay(mode: str) -> None:
    assert read_image(encoded(picture().convert(mode), "PNG"), "the image").mode == mode


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_stays_as_pillow_reads_it(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(encoded(picture().convert("CMYK"), kind))
    read = read_image(tmp_path / "a", "the image")
    assert read.mode == "CMYK"
    assert np.array_equal(np.asarray(read), np.asarray(Image.open(tmp_path / "a")))


def test_a_palette_keeps_its_transparent_colour() -> None:
    image = picture().convert("P")
    read = read_image(encoded(image, "PNG", transparency=3), "the image")
    assert read.info["transparency"] == 3
    assert np.array_equal(
        np.asarray(read.convert("RGB")), np.asarray(image.convert("RGB"))
    )


# --- upright


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_kind_is_turned_as_its_exif_says(
    kind: str, mode: str, orientation: int
) -> None:
    image = asymmetric().convert(mode)
    read = shown(
        oriented(
            image,
            kind,
            orientation,
            **{"quality": 95} if kind in ("JPEG", "WEBP") else {},
        )
    )
    expected = turned(np.asarray(image), orientation)
    if kind == "WEBP" and mode == "L":  # a WebP is always of colour
        expected = np.repeat(expected[..., None], 3, axis=2)
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).mean() < 4
    assert kind in ("JPEG", "WEBP") or np.array_equal(read, expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_turned_too(kind: str, orientation: int) -> None:
    values = (np.arange(6, dtype=np.uint16) * 13_107).reshape(
        2, 3
    )  # 0, 51, ... 255 after scaling
    read = shown(oriented(Image.fromarray(values), kind, orientation))
    assert np.array_equal(read, turned(values // 257, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_is_turned_by_its_own_tag(order: str, orientation: int) -> None:
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(
        shown(tiff(Page(values, orientation=orientation), order=order)),
        turned(values, orientation),
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(("bits", "order"), [(16, ">"), (12, "<")])
def test_a_deep_tiff_is_turned(bits: int, order: str, orientation: int) -> None:
    values = np.arange(6).reshape(2, 3) * (2**bits - 1) // 5
    read = shown(tiff(Page(values, bits, orientation=orientation), order=order))
    assert np.array_equal(read, turned(np.arange(6).reshape(2, 3) * 51, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_compressed_tiff_is_turned(compression: str, orientation: int) -> None:
    read = shown(oriented(asymmetric(), "TIFF", orientation, compression=compression))
    assert np.array_equal(read, turned(np.asarray(asymmetric()), orientation))


def test_nobody_can_turn_a_picture_once_more() -> None:
    from PIL import ImageOps

    read = read_image(oriented(asymmetric(), "JPEG", 6), "the image")
    assert read.size == (32, 48)
    assert ImageOps.exif_transpose(read).size == read.size
    assert "exif" not in read.info


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    assert np.array_equal(
        shown(oriented(asymmetric(), "PNG", value)), np.asarray(asymmetric())
    )


def test_a_damaged_exif_block_does_not_make_a_whole_picture_unreadable() -> None:
    assert np.array_equal(
        shown(encoded(asymmetric(), "PNG", exif=b"Exif\0\0II*\0\xff\xff")),
        np.asarray(asymmetric()),
    )


# --- visible


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_their_range(kind: str) -> None:
    values = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
    read = read_image(encoded(Image.fromarray(values), kind), "the image")
    assert read.mode == "L"
    assert np.array_equal(
        np.asarray(read), np.rint(values.astype(np.float64) * 255 / 65535)
    )


RAMP = [0, 1 / 4, 1 / 2, 1]
SEEN = [0, 64, 128, 255]


def ramp(bits: int, *, signed: bool = False) -> np.ndarray[Any, Any]:
    """Black, a quarter, a half and white, of as many bits."""
    white = 2 ** (bits - signed) - 1
    values: np.ndarray[Any, Any] = np.rint(np.array([RAMP]) * white)
    return values.astype(np.int64)


@pytest.mark.parametrize(
    ("bits", "order", "photometric", "sample_format"),
    [
        (2, "<", BLACK_IS_ZERO, UNSIGNED),
        (4, "<", BLACK_IS_ZERO, UNSIGNED),
        (8, ">", BLACK_IS_ZERO, UNSIGNED),
        (12, "<", BLACK_IS_ZERO, UNSIGNED),
        (16, "<", BLACK_IS_ZERO, UNSIGNED),
        (16, ">", BLACK_IS_ZERO, UNSIGNED),
        (2, ">", WHITE_IS_ZERO, UNSIGNED),
        (4, ">", WHITE_IS_ZERO, UNSIGNED),
        (8, "<", WHITE_IS_ZERO, UNSIGNED),
        (16, "<", WHITE_IS_ZERO, UNSIGNED),
        (8, "<", BLACK_IS_ZERO, SIGNED),
        (16, "<", BLACK_IS_ZERO, SIGNED),
        (16, ">", BLACK_IS_ZERO, SIGNED),
    ],
)
def test_white_of_a_tiff_is_where_its_tags_say(
    bits: int, order: str, photometric: int, sample_format: int
) -> None:
    """TIFF 6.0: white is 2**BitsPerSample - 1, and 0 where WhiteIsZero; of signed
    values the greatest.
    """
    values = ramp(bits, signed=sample_format == SIGNED)
    read = shown(tiff(Page(values, bits, photometric, sample_format), order=order))
    fine = {2: [0, 85, 170, 255], 4: [0, 68, 136, 255]}.get(
        bits, SEEN
    )  # the nearest of so few levels
    if bits == 8 and sample_format == SIGNED:
        fine = [0, 64, 129, 255]
    expected = fine if photometric == BLACK_IS_ZERO else [255 - level for level in fine]
    assert np.abs(read[0].astype(int) - expected).max() <= 1
    assert (read[0].min(), read[0].max()) == (0, 255)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, WHITE_IS_ZERO])
def test_one_bit(order: str, photometric: int) -> None:
    values = np.array([[0, 1, 1, 0]])
    read = shown(tiff(Page(values, 1, photometric), order=order))
    assert np.array_equal(
        read, (values == 1) if photometric == BLACK_IS_ZERO else (values == 0)
    )


@pytest.mark.parametrize(
    ("bits", "order", "photometric", "sample_format"),
    [
        (12, "<", WHITE_IS_ZERO, UNSIGNED),
        (12, ">", BLACK_IS_ZERO, UNSIGNED),
        (16, ">", WHITE_IS_ZERO, UNSIGNED),
        (16, "<", WHITE_IS_ZERO, SIGNED),
        (32, "<", WHITE_IS_ZERO, UNSIGNED),
        (32, ">", BLACK_IS_ZERO, UNSIGNED),
        (32, "<", BLACK_IS_ZERO, UNSIGNED),
        (32, ">", BLACK_IS_ZERO, SIGNED),
        (32, "<", BLACK_IS_ZERO, FLOAT),
    ],
)
def test_a_tiff_is_shown_right_or_refused(
    bits: int, order: str, photometric: int, sample_format: int
) -> None:
    """What Pillow does not read today it may read some day: then as its tags say, or not at all."""
    values = ramp(bits, signed=sample_format == SIGNED)
    try:
        read = shown(tiff(Page(values, bits, photometric, sample_format), order=order))
    except UnreadableImageError:
        return
    assert (
        np.abs(
            read[0].astype(int) - (SEEN if photometric == BLACK_IS_ZERO else SEEN[::-1])
        ).max()
        <= 1
    )


def test_thirty_two_bits_that_hold_sixteen_are_scaled_by_sixteen() -> None:
    assert np.array_equal(shown(tiff(Page(ramp(16), 32)))[0], SEEN)


def test_white_of_thirty_two_bits_has_to_be_given() -> None:
    with pytest.raises(
        UnreadableImageError, match=r"32-bit values up to 4294967295.*bits=32"
    ):
        shown(tiff(Page(ramp(32), 32)))
    assert np.array_equal(shown(tiff(Page(ramp(32), 32)), bits=32)[0], SEEN)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_values_below_0_have_no_known_black(bits: int) -> None:
    values = np.array([[-5, 0, 100]])
    with pytest.raises(
        UnreadableImageError,
        match=f"grey values of 0 or more, got {bits}-bit values from -5",
    ):
        shown(tiff(Page(values, bits, sample_format=SIGNED)))


def twelve_of_sixteen(kind: str) -> bytes:
    values = ramp(12).astype(np.uint16)
    return (
        encoded(Image.fromarray(values), kind)
        if kind == "PNG"
        else tiff(Page(values, 16), order=kind)
    )


@pytest.mark.parametrize("kind", ["PNG", "<", ">"])
def test_twelve_bits_in_sixteen_are_refused_until_their_number_is_given(
    kind: str,
) -> None:
    content = twelve_of_sixteen(kind)
    with pytest.raises(
        UnreadableImageError,
        match=r"at most 4095 of 65535, which is all but black.*bits=12",
    ):
        shown(content)
    assert np.array_equal(shown(content, bits=12)[0], SEEN)
    assert shown(content, bits=16).max() == 16


def test_twelve_bits_that_count_down_from_white_too() -> None:
    content = tiff(Page(ramp(12), 16, WHITE_IS_ZERO))
    with pytest.raises(UnreadableImageError, match="at most 4095 of 65535"):
        shown(content)
    assert np.array_equal(shown(content, bits=12)[0], [255, 191, 127, 0])


def test_values_beyond_the_bits_that_are_given_are_refused() -> None:
    with pytest.raises(
        UnreadableImageError,
        match="values that bits=10 can hold, got values up to 4095",
    ):
        shown(twelve_of_sixteen("PNG"), bits=10)


def test_a_black_picture_stays_one() -> None:
    assert (
        shown(encoded(Image.fromarray(np.zeros((2, 2), dtype=np.uint16)), "PNG")).max()
        == 0
    )


def sixteen_bit_colours(white: int) -> bytes:
    """A PNG of 1 x 2 pixels, black and white."""
    row = b"\0" + struct.pack(">6H", 0, 0, 0, white, white, white)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header),
        chunk(b"IDAT", zlib.compress(row)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_dark_colours_of_sixteen_bits_are_refused() -> None:
    assert shown(sixteen_bit_colours(65535)).max() == 255
    with pytest.raises(
        UnreadableImageError,
        match=r"16-bit colours that can be seen, got at most 15 of 255",
    ):
        shown(sixteen_bit_colours(4095))
    assert shown(sixteen_bit_colours(4095), bits=16).max() == 15
    with pytest.raises(
        UnreadableImageError, match=r"beside bits=12, got 16-bit colours"
    ):
        shown(sixteen_bit_colours(4095), bits=12)


@given(st.integers(9, 16), st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_levels_are_those_of_a_linear_scale(bits: int, values: list[int]) -> None:
    white = 2**bits - 1
    stored = np.array([[min(value, white) for value in values]], dtype=np.uint16)
    for content in (
        encoded(Image.fromarray(stored), "PNG"),
        tiff(Page(stored, 16), order=">"),
    ):
        assert np.array_equal(shown(content, bits=bits), np.rint(stored / white * 255))


def test_tifffile_reads_the_same(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = np.random.default_rng(0).integers(0, 65536, (7, 9), dtype=np.uint16)
    for order in "<>":
        for photometric in (
            ("minisblack", "miniswhite") if order == "<" else ("minisblack",)
        ):
            tifffile.imwrite(
                tmp_path / "a.tif", values, photometric=photometric, byteorder=order
            )
            levels = np.rint(tifffile.imread(tmp_path / "a.tif") / 65535 * 255)
            expected = levels if photometric == "minisblack" else 255 - levels
            assert np.array_equal(
                np.asarray(read_image(tmp_path / "a.tif", "a")), expected
            )


# --- one picture


def frames(count: int) -> list[Image.Image]:
    return [
        Image.fromarray(np.full((8, 8, 3), 60 * number, dtype=np.uint8))
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("kind", "word"), [("PNG", "frames"), ("WEBP", "frames"), ("TIFF", "pages")]
)
def test_a_file_of_several_pictures_is_refused(kind: str, word: str) -> None:
    with pytest.raises(
        UnreadableImageError,
        match=f"Expected one picture per file, got 3 {word}: the image",
    ):
        shown(animation(kind, frames(3)))
    assert shown(animation(kind, frames(1))).shape == (8, 8, 3)


GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize("copy", [{"subfile": 1}, {"subfile": 4}, {"old_subfile": 2}])
def test_smaller_copies_and_masks_of_a_tiff_are_no_further_pictures(
    copy: Any, order: str, big: bool
) -> None:
    content = tiff(Page(GREY), Page(GREY[:1], **copy), order=order, big=big)
    assert np.array_equal(shown(content), GREY)
    with pytest.raises(UnreadableImageError, match="got 2 pages"):
        shown(
            tiff(Page(GREY), Page(GREY), Page(GREY[:1], **copy), order=order, big=big)
        )
    with pytest.raises(
        UnreadableImageError, match="the picture on the first page, got a smaller copy"
    ):
        shown(tiff(Page(GREY[:1], **copy), Page(GREY), order=order, big=big))


@pytest.mark.parametrize(("order", "mark"), [("<", b"II\0*"), (">", b"MM*\0")])
def test_a_mark_in_the_wrong_order_hides_no_pages(order: str, mark: bytes) -> None:
    assert np.array_equal(shown(mark + tiff(Page(GREY), order=order)[4:]), GREY)
    with pytest.raises(UnreadableImageError, match="got 2 pages"):
        shown(mark + tiff(Page(GREY), Page(GREY), order=order)[4:])


def test_pages_that_lead_back_or_nowhere_end_there() -> None:
    assert np.array_equal(shown(tiff(Page(GREY), last=10**6)), GREY)
    first = tiff(Page(GREY))
    offset = int.from_bytes(first[4:8], "little")
    assert np.array_equal(shown(tiff(Page(GREY), last=offset)), GREY)


def test_pages_without_end_are_counted_to_a_thousand() -> None:
    with pytest.raises(UnreadableImageError, match="got 1000 pages or more"):
        shown(tiff(*[Page(GREY)] * 1200))


def test_a_tiff_of_too_few_strips_is_not_whole() -> None:
    """Pillow would leave the rows below black."""
    content = tiff(Page(GREY)).replace(
        struct.pack("<HHII", LENGTH, 4, 1, 2), struct.pack("<HHII", LENGTH, 4, 1, 9)
    )
    with pytest.raises(
        UnreadableImageError, match="a TIFF whose strips end before its last row"
    ):
        shown(content)


def mpo(kind: int) -> bytes:
    """A JPEG with a second picture behind it, which its index says to be of a kind."""
    from PIL import Image as images

    content = bytearray(
        encoded(frames(2)[0], "MPO", save_all=True, append_images=[frames(2)[1]])
    )
    image = images.open(__import__("io").BytesIO(content))
    assert image.format == "MPO"
    start = content.index(b"MPF\0") + 4
    order = "little" if content[start : start + 2] == b"II" else "big"
    entries = content.index(b"\x02\xb0" if order == "little" else b"\xb0\x02", start)
    entry = start + int.from_bytes(content[entries + 8 : entries + 12], order)  # type: ignore[arg-type]
    content[entry + 16 : entry + 20] = kind.to_bytes(4, order)  # type: ignore[arg-type]
    return bytes(content)


@pytest.mark.parametrize("kind", [0x020001, 0x020002, 0x020003])
def test_several_views_in_a_jpeg_are_refused(kind: int) -> None:
    with pytest.raises(UnreadableImageError, match="got 2 frames"):
        shown(mpo(kind))


@pytest.mark.parametrize("kind", [0x010001, 0x010002, 0x000000])
def test_thumbnails_and_gain_maps_of_a_jpeg_are_no_further_pictures(kind: int) -> None:
    assert shown(mpo(kind)).shape == (8, 8, 3)


# --- refused


def float_tiff() -> bytes:
    return encoded(Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)), "TIFF")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"hello", "no PNG, JPEG, TIFF, WebP or DICOM"),
        (
            b"\x08\0 hello, this is a text that begins as DICOM may",
            "no PNG, JPEG, TIFF, WebP or DICOM",
        ),
        (encoded(picture(size=(200, 200)), "PNG")[:-3000], "while it was decoded"),
        (encoded(picture(size=(200, 200)), "JPEG")[:-3000], "while it was decoded"),
        (png_claiming(60_000, 60_000), "decompression bomb"),
        (
            png_claiming(13_000, 13_000),
            "size=13000 x 13000, as a decompression bomb has",
        ),
        (float_tiff(), "floating-point values"),
        (
            tiff(
                Page(
                    np.zeros((2, 2, 3), dtype=np.int8),
                    photometric=RGB,
                    sample_format=SIGNED,
                )
            ),
            "TIFF that is damaged",
        ),
        (encoded(picture(), "GIF"), "no PNG"),
        (encoded(picture(), "PNG")[:20], "while it was decoded"),
    ],
    ids=[
        "empty",
        "text",
        "08",
        "cut-png",
        "cut-jpeg",
        "bomb",
        "169-million",
        "float",
        "signed",
        "gif",
        "head",
    ],
)
def test_what_cannot_be_read(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableImageError, match=rf"{said}.*: row 3 of its table\. \w+"
    ) as caught:
        read_image(content, "row 3 of its table")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    (tmp_path / "scan.png").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=said) as caught:
        read_image(tmp_path / "scan.png", "row 3 of its table")
    assert "scan" not in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_as_many_pixels_as_the_docs_say() -> None:
    """Pillow warns from 89 million on."""
    content = encoded(Image.new("1", (9_500, 9_500), 1), "PNG")
    assert read_image(content, "the image").size == (9_500, 9_500)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="no such file: row 1") as caught:
        read_image(tmp_path / "a.png", "row 1")
    assert caught.value.__context__ is None
    with pytest.raises(
        UnreadableImageError, match="got a folder where a file is expected: row 1"
    ):
        read_image(tmp_path, "row 1")
    with pytest.raises(
        UnreadableImageError, match="got a folder where a file is expected: row 1"
    ):
        StoredImage(tmp_path, "row 1").digest()


# --- the option


def of_twelve_bits(tmp_path: Path, **options: Any) -> Any:
    for number in range(3):
        values = ramp(12).astype(np.uint16)
        values[0, 1] += number
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    rows = [(f"{number}.png", f"Report {number}.") for number in range(3)]
    table = write_table(tmp_path / "t.csv", ["image", "report"], rows)
    return load_dataset("table", path=table, **options)


def test_a_data_set_is_told_its_bits(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="all but black"):
        of_twelve_bits(tmp_path).image(0)
    dataset = of_twelve_bits(tmp_path, bits=12)
    assert np.array_equal(np.asarray(dataset.image(0))[0], SEEN)


def test_inspect_tells_of_pictures_that_use_few_of_their_bits(tmp_path: Path) -> None:
    from pytest_retrieval_robust.measure.image_checks import check_images

    dataset = of_twelve_bits(tmp_path)
    for number in range(3):
        Image.fromarray(ramp(14).astype(np.uint16)).save(tmp_path / f"{number}.png")
    lines = check_images(dataset).lines
    assert (
        lines[-1]
        == "  16-bit images use 14 bits at most, so that none is brighter than 25 % of"
        " white: bits=14 shows them in full"
    )
    Image.fromarray(ramp(16).astype(np.uint16)).save(tmp_path / "0.png")
    assert lines[-1] not in check_images(dataset).lines


def test_bits_are_part_of_the_name_and_of_robust_toml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_twelve_bits(tmp_path)
    policy = tmp_path / "robust.toml"
    policy.write_text('[datasets.deep]\nloader = "table"\npath = "t.csv"\nbits = 12\n')
    assert main(["inspect", "deep", "--config", str(policy), "--images"]) == 0
    lines = pytest.LineMatcher(capsys.readouterr().out.splitlines())
    lines.fnmatch_lines(["deep*", "*L images: 3"])
    assert "bits=12" in load_dataset("table(bits=12)", path=tmp_path / "t.csv").name


def test_embeddings_of_other_bits_are_not_taken_for_these(tmp_path: Path) -> None:
    contents = [
        of_twelve_bits(tmp_path, bits=bits).content_digest(0) for bits in (None, 12, 16)
    ]
    assert len(set(contents)) == 3


@pytest.mark.parametrize("bits", [0, 8, 33])
def test_bits_that_no_picture_has(bits: int, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"9 to 32, got bits={bits}. Leave it out"):
        of_twelve_bits(tmp_path, bits=bits)

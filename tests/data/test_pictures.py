"""Pictures of every form, decoded: against Pillow's own pixels and sizes worked out by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.memory import peak_below

from mnist_vae.data import pictures
from mnist_vae.data.pictures import fit_images, read_picture, read_pictures
from mnist_vae.errors import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 12), np.uint8)
COLOUR = RNG.integers(0, 256, (12, 12, 3), np.uint8)


def save(path: Path, image: Image.Image, **options: object) -> str:
    image.save(path, **options)  # type: ignore[arg-type]
    return str(path)


# --- Forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "gif"])
def test_grey_comes_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(GREY), lossless=True)
    np.testing.assert_array_equal(read_picture(path, 12, 1), GREY[None])
    np.testing.assert_array_equal(read_picture(path, 12, 3), np.stack([GREY] * 3))


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
def test_colour_comes_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(COLOUR), lossless=True)
    np.testing.assert_array_equal(read_picture(path, 12, 3), COLOUR.transpose(2, 0, 1))


def test_colour_becomes_its_luma(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(COLOUR))
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])  # of ITU-R 601-2
    np.testing.assert_allclose(read_picture(path, 12, 1)[0], luma, atol=1)


def test_a_jpeg_is_close_at_its_own_size_and_at_a_quarter_of_it(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64]
    smooth = np.stack([2 * x, 2 * y, x + y], -1).astype(np.uint8)
    path = save(tmp_path / "a.jpg", Image.fromarray(smooth), quality=95)
    for size, tolerance in ((64, 8), (16, 8), (8, 12)):
        means = smooth.reshape(size, 64 // size, size, 64 // size, 3).mean((1, 3))
        error = read_picture(path, size, 3).transpose(1, 2, 0) - means
        assert abs(error[1:-1, 1:-1]).max() < tolerance


def test_the_name_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(GREY).save(path, "png")
    np.testing.assert_array_equal(read_picture(str(path), 12, 1)[0], GREY)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).quantize(200)
    path = save(tmp_path / "a.png", image)
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_picture(path, 12, 3), expected)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(GREY > 100))
    np.testing.assert_array_equal(read_picture(path, 12, 1)[0], np.where(GREY > 100, 255, 0))


def test_16_bits_of_grey_are_scaled_by_their_full_range(tmp_path: Path) -> None:
    wide = np.linspace(0, 65_535, 144).astype(np.uint16).reshape(12, 12)
    path = save(tmp_path / "a.png", Image.fromarray(wide))
    np.testing.assert_array_equal(read_picture(path, 12, 1)[0], np.rint(wide / 257))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_over_white(tmp_path: Path, mode: str) -> None:
    if mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([200, 200, 200, 10, 10, 10])
        image.putpixel((1, 0), 1)
        path = save(tmp_path / "a.png", image, transparency=bytes([255, 0]))
        expected = [200, 255]
    else:
        grey = np.array([[[200, 255], [100, 0], [100, 128]]], np.uint8)
        image = Image.fromarray(grey, "LA").convert(mode)
        path = save(tmp_path / "a.png", image)
        expected = [200, 255, round(100 * 128 / 255 + 255 * 127 / 255)]
    size = len(expected)
    wide = Image.open(path).resize((size, size), Image.Resampling.NEAREST)
    path = save(tmp_path / "b.png", wide)
    np.testing.assert_allclose(read_picture(path, size, 1)[0, 0], expected, atol=1)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((12, 12), value, np.uint8)) for value in (40, 120, 200)]
    options = {"save_all": True, "append_images": frames[1:], "lossless": True}
    path = save(tmp_path / f"a.{suffix}", frames[0], **options)
    with Image.open(path) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    assert read_picture(path, 12, 1).tolist() == np.full((1, 12, 12), 40).tolist()


# --- Size, place and orientation ------------------------------------------------------------------


def test_the_square_in_the_middle_is_taken(tmp_path: Path) -> None:
    wide = np.hstack([np.full((12, 6), 9, np.uint8), GREY, np.full((12, 6), 9, np.uint8)])
    for name, array in (("wide", wide), ("high", wide.T)):
        path = save(tmp_path / f"{name}.png", Image.fromarray(array))
        expected = GREY if name == "wide" else GREY.T
        np.testing.assert_array_equal(read_picture(path, 12, 1)[0], expected)


def test_making_smaller_averages(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.png",
        Image.fromarray(np.tile(np.array([[0, 255], [255, 0]], np.uint8), (32, 32))),
    )
    assert abs(read_picture(path, 8, 1).astype(int) - 127.5).max() <= 1


def test_making_larger_keeps_a_plain_colour(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.new("RGB", (1, 300), (1, 2, 3)))
    assert (read_picture(path, 16, 3) == np.array([1, 2, 3])[:, None, None]).all()


def test_exif_orientation_is_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    path = save(tmp_path / "a.png", Image.fromarray(GREY), exif=exif)
    np.testing.assert_array_equal(read_picture(path, 12, 1)[0], np.rot90(GREY, -1))


# --- Arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("array", [GREY, GREY[..., None], COLOUR], ids=["2", "2+1", "3"])
def test_arrays_are_fitted_as_files_are(tmp_path: Path, array: np.ndarray, channels: int) -> None:
    many = np.stack([array, array[::-1]])
    for size in (12, 8):
        fitted = fit_images(many, size, channels)
        for image, expected in zip(many, fitted, strict=True):
            path = save(tmp_path / "a.png", Image.fromarray(image.squeeze()))
            np.testing.assert_array_equal(read_picture(path, size, channels), expected)


# --- Many -----------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> list[str]:
    """150 files, of which those whose number ends in 7 are damaged."""
    paths = []
    for number in range(150):
        path = save(tmp_path / f"{number:03}.png", Image.new("L", (9, 9), number))
        if number % 10 == 7:
            Path(path).write_bytes(b"no picture")
        paths.append(path)
    return paths


def test_many_come_in_the_order_of_their_paths(many: list[str]) -> None:
    for paths in (many, many[::-1]):
        images, readable, faults = read_pictures(paths, 8, 1, skip=True)
        good = [path for path in paths if not path.endswith("7.png")]
        assert images[:, 0, 0, 0].tolist() == [int(Path(path).stem) for path in good]
        assert [path for path, well in zip(paths, readable, strict=True) if well] == good
        assert [line.partition(": ")[0] for line in faults] == [p for p in paths if p not in good]


def test_the_first_bad_one_is_named(many: list[str]) -> None:
    with pytest.raises(InputError, match=r"^.*007\.png: not an image in PNG"):
        read_pictures(many, 8, 1, skip=False)


# --- Bad files ------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and holds none."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(body))
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + crc
    return start + struct.pack(">I", 9) + b"IDAT"


def whole(suffix: str) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        return Path(save(folder / f"whole.{suffix}", Image.fromarray(COLOUR))).read_bytes()

    return make


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda _: b"", "0 bytes, must be at least 1"),
        (lambda _: b"hello\n", "not an image in PNG, JPEG, WebP, GIF or BMP"),
        (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image in"),
        (lambda folder: whole("tiff")(folder), "not an image in"),
        (lambda _: png_header(10_000, 10_000), "holds more than 89,478,485 pixels"),
        (lambda _: png_header(2**31 - 1, 2**31 - 1), "holds more than 89,478,485 pixels"),
        (lambda _: png_header(5, 5), "cannot be read: "),
        (lambda folder: whole("png")(folder)[:-60], "cannot be read: "),
        (lambda folder: whole("jpg")(folder)[:-60], "cannot be read: "),
        (lambda folder: whole("bmp")(folder)[:-60], "cannot be read: "),
    ],
)
def test_a_bad_file_is_named(
    tmp_path: Path, content: Callable[[Path], bytes], message: str
) -> None:
    path = tmp_path / "case.png"
    path.write_bytes(content(tmp_path))
    with pytest.raises(InputError) as failure, peak_below(20_000_000):
        read_pictures([str(path)], 8, 3, skip=False)
    assert str(failure.value).startswith(f"{path}: {message}")
    assert "\n" not in str(failure.value)


def test_a_file_that_is_too_large_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(COLOUR))
    monkeypatch.setattr(pictures, "FILE_LIMIT", 100)
    with pytest.raises(InputError, match=r"a\.png: \d+ bytes, must be at least 1 and at most"):
        read_picture(path, 8, 1)

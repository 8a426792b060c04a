"""Arrays as a page holds them: what they become, how exact they are, how images lie on a sheet."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mnist_vae.explorer.pack import pack, small_numbers, sprite, unpack


@pytest.mark.parametrize("bits", [8, 16])
def test_each_row_is_kept_to_half_a_step_of_its_own_range(bits: int) -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=(5, 3, 4)) * np.array([1e-6, 1, 0, 50, 1e4])[:, None, None]
    packed = pack(array, bits)
    back = unpack(packed)
    assert back.shape == array.shape
    assert back.dtype == np.float32
    step = np.abs(array).max((1, 2), keepdims=True) / (2 ** (bits - 1) - 1)
    assert (np.abs(back - array) <= 0.5001 * step).all()
    assert (back[2] == 0).all()
    whole = base64.b64decode(packed["data"])
    assert len(whole) == array.size * bits // 8


def test_the_largest_number_of_a_row_is_exact_and_keeps_its_sign() -> None:
    array = np.array([[-3.5, 1.0], [0.25, 0.1]], np.float32)
    assert unpack(pack(array, 8))[[0, 1], [0, 0]] == pytest.approx([-3.5, 0.25], rel=1e-6)


def test_packing_again_changes_nothing() -> None:
    once = unpack(pack(np.random.default_rng(0).normal(size=(4, 9))))
    np.testing.assert_allclose(unpack(pack(once)), once, rtol=1e-6)


def test_small_numbers_are_bytes() -> None:
    assert base64.b64decode(small_numbers(np.array([0, 7, 255]))) == b"\x00\x07\xff"


@pytest.mark.parametrize("channels", [1, 3])
def test_images_lie_on_the_sheet_row_by_row_within_half_a_shade(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, channels, 8, 8), np.uint8)
    address = sprite(images, columns=2)
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data)), formats=["PNG"]) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    assert pixels.shape == (24, 16, 3)
    for n, image in enumerate(images.astype(int)):
        row, column = divmod(n, 2)
        tile = pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].transpose(2, 0, 1)
        assert np.abs(tile - image).max() <= 8
    assert len(np.unique(pixels)) <= 16
    assert not pixels[16:, 8:].any()

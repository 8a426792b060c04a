"""What counts as images and latents, and what is refused in a line that says what would."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mnist_vae.api.images import to_latents, to_network
from mnist_vae.files.kind import LARGEST

GREY = np.random.default_rng(0).integers(0, 256, (5, 1, 12, 12), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (5, 3, 12, 12), np.uint8)


@pytest.mark.parametrize("given", [GREY, GREY[:, 0], GREY.transpose(0, 2, 3, 1)])
def test_every_layout_of_grey_images_is_the_same(given: np.ndarray) -> None:
    np.testing.assert_array_equal(to_network(given, size=12, channels=1), GREY)


@pytest.mark.parametrize("given", [COLOUR, COLOUR.transpose(0, 2, 3, 1)])
def test_every_layout_of_colour_images_is_the_same(given: np.ndarray) -> None:
    found = to_network(given, size=12, channels=3)
    np.testing.assert_array_equal(found, COLOUR)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_are_pixels_already(dtype: object) -> None:
    """Whoever divided by 255 before gets no second division."""
    given = (GREY / 255).astype(dtype)  # type: ignore[call-overload]
    found = to_network(given, size=12, channels=1)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, given.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_no_images_are_images(dtype: type) -> None:
    assert to_network(np.empty((0, 12, 12), dtype), size=12, channels=1).shape == (0, 1, 12, 12)


TAKES = r"uint8, or floats from 0 to 1, \[N, 12, 12\] or \[N, 1, 12, 12\] or \[N, 12, 12, 1\]"
PIXELS = GREY / 255


def spoilt(number: float) -> np.ndarray:
    pixels = PIXELS.copy()
    pixels.flat[7] = number
    return pixels


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            torch.from_numpy(GREY),
            TypeError,
            rf"torch\.Tensor, .* NumPy array: {TAKES}; .*numpy\(\)",
        ),
        (GREY.tolist(), TypeError, f"images are list, must be a NumPy array: {TAKES}"),
        (None, TypeError, "images are NoneType, must be"),
        (GREY.astype(np.int64), TypeError, f"images are int64, must be {TAKES}"),
        (GREY.astype(np.int8), TypeError, "images are int8"),
        (GREY > 99, TypeError, "images are bool"),
        (PIXELS.astype(object), TypeError, "images are object"),
        (PIXELS * 1j, TypeError, "images are complex128"),
        (GREY[0, 0], ValueError, rf"images are \(12, 12\), must be {TAKES}"),
        (np.uint8(3), TypeError, "images are numpy.uint8, must be"),
        (GREY.reshape(5, 144), ValueError, rf"images are \(5, 144\), must be {TAKES}"),
        (GREY[:, :, 1:], ValueError, rf"images are \(5, 1, 11, 12\), must be {TAKES}"),
        (COLOUR, ValueError, rf"images are \(5, 3, 12, 12\), must be {TAKES}"),
        (GREY[None], ValueError, r"images are \(1, 5, 1, 12, 12\)"),
        (255 * PIXELS, ValueError, "images hold 0 to 255, floats .* from 0 to 255 must be uint8"),
        (spoilt(-0.01), ValueError, r"images hold -0\.01 to 1"),
        (spoilt(1.01), ValueError, r"images hold 0 to 1\.01"),
        (spoilt(np.nan), ValueError, "images hold a NaN"),
        (spoilt(np.inf), ValueError, "images hold a NaN or an infinity"),
    ],
)
def test_what_is_no_image_is_refused(given: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        to_network(given, size=12, channels=1)  # type: ignore[arg-type]


def test_grey_images_are_none_in_colour() -> None:
    with pytest.raises(ValueError, match=r"\(5, 12, 12\), must be .* \[N, 3, 12, 12\] or \[N, 12"):
        to_network(GREY[:, 0], size=12, channels=3)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (3, 2, 4)])
def test_latents_keep_their_shape(shape: tuple[int, ...]) -> None:
    latents = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_array_equal(to_latents(latents, 4), latents.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_latents_may_be_as_large_as_any_that_a_file_holds(dtype: object) -> None:
    latents = np.array([[60_000, -60_000]]).astype(dtype)  # type: ignore[call-overload]
    largest = latents if dtype == np.float16 else latents / 60_000 * LARGEST
    np.testing.assert_array_equal(to_latents(largest, 2), largest.astype(np.float32))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (torch.zeros(2, 4), TypeError, r"latents are torch\.Tensor, .*: floats \[\.\.\., 4\]; a"),
        (np.zeros((2, 4), np.int64), TypeError, r"latents are int64, must be floats \[\.\.\., 4\]"),
        (np.zeros((2, 3)), ValueError, r"latents are \(2, 3\), must be floats \[\.\.\., 4\]"),
        (np.zeros(()), ValueError, r"latents are \(\), must be"),
        (np.full((2, 4), np.nan), ValueError, "latents hold a NaN"),
        (np.full((2, 4), -np.inf), ValueError, "hold a NaN or an infinity, must be -1e\\+09 to"),
        (np.full((2, 4), 1e38), ValueError, r"latents hold 1e\+38, must be -1e\+09 to 1e\+09$"),
        (np.array([0, -2e9, 3, 4]), ValueError, r"latents hold -2e\+09, must be"),
        (np.full((2, 4), 1e39), ValueError, r"latents hold 1e\+39, must be"),
    ],
)
def test_what_is_no_latent_is_refused(given: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        to_latents(given, 4)  # type: ignore[arg-type]

"""Images as a caller has them, checked, as images that a network takes."""

from __future__ import annotations

import numpy as np

from mnist_vae.files.kind import LARGEST


def to_network(images: np.ndarray, *, size: int, channels: int) -> np.ndarray:
    """Images in any of the usual layouts as [N, C, H, W], uint8 or float32 in [0, 1].

    uint8 is 0 to 255, and a float is a pixel from 0 to 1 already: nothing is divided twice. Grey
    images may be [N, H, W]. Raises TypeError for what is no array of such numbers, ValueError for
    another shape, for pixels outside of 0 to 1 and for what is not finite.
    """
    check_array("images", images, _takes(size, channels))
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(f"images are {images.dtype}, must be {_takes(size, channels)}")
    grey = [(size, size)] if channels == 1 else []
    if images.ndim < 3 or images.shape[1:] not in [
        *grey,
        (channels, size, size),
        (size, size, channels),
    ]:
        raise ValueError(f"images are {images.shape}, must be {_takes(size, channels)}")
    if images.ndim == 4 and images.shape[1:] == (size, size, channels):
        images = images.transpose(0, 3, 1, 2)
    images = np.ascontiguousarray(images.reshape(-1, channels, size, size))
    if images.dtype == np.uint8 or not images.size:
        return images if images.dtype == np.uint8 else images.astype(np.float32)
    if not np.isfinite(images).all():
        raise ValueError("images hold a NaN or an infinity, must be pixels from 0 to 1")
    if images.min() < 0 or images.max() > 1:
        raise ValueError(
            f"images hold {images.min():g} to {images.max():g}, floats must be pixels from 0 to 1; "
            "pixels from 0 to 255 must be uint8"
        )
    return images.astype(np.float32)


def to_latents(latents: np.ndarray, dim: int) -> np.ndarray:
    """Latents [..., D] as float32.

    Raises TypeError for what is no array of floats, ValueError for another shape, for what is not
    finite, and for numbers beyond ±``LARGEST``.
    """
    takes = f"floats [..., {dim}]"
    check_array("latents", latents, takes)
    if latents.dtype.kind != "f":
        raise TypeError(f"latents are {latents.dtype}, must be {takes}")
    if not latents.ndim or latents.shape[-1] != dim:
        raise ValueError(f"latents are {latents.shape}, must be {takes}")
    if fault := fault_of_latents(latents):
        raise ValueError(f"latents hold {fault}")
    return latents.astype(np.float32)


def fault_of_latents(latents: np.ndarray) -> str:
    """What floats hold that no latent is, and what one may be; "" if they hold nothing such."""
    if not np.isfinite(latents).all():
        found = "a NaN or an infinity"
    else:
        least, most = float(latents.min(initial=0)), float(latents.max(initial=0))
        if max(-least, most) <= LARGEST:
            return ""
        found = f"{least if -least > most else most:g}"
    return f"{found}, must be {-LARGEST:g} to {LARGEST:g}"


def check_array(name: str, given: object, takes: str) -> None:
    """Refuse tensors and lists, of which nobody knows what their numbers mean."""
    if not isinstance(given, np.ndarray):
        kind = f"{type(given).__module__}.{type(given).__name__}".removeprefix("builtins.")
        hint = "; a tensor gives one by .numpy()" if kind == "torch.Tensor" else ""
        raise TypeError(f"{name} are {kind}, must be a NumPy array: {takes}{hint}")


def _takes(size: int, channels: int) -> str:
    layouts = [f"[N, {channels}, {size}, {size}]", f"[N, {size}, {size}, {channels}]"]
    if channels == 1:
        layouts.insert(0, f"[N, {size}, {size}]")
    return f"uint8, or floats from 0 to 1, {' or '.join(layouts)}"

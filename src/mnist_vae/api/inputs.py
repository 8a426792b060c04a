"""Images and latents from the files that a command is given."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist_vae.api.images import fault_of_latents
from mnist_vae.data.folders import list_parts
from mnist_vae.data.npz import read_arrays, read_npz
from mnist_vae.data.pictures import fit_images, read_pictures
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.latents.posteriors import Posterior


class Named(NamedTuple):
    """Images, and where each comes from."""

    images: np.ndarray
    """uint8 [N, C, H, W]"""
    names: list[str]
    """A picture's path, or the place in an array: ``digits.npz:test_images[3]``."""


def read_images(paths: Sequence[Path], *, size: int, channels: int) -> Named:
    """Pictures, folders of them and .npz files, in the order given, brought to size and channels.

    As the images of a data set are, see ``data.pictures``. Raises InputError that names the file.
    """
    arrays, names = [], []
    pictures: list[str] = []  # one after another, to be decoded together

    def finish() -> None:
        if pictures:
            arrays.append(read_pictures(pictures, size, channels, skip=False)[0])
            names.extend(pictures)
            pictures.clear()

    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: not found")
        if path.is_dir():
            parts = list_parts(path).values()
            for stray in (stray for part in parts for stray in part.strays):
                raise InputError(stray)
            pictures += [picture for part in parts for picture in part.paths]
        elif path.suffix != ".npz":
            pictures.append(str(path))
        else:
            finish()
            for name, images in _read_npz(path).items():
                arrays.append(fit_images(images, size, channels))
                names += [f"{path}:{name}[{index}]" for index in range(len(images))]
    finish()
    if not names:
        raise InputError(f"{', '.join(map(str, paths))}: no images found")
    return Named(np.concatenate(arrays), names)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of images in an .npz, by name."""
    try:
        splits = read_npz(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    names = {"train": "images", "test": "test_images"}
    return {
        names[split]: arrays["images"] for split, arrays in splits.items() if "images" in arrays
    }


def read_latents(path: Path, dim: int) -> np.ndarray:
    """The latents float32 [N, D] of a file that ``write_posterior`` wrote.

    Raises InputError that names the file.
    """
    try:
        arrays = read_arrays(path, ("mean", "logvar", "names"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if "mean" not in arrays:
        raise InputError(f"{path}: lacks the array mean, floats [N, {dim}]")
    mean = arrays["mean"]
    if mean.ndim != 2 or mean.shape[1] != dim or mean.dtype.kind != "f" or not len(mean):
        raise InputError(f"{path}: mean is {mean.dtype} {mean.shape}, must be floats [N, {dim}]")
    if fault := fault_of_latents(mean):
        raise InputError(f"{path}: mean holds {fault}")
    return mean.astype(np.float32)


def write_posterior(path: Path, posterior: Posterior, names: Sequence[str]) -> None:
    """Write ``mean``, ``logvar`` of a VAE, and the images' ``names`` as .npz."""
    arrays = {"mean": posterior.mean, "names": np.array(names)}
    if posterior.logvar is not None:
        arrays["logvar"] = posterior.logvar
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    store.write_bytes(path, file.getvalue())

"""Which images to train on, which to test on, and in what order."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from mnist_vae import seeds
from mnist_vae.data.idx import Split
from mnist_vae.errors import InputError
from mnist_vae.files.images import FEWEST


def draw_splits(
    counts: Mapping[Split, int],
    labels: Mapping[Split, np.ndarray],
    classes: tuple[str, ...],
    test_fraction: float,
) -> dict[Split, np.ndarray]:
    """Draw indices of the images of both splits, given the number of images of each.

    Where none are given to test on, they are drawn from those to train on, of each class its part.
    The order is drawn too: files lie there by class, and stages show or measure the first images.
    The seed of params.yaml plays no part, so that runs of several seeds compare. Raises InputError
    where there are too few images.
    """
    chosen = {split: np.arange(count) for split, count in counts.items()}
    if "test" not in chosen:
        test = _draw_test(counts["train"], labels.get("train"), classes, test_fraction)
        chosen = {"train": np.setdiff1d(chosen["train"], test), "test": test}
    return {
        split: seeds.stream(0, f"order of {split}").permutation(index)
        for split, index in chosen.items()
    }


def _draw_test(
    count: int, labels: np.ndarray | None, classes: tuple[str, ...], test_fraction: float
) -> np.ndarray:
    order = seeds.stream(0, "split").permutation(count)
    if labels is None or not classes:
        return _part("", order, test_fraction, FEWEST)
    groups = {name: order[labels[order] == label] for label, name in enumerate(classes)}
    each = math.ceil(FEWEST / len(classes))  # so that there are enough in all, if there can be
    parts = []
    for name, group in groups.items():
        fraction = max(test_fraction, each / max(len(group), 1))
        parts.append(_part(f" of class {name!r}", group, fraction, 1))
    return np.concatenate(parts)


def _part(of: str, group: np.ndarray, fraction: float, least: int) -> np.ndarray:
    """The first of a group, and at least so many of it on both sides."""
    if len(group) < 2 * least:
        raise InputError(
            f"{len(group)} images{of}, needs at least {2 * least}: {least} to train and {least} "
            "to test on"
        )
    return group[: min(max(round(fraction * len(group)), least), len(group) - least)]


def check_splits(
    images: Mapping[Split, int], labels: Mapping[Split, np.ndarray], classes: tuple[str, ...]
) -> None:
    """Raise InputError unless each split has enough images, and some of each class."""
    for split, count in images.items():
        if count < FEWEST:
            raise InputError(f"{count} images to {split} with, needs at least {FEWEST}")
    for split, array in labels.items():
        per_class = np.bincount(array, minlength=len(classes))
        if not per_class.all():
            name = classes[int(per_class.argmin())]
            raise InputError(f"no image of class {name!r} to {split} with")

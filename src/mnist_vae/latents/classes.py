"""Latents of classes, and what lies between them."""

from __future__ import annotations

import numpy as np

from mnist_vae.errors import InputError


def class_posteriors(
    mean: np.ndarray, logvar: np.ndarray | None, labels: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean of the means and mean of the log-variances of each class, [classes, D] each.

    Raises InputError where a class has no image.
    """
    if missing := set(range(classes)) - set(labels.tolist()):
        raise InputError(f"no test image has the label {min(missing)}: every class needs one")
    member = [labels == c for c in range(classes)]
    means = np.stack([mean[m].mean(0) for m in member])
    return means, None if logvar is None else np.stack([logvar[m].mean(0) for m in member])


def interpolate(corners: np.ndarray, steps: int) -> np.ndarray:
    """Latents [steps, steps, D] between four corners a, b, c, d [4, D].

    Row i and column j hold (α₁a + (1−α₁)b)·α₂ + (1−α₂)·(α₁c + (1−α₁)d) for α₁ and α₂ that go
    from 0 to 1 with i and j.
    """
    a, b, c, d = corners
    alpha1 = np.linspace(0, 1, steps, dtype=np.float32)[:, None, None]
    alpha2 = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
    return (alpha1 * a + (1 - alpha1) * b) * alpha2 + (1 - alpha2) * (alpha1 * c + (1 - alpha1) * d)

"""What people look at: latents chosen to be decoded, and the images that they decode to."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.files.store import Arrays
from mnist_vae.latents.classes import class_posteriors, interpolate
from mnist_vae.latents.codes import decode, encode, to_bytes
from mnist_vae.latents.posteriors import sample
from mnist_vae.measure.rate import rate
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import Class, Settings

TRAVERSED = 8  # latent dimensions to traverse, at most
PAIRS = 100  # test images to reconstruct, at most


class EncodeSettings(Settings, frozen=True, kw_only=True):
    """What to decode besides the test images: ``encode`` in params.yaml."""

    first_pair: Annotated[int, Meta(ge=0, le=10_000_000)]
    """Index of the first of 100 test images to reconstruct; the last 100 where it is too large."""
    interpolate: tuple[Class, Class, Class, Class]
    """Labels of the classes a, b, c, d at the corners; behind the last class 0 comes again."""
    steps: Annotated[int, Meta(ge=2, le=50)]
    """Rows and columns of the interpolation, and columns of the traversals."""
    manifold_steps: Annotated[int, Meta(ge=2, le=50)]
    """Rows and columns of a 2-d model's decoded latent plane."""

    def pairs(self, images: int) -> slice:
        """Which of so many test images to reconstruct."""
        first = max(0, min(self.first_pair, images - PAIRS))
        return slice(first, min(first + PAIRS, images))

    def corners(self, classes: int) -> tuple[int, ...]:
        """Labels of the four classes to interpolate between, none where there are no classes.

        Fewer than four are repeated.
        """
        return tuple(label % classes for label in self.interpolate) if classes else ()


def explore(
    model: VAE,
    images: np.ndarray,
    labels: np.ndarray | None,
    classes: int,
    settings: EncodeSettings,
    seed: int,
) -> tuple[Arrays, Arrays]:
    """Everything the notebook looks at, from test images [N, C, H, W] and their labels [N], if any.

    Returns latents (the posterior of each image, a latent for each class) and images (uint8): pairs
    of originals and reconstructions, one image decoded per class, the interpolation between four
    classes, traversals that start from the first of these, and the latent plane of a 2-d model. An
    autoencoder has no log-variance. Where there are no labels there are no classes; the traversals
    then start from the mean of all images.
    """
    rng = seeds.stream(seed, "views")
    mean, logvar = encode(model, images)
    latents, decoded = {"mean": mean}, {}
    pairs = settings.pairs(len(images))
    decoded["reconstructions"] = decode(model, mean[pairs])
    if labels is None:
        start = mean.mean(0)
    else:
        class_means, class_logvars = class_posteriors(mean, logvar, labels, classes)
        class_latents = sample(class_means, class_logvars, rng)
        latents |= {"labels": labels, "class_latents": class_latents}
        labels_of_corners = list(settings.corners(classes))
        corners, start = class_latents[labels_of_corners], class_means[labels_of_corners[0]]
        decoded["class_digits"] = decode(model, class_latents)
        decoded["interpolation"] = decode(model, interpolate(corners, settings.steps))
    dims, values, moved = traverse(start, mean, logvar, settings.steps)
    decoded["traversals"] = decode(model, moved)
    if logvar is not None:
        latents["logvar"] = logvar
    drawn = {name: to_bytes(pixels) for name, pixels in decoded.items()}
    drawn |= {"originals": images[pairs], "traversal_dims": dims, "traversal_values": values}
    if model.latent_dim == 2:
        drawn["manifold_x"], drawn["manifold_y"], grid = plane(mean, settings.manifold_steps)
        drawn["manifold"] = to_bytes(decode(model, grid))
    return latents, drawn


def traverse(
    start: np.ndarray, mean: np.ndarray, logvar: np.ndarray | None, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move one latent dimension of ``start`` [D] at a time and leave the others where they are.

    Returns the dimensions [R], the values [R, S] that each takes, and the latents [R, S, D]. The
    dimensions are the up to eight most active: of the highest rate over the posteriors [N, D],
    without log-variance of the largest variance of the mean. The values span the middle 98% of
    each one's means: that is where images are. A span of the prior, -3 to 3, would miss half of
    them in a model with a weak KL, whose means spread much wider.
    """
    activity = mean.var(0) if logvar is None else rate(mean, logvar)
    dims = np.argsort(-activity, kind="stable")[:TRAVERSED]
    low, high = np.quantile(mean[:, dims], [0.01, 0.99], axis=0)
    values = np.linspace(low, high, steps, axis=1, dtype=np.float32)
    moved = np.tile(start, (len(dims), steps, 1))
    moved[np.arange(len(dims)), :, dims] = values
    return dims, values, moved


def plane(mean: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid over where a 2-d model puts its images: x [S], y [S] and latents [S, S, 2].

    It spans the middle 98% of the means in each dimension; row 0 is the top, the largest y.
    """
    low, high = np.quantile(mean, [0.01, 0.99], axis=0).astype(np.float32)
    x = np.linspace(low[0], high[0], steps, dtype=np.float32)
    y = np.linspace(high[1], low[1], steps, dtype=np.float32)
    return x, y, np.stack(np.meshgrid(x, y), -1)

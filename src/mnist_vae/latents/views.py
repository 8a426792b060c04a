"""What people look at: latents chosen to be decoded, and the images that they decode to."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.files.store import Arrays
from mnist_vae.latents.classes import class_posteriors, interpolate
from mnist_vae.latents.codes import decode, encode, sample, to_bytes
from mnist_vae.measure.rate import rate
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import Digit, Settings

TRAVERSED = 8  # latent dimensions to traverse, at most


class EncodeSettings(Settings, frozen=True, kw_only=True):
    """What to decode besides the test images: ``encode`` in params.yaml."""

    first_pair: Annotated[int, Meta(ge=0, le=9_900)]
    """Index of the first of the 100 test images to reconstruct."""
    interpolate: tuple[Digit, Digit, Digit, Digit]
    """The four digits a, b, c, d at the corners of the interpolation."""
    steps: Annotated[int, Meta(ge=2, le=50)]
    """Rows and columns of the interpolation, and columns of the traversals."""
    manifold_steps: Annotated[int, Meta(ge=2, le=50)]
    """Rows and columns of a 2-d model's decoded latent plane."""


def explore(
    model: VAE, images: np.ndarray, labels: np.ndarray, settings: EncodeSettings, seed: int
) -> tuple[Arrays, Arrays]:
    """Everything the notebook looks at, from test images [N, H, W] and their labels [N].

    Returns latents (the posterior of each image, a latent for each class) and images (uint8): pairs
    of originals and reconstructions, one digit decoded per class, the interpolation between four
    classes, traversals that start from the first of these, samples from the prior, and the latent
    plane of a 2-d model. An autoencoder has no log-variance and no prior: those are absent.
    """
    if settings.first_pair + 100 > len(images):
        raise InputError(
            f"encode.first_pair: found {settings.first_pair}, must be at most {len(images) - 100}: "
            f"it is the first of 100 pairs out of {len(images)} images"
        )
    rng = seeds.stream(seed, "views")
    mean, logvar = encode(model, images)
    class_means, class_logvars = class_posteriors(mean, logvar, labels)
    class_latents = sample(class_means, class_logvars, rng)
    latents = {"mean": mean, "labels": labels, "class_latents": class_latents}

    pairs = slice(settings.first_pair, settings.first_pair + 100)
    corners = class_latents[list(settings.interpolate)]
    start = class_means[settings.interpolate[0]]
    dims, values, moved = traverse(start, mean, logvar, settings.steps)
    decoded = {
        "reconstructions": decode(model, mean[pairs]),
        "class_digits": decode(model, class_latents),
        "interpolation": decode(model, interpolate(corners, settings.steps)),
        "traversals": decode(model, moved),
    }
    if logvar is not None:
        latents["logvar"] = logvar
        prior = rng.standard_normal((100, model.latent_dim), dtype=np.float32)
        decoded["prior_samples"] = decode(model, prior)
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

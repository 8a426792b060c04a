"""What a trained model makes of images and latents: arrays in, arrays out."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import numpy as np
import torch

from mnist_vae.errors import InputError
from mnist_vae.files.store import Arrays
from mnist_vae.nets.vae import VAE
from mnist_vae.params import Digit, Range

BATCH = 250  # images at a time: few enough for a processor's cache, which is what is fastest
TRAVERSED = 8  # latent dimensions to traverse, at most


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncodeSettings:
    """What to decode besides the test images: ``encode`` in params.yaml."""

    first_pair: Annotated[int, Range(0, 9_900)]
    """Index of the first of the 100 test images to reconstruct."""
    interpolate: tuple[Digit, Digit, Digit, Digit]
    """The four digits a, b, c, d at the corners of the interpolation."""
    steps: Annotated[int, Range(2, 50)]
    """Rows and columns of the interpolation, and columns of the traversals."""
    manifold_steps: Annotated[int, Range(2, 50)]
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
    rng = np.random.default_rng(seed)
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


@torch.inference_mode()
def encode(model: VAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Posterior mean and log-variance, float32 [N, D] each, of uint8 images [N, H, W]."""
    means, logvars = [], []
    for batch in torch.from_numpy(images)[:, None].split(BATCH):
        mean, logvar = model.encode(batch.to(_device(model)).float() / 255)
        means.append(mean.cpu().numpy())
        if logvar is not None:
            logvars.append(logvar.cpu().numpy())
    return np.concatenate(means), np.concatenate(logvars) if logvars else None


@torch.inference_mode()
def decode(model: VAE, latents: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], float32 [..., H, W], of latents [..., D]."""
    flat = torch.from_numpy(np.asarray(latents, np.float32).reshape(-1, model.latent_dim))
    decoded = [model.decode(z.to(_device(model)))[:, 0].cpu() for z in flat.split(BATCH)]
    pixels = torch.cat(decoded).numpy()
    return pixels.reshape(*latents.shape[:-1], *pixels.shape[1:])


def sample(mean: np.ndarray, logvar: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """One latent of each posterior [N, D]; the code itself where there is no log-variance."""
    if logvar is None:
        return mean
    noise = rng.standard_normal(mean.shape, dtype=np.float32)
    return mean + np.exp(0.5 * logvar) * noise


def class_posteriors(
    mean: np.ndarray, logvar: np.ndarray | None, labels: np.ndarray, classes: int = 10
) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean of the means and mean of the log-variances of each class, [classes, D] each."""
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
    twice_rate = None if logvar is None else (mean**2 + np.expm1(logvar) - logvar).mean(0)
    activity = mean.var(0) if twice_rate is None else twice_rate
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


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1] as uint8, rounded."""
    return np.rint(pixels * 255).astype(np.uint8)


def _device(model: VAE) -> torch.device:
    return model.mean.weight.device

"""A trained model: NumPy in and out."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mnist_vae import seeds
from mnist_vae.api import arguments
from mnist_vae.api.images import to_latents, to_network
from mnist_vae.errors import InputError
from mnist_vae.files.priors import read_priors
from mnist_vae.latents import codes
from mnist_vae.latents.posteriors import Posterior, sample
from mnist_vae.latents.priors import Prior, draw, of_arrays, standard
from mnist_vae.measure.distortion import squared_error
from mnist_vae.nets import devices, weights
from mnist_vae.nets.likelihood import KINDS
from mnist_vae.nets.vae import VAE
from mnist_vae.nets.weights import ModelFacts


class Score(NamedTuple):
    """How well a model knows each image: the worse it does, the less it is like the training's."""

    squared_error: np.ndarray
    """Summed over pixels, of the reconstruction from the posterior mean, float64 [N]."""
    elbo: np.ndarray | None
    """Evidence lower bound in nats, float64 [N]; None for an autoencoder, which has none."""


class Model:
    """A trained VAE or autoencoder, by ``load``.

    What draws takes a seed, a whole number from 0, and gives the same for the same seed. Arrays,
    numbers and names that do not fit raise TypeError or ValueError that says what would.
    """

    def __init__(self, network: VAE, facts: ModelFacts, fitted: dict[str, Prior]) -> None:
        self.network = network
        """The network itself, in evaluation mode."""
        self.facts = facts
        """What stands in its file: settings, seed, data set, classes, image size, versions."""
        self._fitted = fitted

    def __repr__(self) -> str:
        f = self.facts
        shape = f"{f.channels} x {f.image_size} x {f.image_size}"
        return f"<{f.settings.kind} {f.model}: {f.dataset}, {shape}, {self.latent_dim} latents>"

    @property
    def latent_dim(self) -> int:
        """Dimensions of the latent."""
        return self.network.latent_dim

    @property
    def priors(self) -> tuple[str, ...]:
        """Names of the priors that there are to sample from."""
        return tuple(self._fitted)

    def encode(self, images: np.ndarray) -> Posterior:
        """The posterior of each image: ``mean`` and ``logvar``, float32 [N, D].

        ``images`` are uint8 [N, H, W], [N, C, H, W] or [N, H, W, C], or floats from 0 to 1 of these
        shapes. An autoencoder's code is the mean, and it has no log-variance.
        """
        return codes.encode(self.network, self._pixels(images))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Images, float32 [..., C, H, W] in [0, 1], of latents [..., D] within ±1e9."""
        return codes.decode(self.network, to_latents(latents, self.latent_dim))

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        label: str | None = None,
        digit: int | None = None,
        prior: str | None = None,
    ) -> np.ndarray:
        """Images, float32 [count, C, H, W] in [0, 1], decoded from a prior.

        Without a name it is ``standard``, the N(0, I) that a VAE was trained towards, or
        ``mixture`` for an autoencoder, which has none. ``label`` is the name of a class
        (``digit=7`` is ``label="7"``), which only the prior ``classes`` can be asked for. All but
        the first lie in a file beside the model's. Raises ValueError for a class or a prior that
        there is not.
        """
        count = arguments.whole("count", count, least=0)
        seed = arguments.whole("seed", seed, least=0)
        label, prior = arguments.text("label", label), arguments.text("prior", prior)
        if digit is not None:
            digit = arguments.whole("digit", digit, least=0)
            if label not in (None, str(digit)):
                raise ValueError(f"digit is {digit} and label {label!r}: give one of them")
            label = str(digit)
        default = "standard" if self.network.variational else "mixture"
        name = prior or (default if label is None else "classes")
        if name not in self._fitted:
            known = ", ".join(self._fitted) or "none"
            raise ValueError(
                f"prior is {name!r}, this model has {known}; fitted priors lie in a file beside "
                "the model's, NAME.priors.safetensors, or load is told where"
            )
        rng = seeds.stream(seed, "samples")
        drawn = draw(self._fitted[name], count, rng, self._class(label))
        return codes.decode(self.network, drawn.latents)

    def score(self, images: np.ndarray, *, draws: int = 8, seed: int = 0) -> Score:
        """Squared error and ELBO of each image, which ``encode`` describes.

        The ELBO averages log p(x|z) over ``draws`` from the posterior. It is that of a calibrated
        Gaussian decoder, whose variance is the model's error in training, or of the Bernoulli
        decoder of a model that was trained so. It is the same for the same images in the same
        order.
        """
        draws = arguments.whole("draws", draws, least=1)
        seed = arguments.whole("seed", seed, least=0)
        pixels = self._pixels(images)
        if pixels.dtype == np.uint8:
            pixels = pixels / np.float32(255)
        if not len(pixels):
            return Score(np.empty(0), np.empty(0) if self.network.variational else None)
        posterior = codes.encode(self.network, pixels)
        errors = squared_error(pixels, codes.decode(self.network, posterior.mean))
        if posterior.logvar is None:
            return Score(errors, None)
        mean, logvar = posterior.mean.astype(np.float64), posterior.logvar.astype(np.float64)
        rates = 0.5 * (mean**2 + np.expm1(logvar) - logvar).sum(1)
        rng = seeds.stream(seed, "score")
        each = [self._log_likelihood(pixels, sample(*posterior, rng)) for _ in range(draws)]
        return Score(errors, np.mean(each, 0) - rates)

    @torch.inference_mode()
    def _log_likelihood(self, pixels: np.ndarray, latents: np.ndarray) -> np.ndarray:
        """log p(x|z) in nats, float64 [N]."""
        likelihood, weight = KINDS[self.facts.settings.likelihood], self.facts.settings.kl_weight
        variances = likelihood.variances(weight or 0.0, self.facts.variance)
        variance = variances.get("calibrated", variances.get("own"))
        device = self.network.mean.weight.device
        size = devices.batch_size(device, self.network.image_size)
        batches = zip(
            torch.from_numpy(pixels).split(size),
            torch.from_numpy(latents).split(size),
            strict=True,
        )
        found = [
            likelihood.log_probability(x.to(device), self.network.logits(z.to(device)), variance)
            for x, z in batches
        ]
        return torch.cat(found).cpu().numpy()

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return to_network(images, size=self.facts.image_size, channels=self.facts.channels)

    def _class(self, label: str | None) -> int | None:
        if label is None:
            return None
        if label not in self.facts.classes:
            known = ", ".join(self.facts.classes) or "none"
            raise ValueError(f"label is {label!r}, the classes of {self.facts.dataset} are {known}")
        return self.facts.classes.index(label)


def load(
    path: str | PathLike[str],
    *,
    priors: str | PathLike[str] | None = None,
    device: str = "cpu",
) -> Model:
    """A model from its file, whatever the file is called, on a device by torch's name for it.

    ``priors`` is the file of the priors that were fitted on its latents. Where it is left out, it
    is looked for beside the model, as ``NAME.priors.safetensors``, and where the pipeline writes
    it. Raises InputError, naming the file, for one that is missing, damaged, no model, or for
    priors of another model; ValueError for a device that this machine has not.
    """
    where = arguments.device(device)
    path = Path(path)
    network, facts = weights.load(path)
    fitted = {"standard": standard(network.latent_dim)} if network.variational else {}
    places = priors_of(path) if priors is None else [Path(priors)]
    for place in places:
        if priors is not None or place.exists():
            fitted |= _read_priors(place, network, facts)
            break
    return Model(network.to(where), facts, fitted)


def priors_of(path: Path) -> list[Path]:
    """Where the priors of a model in a file may lie: beside it, and in a project of this kind."""
    beside = path.with_suffix(f".priors{path.suffix}")
    return [beside, path.parent.parent / "data" / "priors" / path.name]


def _read_priors(path: Path, network: VAE, model: ModelFacts) -> dict[str, Prior]:
    arrays, facts = read_priors(path, dim=network.latent_dim, classes=len(model.classes))
    if facts.weights != weights.digest(network):
        raise InputError(f"{path}: fitted on the latents of other weights than the model's")
    return of_arrays(arrays)

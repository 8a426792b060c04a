"""What to train: an entry of ``models`` in params.yaml, and the network that it asks for."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from mnist_vae.nets.vae import VAE
from mnist_vae.params import Range, Seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What to train: one entry of ``models`` in params.yaml."""

    kind: Literal["vae", "ae"]
    """A VAE, or the same network without log-variance, sampling and KL."""
    latent_dim: Annotated[int, Range(1, 512)]
    """Dimensions of the latent."""
    likelihood: Literal["fixed", "gaussian", "bernoulli"] = "fixed"
    """What reconstruction costs; see objective.reconstruction."""
    kl_weight: Annotated[float, Range(0)] | None = None
    """Weight of the KL (nats, summed over dimensions) per image; a VAE needs it."""
    learning_rate_scale: Annotated[float, Range(0, 100, above=True)] = 1.0
    """Factor on the recipe's learning rate."""
    seed: Seed | None = None
    """Seed of this model's initialization, shuffling and noise; the common one if absent."""

    def __post_init__(self) -> None:
        if self.kind == "vae" and self.kl_weight is None:
            raise ValueError("a model of kind vae needs a kl_weight")
        if self.kind == "ae" and self.kl_weight is not None:
            raise ValueError("a model of kind ae has no KL: leave out kl_weight")

    def pick_seed(self, common: int) -> int:
        """The model's own seed, or the common one."""
        return common if self.seed is None else self.seed


def build(settings: ModelSettings) -> VAE:
    """The network that an entry of ``models`` asks for, with parameters yet to be drawn."""
    return VAE(settings.latent_dim, variational=settings.kind == "vae")

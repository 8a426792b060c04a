"""What to train: an entry of ``models`` in params.yaml, and the network that it asks for."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from mnist_vae.errors import InputError
from mnist_vae.nets.likelihood import Name as LikelihoodName
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import Seed, Settings

MOST_DIMENSIONS = 512
"""Of a latent."""
Width: TypeAlias = Annotated[int, Meta(ge=1, le=4096)]
KLWeight: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000)]
LEAST_KL_WEIGHT = 1e-12
"""Above 0: a variance of half of it is still one that likelihoods can be computed under."""


class ModelSettings(Settings, frozen=True, kw_only=True):
    """An entry of ``models``."""

    kind: Literal["vae", "ae"]
    """A VAE, or the same network without log-variance, sampling and KL."""
    latent_dim: Annotated[int, Meta(ge=1, le=MOST_DIMENSIONS)]
    """Dimensions of the latent."""
    architecture: Literal["conv", "mlp"] = "conv"
    """Convolutions, nets.vae, or linear layers and tanh, nets.mlp."""
    likelihood: LikelihoodName = "fixed"
    """What reconstruction costs; see nets.likelihood."""
    kl_weight: KLWeight | None = None
    """Weight of the KL (nats, summed over dimensions) per image; a VAE needs it."""
    widths: tuple[Width, ...] | None = None
    """Channels after each convolution, if not 16, doubled at each stride, and 64.

    Of an mlp the units of each hidden layer, if not 200 and 200.
    """
    learning_rate_scale: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Factor on the recipe's learning rate."""
    seed: Seed | None = None
    """Seed of all that is drawn for this model; the common one if absent."""

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.kind == "vae" and self.kl_weight is None:
            raise ValueError("a model of kind vae needs a kl_weight")
        if self.kind == "ae" and self.kl_weight is not None:
            raise ValueError("a model of kind ae has no KL: leave out kl_weight")
        if self.kl_weight and self.kl_weight < LEAST_KL_WEIGHT:
            raise ValueError(
                f"kl_weight is {self.kl_weight:g}, must be 0 or at least {LEAST_KL_WEIGHT:g}"
            )

    def pick_seed(self, common: int) -> int:
        """The model's own seed, or the common one."""
        return common if self.seed is None else self.seed


def build(settings: ModelSettings, *, image_size: int = 28, channels: int = 1) -> VAE:
    """The network of a model for images of such a size, with parameters yet to be drawn.

    Raises InputError where the model and the images do not go together.
    """
    network = {"conv": VAE, "mlp": MLP}[settings.architecture]
    try:
        return network(
            settings.latent_dim,
            variational=settings.kind == "vae",
            image_size=image_size,
            channels=channels,
            widths=settings.widths,
        )
    except ValueError as error:
        raise InputError(f"the model does not fit the images: {error}") from None

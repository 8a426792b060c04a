"""What a study trains: models, latent dimensions and seeds, crossed."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from mnist_vae.nets.likelihood import Name as LikelihoodName
from mnist_vae.nets.model import MOST_DIMENSIONS, KLWeight, ModelSettings
from mnist_vae.settings import Seed, Settings


class StudyModel(Settings, frozen=True, kw_only=True):
    """A model at any number of latent dimensions: an entry of a grid's ``models``."""

    kind: Literal["vae", "ae"]
    """A VAE, or the same network without log-variance, sampling and KL."""
    likelihood: LikelihoodName = "fixed"
    """What reconstruction costs; see nets.likelihood."""
    kl_weight: KLWeight | None = None
    """Weight of the KL summed over latent dimensions."""
    mean_kl_weight: KLWeight | None = None
    """Weight of the KL averaged over latent dimensions, as the notebook has it, in its place."""

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.kl_weight is not None and self.mean_kl_weight is not None:
            raise ValueError("kl_weight and mean_kl_weight exclude each other: leave one out")
        self.at(MOST_DIMENSIONS)  # where the weight is least

    def at(self, dims: int) -> ModelSettings:
        """The settings of the model with so many latent dimensions."""
        mean_weight = self.mean_kl_weight
        return ModelSettings(
            kind=self.kind,
            latent_dim=dims,
            likelihood=self.likelihood,
            kl_weight=self.kl_weight if mean_weight is None else mean_weight / dims,
        )


class Grid(Settings, frozen=True, kw_only=True):
    """All trainings of one question: an entry of ``study.grids`` in params.yaml."""

    recipe: str
    """The recipe of all, a key of ``recipes``."""
    dims: tuple[Annotated[int, Meta(ge=1, le=MOST_DIMENSIONS)], ...]
    """Numbers of latent dimensions."""
    seeds: tuple[Seed, ...]
    """Of each model at each number of dimensions; the same for all, so that they pair up."""
    models: dict[str, StudyModel]

    def __post_init__(self) -> None:
        """Refuse an empty grid, and trainings that are there twice."""
        for name in ("dims", "seeds", "models"):
            values = getattr(self, name)
            if not values:
                raise ValueError(f"{name}: found none, must be at least one")
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: found one of them twice")
        for name in self.models:
            if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", name):
                raise ValueError(f"models: found {name!r}, must be letters, digits, _ and -")


class Trial(NamedTuple):
    """One training, and what is measured of its model."""

    model: str
    """The model's name in the grid."""
    settings: ModelSettings
    seed: int

    @property
    def name(self) -> str:
        """What tells it from the others of its grid, usable in paths."""
        return f"{self.model}-{self.settings.latent_dim}d-seed{self.seed}"


def trials(grid: Grid) -> list[Trial]:
    """All trainings of a grid, in the order of its table."""
    return [
        Trial(name, model.at(dims), seed)
        for name, model in grid.models.items()
        for dims in grid.dims
        for seed in grid.seeds
    ]

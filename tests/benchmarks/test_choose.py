"""Choices shown on held-out images: what is learned from, measured and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import choose
import numpy as np
import published
import pytest
from support.networks import fresh
from support.project import smallest, write_images

from mnist_vae.files.split import read_split
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.vae import VAE

HELD_OUT = 60


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project to run in, of which the last images are held out."""
    folder = smallest(tmp_path, ("vae16", "vae2"))
    write_images(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(choose, "HELD_OUT", HELD_OUT)
    return folder


def run(what: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["choose.py", what, "--output", "out.json"])
    choose.main()
    table: dict[str, Any] = json.loads(Path("out.json").read_text())
    return table


def test_recipes_and_maps_are_tried_on_images_that_were_not_learned(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_split("train").images
    learned: list[np.ndarray] = []

    def learn(settings: Any, recipe: Any, images: np.ndarray, seed: int) -> VAE:
        learned.append(images)
        return fresh(VAE(settings.latent_dim)).eval()

    monkeypatch.setattr(choose, "learn", learn)
    monkeypatch.setattr(choose, "MAPS", ({}, {"perplexity": 5}))
    rows = run("recipe", monkeypatch)["recipe"]
    assert "vae2, epochs 3" in rows
    assert len(rows) == len(learned) == 2 * (len(choose.EPOCHS) + len(choose.RATES) - 1)

    table = run("tsne", monkeypatch)
    assert table["recipe"] == rows
    assert set(table["tsne"]) == {"as in params.yaml", "perplexity 5"}
    assert all(0 < row["trustworthiness"] <= 1 for row in table["tsne"].values())
    assert all(np.array_equal(each, images[:-HELD_OUT]) for each in learned)


def test_published_recipes_are_tried_on_images_that_were_not_learned(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def learn(settings: Any, recipe: Any, images: np.ndarray, seed: int) -> VAE:
        assert recipe.epochs == choose.BURDA_EPOCHS
        seen.append(len(images))
        return fresh(MLP(4, widths=(8,))).eval()

    monkeypatch.setattr(published, "learn", learn)
    rows = run("published", monkeypatch)["published"]
    assert len(rows) == len(choose.BURDA)
    assert all(200 < row["mean"] < 900 for row in rows.values())
    assert set(seen) == {len(read_split("train").images) - HELD_OUT}

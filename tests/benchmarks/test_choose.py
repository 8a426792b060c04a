"""Choices shown on held-out images: what is learned from, measured and kept."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import choose
import numpy as np
import published
import pytest
from machine import spread
from support.networks import fresh
from support.project import smallest
from support.studies import write_data

from mnist_vae.files.split import read_split
from mnist_vae.latents import priors
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.vae import VAE

HELD_OUT = 60


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small project to run in, of which the last images are held out."""
    folder = smallest(tmp_path, ("vae16", "vae2"))
    write_data(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(choose, "HELD_OUT", HELD_OUT)
    choose.plain.cache_clear()
    yield folder
    choose.plain.cache_clear()


def run(what: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["choose.py", *what.split(), "--output", "out.json", *options])
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
    assert "vae16, optimizer adam, learning_rate 0.006" in rows
    of_both = len(choose.EPOCHS) + len(choose.RATES) - 1
    assert len(rows) == len(learned) == 2 * of_both + len(choose.CHANGES)

    table = run("tsne", monkeypatch, "--seeds", "2")
    assert table["recipe"] == rows
    assert set(table["tsne"]) == {"as in params.yaml", "perplexity 5"}
    for row in table["tsne"].values():
        assert 0 < row["trustworthiness"]["mean"] <= 1
        assert row["exact_kl"]["runs"] == 2
        assert row["exact_kl"]["sd"] > 0
    assert all(np.array_equal(each, images[:-HELD_OUT]) for each in learned)


def test_recentring_and_priors_are_measured_on_images_that_were_not_learned(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_split("train").images
    learned: list[np.ndarray] = []
    fitted: list[tuple[int, int, int]] = []
    fit = priors.fit

    def learn(settings: Any, recipe: Any, images: np.ndarray, seed: int) -> VAE:
        assert not recipe.recentre
        learned.append(images)
        return fresh(VAE(settings.latent_dim), seed=seed).eval()

    def note(posterior: Any, labels: Any, settings: Any, *, seed: int) -> Any:
        fitted.append((len(posterior.mean), settings.components, priors.ITERATIONS))
        assert len(labels) == len(posterior.mean)
        return fit(posterior, labels, settings, seed=seed)

    monkeypatch.setattr(choose, "learn", learn)
    monkeypatch.setattr(priors, "fit", note)
    monkeypatch.setattr(choose, "MIXTURES", ((2, 1), (3, 7)))
    passes = priors.ITERATIONS
    table = run("recentre priors", monkeypatch, "--seeds", "2")
    assert len(learned) == 2 * 2  # and not again for the priors
    assert all(np.array_equal(each, images[:-HELD_OUT]) for each in learned)

    assert set(table["recentre"]) == {"vae16", "vae2"}
    for row in table["recentre"].values():
        assert {part["runs"] for part in row.values()} == {2}
        assert row["kl_after"]["mean"] < row["kl_before"]["mean"]
        assert row["frechet_after"]["mean"] != row["frechet_before"]["mean"]
        assert 0 < row["largest_pixel_change"]["mean"] < 1e-4

    rest = len(images) - HELD_OUT
    assert fitted == [(rest, 2, 1)] * 2 + [(rest, 3, 7)] * 2
    assert passes == priors.ITERATIONS
    assert set(table["priors"]) == {"components 2, passes 1", "components 3, passes 7"}
    for row in table["priors"].values():
        for part in row.values():
            assert part == spread(part["values"]) | {"values": part["values"]}
            assert part["sd"] > 0


def test_what_was_measured_of_as_many_seeds_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a", "b"]
    measured: list[str] = []

    def rows(seeds: int) -> choose.Rows:
        def measure(name: str) -> choose.Numbers:
            measured.append(name)
            return {"error": spread([1.0] * seeds)}

        yield from ((name, functools.partial(measure, name)) for name in names)

    def again(*options: str) -> list[str]:
        measured.clear()
        table = run("recipe", monkeypatch, *options)
        assert table["other"] == "kept"
        assert list(table["recipe"]) == names
        return measured

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "CHOICES", {"recipe": rows})
    old = {"gone": {"mean": 1.0, "runs": 1}, "b": {"error": 1.0}}  # which says of no seeds
    Path("out.json").write_text(json.dumps({"other": "kept", "recipe": old}))
    assert again() == ["a", "b"]
    assert again() == []
    names.insert(1, "new")
    assert again() == ["new"]
    assert again("--seeds", "2") == ["a", "new", "b"]
    assert again() == []
    assert again("--again") == ["a", "new", "b"]


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

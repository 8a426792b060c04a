"""A training that is killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_vae.checkpoint import Checkpoints
from mnist_vae.model import VAE, ModelParams, build
from mnist_vae.training import Epoch, Recipe, checkpoints_of, train

SETTINGS = ModelParams(kind="vae", latent_dim=4, kl_weight=0.001)
EPOCHS = 5


def recipe(precision: str = "float32", **changed: object) -> Recipe:
    values = {
        "epochs": EPOCHS,
        "batch_size": 100,
        "learning_rate": 0.01,
        "schedule": "triangular",
        "initialization": "he",
        "precision": precision,
        **changed,
    }
    return Recipe(**values)


def run(
    folder: Path, images: np.ndarray, how: Recipe, stop: int | None = None
) -> tuple[VAE, list[Epoch]]:
    """Train, or go on; up to ``stop`` epochs, as if killed then."""
    pixels = torch.from_numpy(images.copy())[:, None]
    kept = checkpoints_of("m", SETTINGS, how, pixels, 0, folder)
    model = build(SETTINGS)
    return model, list(islice(train(model, SETTINGS, how, pixels, seed=0, checkpoints=kept), stop))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("stop", [1, 3, EPOCHS - 1])
def test_a_resumed_training_ends_bit_for_bit_the_same(
    blobs: np.ndarray, tmp_path: Path, precision: str, stop: int
) -> None:
    whole, epochs = run(tmp_path / "whole", blobs, recipe(precision))
    run(tmp_path / "cut", blobs, recipe(precision), stop)
    resumed, again = run(tmp_path / "cut", blobs, recipe(precision))
    assert again == epochs
    for name, weight in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weight), name


def test_at_most_two_are_kept(blobs: np.ndarray, tmp_path: Path) -> None:
    run(tmp_path, blobs, recipe())
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_damaged_one_falls_back_to_the_one_before(
    blobs: np.ndarray, tmp_path: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, epochs = run(tmp_path / "whole", blobs, recipe())
    run(tmp_path / "cut", blobs, recipe(), 3)
    newest = max((tmp_path / "cut").iterdir())
    newest.write_bytes(damage)
    resumed, again = run(tmp_path / "cut", blobs, recipe())
    said = capsys.readouterr().out
    assert "checkpoint left out" in said
    assert "going on after epoch 2" in said
    assert again == epochs
    assert torch.equal(resumed.mean.weight, whole.mean.weight)


@pytest.mark.parametrize(
    ("changed", "fresh"), [({}, False), ({"learning_rate": 0.02}, True), ({"epochs": 6}, True)]
)
def test_another_recipe_starts_afresh(
    blobs: np.ndarray, tmp_path: Path, changed: dict[str, object], fresh: bool
) -> None:
    run(tmp_path, blobs, recipe(), 3)
    pixels = torch.from_numpy(blobs.copy())[:, None]
    kept = checkpoints_of("m", SETTINGS, recipe(**changed), pixels, 0, tmp_path)
    assert (kept.epochs == []) == fresh


def test_other_data_or_another_seed_starts_afresh(blobs: np.ndarray, tmp_path: Path) -> None:
    run(tmp_path, blobs, recipe(), 3)
    pixels = torch.from_numpy(blobs.copy())[:, None]
    assert checkpoints_of("m", SETTINGS, recipe(), pixels, 0, tmp_path).epochs
    assert not checkpoints_of("m", SETTINGS, recipe(), pixels, 1, tmp_path).epochs
    pixels[0, 0, 0, 0] += 1
    assert not checkpoints_of("m", SETTINGS, recipe(), pixels, 0, tmp_path).epochs


def test_clear_removes_this_models_and_no_others(tmp_path: Path) -> None:
    state = {"weights": np.zeros(2)}
    mine, other = (Checkpoints(tmp_path, name, {"a": 1}) for name in ("vae", "vae2"))
    Checkpoints(tmp_path, "vae", {"a": 2}).save(state, [1])
    mine.save(state, [1])
    other.save(state, [1])
    (tmp_path / ".vae.cut.part").write_bytes(b"")
    mine.clear()
    assert [path.name.split(".")[0] for path in tmp_path.iterdir()] == ["vae2"]
    other.clear()
    assert not tmp_path.exists()


def test_a_checkpoint_under_anothers_name_is_left_out(tmp_path: Path) -> None:
    one, two = (Checkpoints(tmp_path, "m", {"a": i}) for i in range(2))
    one.save({"weights": np.zeros(2)}, [1])
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / path.name.replace(one.key, two.key))
    assert Checkpoints(tmp_path, "m", {"a": 1}).epochs == []

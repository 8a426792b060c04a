"""A training that is killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.loop import Epoch, Recipe, checkpoints_of, train

SETTINGS = ModelSettings(kind="vae", latent_dim=4, kl_weight=0.001)
PLAIN = ModelSettings(kind="ae", latent_dim=4)
EPOCHS = 5


def recipe(precision: str = "float32", **changed: object) -> Recipe:
    values = {
        "epochs": EPOCHS,
        "batch_size": 100,
        "learning_rate": 0.01,
        "schedule": "triangular",
        "initialization": "looks_linear",
        "precision": precision,
        **changed,
    }
    return Recipe(**values)


def run(
    folder: Path,
    images: np.ndarray,
    how: Recipe,
    stop: int | None = None,
    settings: ModelSettings = SETTINGS,
) -> tuple[VAE, list[Epoch]]:
    """Train, or go on; up to ``stop`` epochs, as if killed then."""
    pixels = torch.from_numpy(images.copy())[:, None]
    kept = checkpoints_of("m", settings, how, pixels, 0, folder)
    model = build(settings)
    return model, list(islice(train(model, settings, how, pixels, seed=0, checkpoints=kept), stop))


@pytest.mark.parametrize(
    ("how", "settings"),
    [
        (recipe(), SETTINGS),
        (recipe("bfloat16"), SETTINGS),
        (recipe("bfloat16", optimizer="muon"), SETTINGS),
        (recipe(optimizer="muon"), PLAIN),
    ],
)
@pytest.mark.parametrize("stop", [1, 3, EPOCHS - 1])
def test_a_resumed_training_ends_bit_for_bit_the_same(
    blobs: np.ndarray, tmp_path: Path, how: Recipe, settings: ModelSettings, stop: int
) -> None:
    whole, epochs = run(tmp_path / "whole", blobs, how, settings=settings)
    run(tmp_path / "cut", blobs, how, stop, settings)
    resumed, again = run(tmp_path / "cut", blobs, how, settings=settings)
    assert again == epochs
    for name, weight in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weight), name


def test_at_most_two_are_kept(blobs: np.ndarray, tmp_path: Path) -> None:
    run(tmp_path, blobs, recipe())
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture(scope="module")
def whole(blobs: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[VAE, list[Epoch]]:
    """A training that nothing interrupted."""
    return run(tmp_path_factory.mktemp("whole"), blobs, recipe())


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut by a byte": lambda data: data[:-1],
    "one bit turned": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
    "something else": lambda data: b"nonsense",
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize(("damaged", "left"), [(1, 2), (2, 0)])
def test_a_damaged_one_falls_back_to_the_one_before(
    whole: tuple[VAE, list[Epoch]],
    blobs: np.ndarray,
    tmp_path: Path,
    name: str,
    damaged: int,
    left: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(tmp_path, blobs, recipe(), 3)
    for path in sorted(tmp_path.iterdir())[-damaged:]:
        path.write_bytes(DAMAGE[name](path.read_bytes()))
    resumed, again = run(tmp_path, blobs, recipe())
    said = capsys.readouterr().out
    assert said.count("checkpoint left out") == damaged
    assert (f"going on after epoch {left}" in said) == (left > 0)
    assert again == whole[1]
    assert torch.equal(resumed.mean.weight, whole[0].mean.weight)


def test_what_was_being_written_is_not_read(
    whole: tuple[VAE, list[Epoch]], blobs: np.ndarray, tmp_path: Path
) -> None:
    run(tmp_path, blobs, recipe(), 3)
    newest = max(tmp_path.iterdir())
    newest.rename(newest.with_name(f".{newest.name}.part"))
    resumed, again = run(tmp_path, blobs, recipe())
    assert again == whole[1]
    assert torch.equal(resumed.mean.weight, whole[0].mean.weight)
    assert not list(tmp_path.glob(".*"))


SAVING = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from mnist_vae.train.checkpoint import Checkpoints

kept = Checkpoints(Path(sys.argv[1]), "m", {})
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills who writes beyond the limit
for epoch in (1, 2, 3):
    if epoch == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    kept.save({"weights": np.full(1000, epoch)}, list(range(epoch)))
"""


@pytest.mark.parametrize("written", [0, 1, 4000, 8000])
def test_a_kill_in_the_middle_of_a_save_costs_that_save_alone(
    tmp_path: Path, written: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", SAVING, str(tmp_path), str(written)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGXFSZ
    (part,) = tmp_path.glob(".*.part")
    assert part.stat().st_size == written
    kept = Checkpoints(tmp_path, "m", {})
    assert kept.epochs == [0, 1]
    assert (kept.state["weights"] == 2).all()
    assert "left out" not in capsys.readouterr().out
    kept.save(kept.state, [0, 1, 2])
    assert not part.exists()
    assert Checkpoints(tmp_path, "m", {}).epochs == [0, 1, 2]


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

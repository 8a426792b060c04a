"""A training that is killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from support.project import ROOT, environment
from support.training import PLAIN, RECIPE, VARIATIONAL, differing, train
from torch import Tensor

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets import devices
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE
from mnist_vae.train.autoencode import checkpoints_of
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.loop import Epoch
from mnist_vae.train.recipe import Recipe

EPOCHS = 5
FIVE = replace(RECIPE, epochs=EPOCHS, batch_size=100)
MUON = replace(FIVE, optimizer="muon", last_batch_size=150)
ONE = (1, {"loss": 0.5})


def run(
    folder: Path,
    images: Tensor,
    recipe: Recipe = FIVE,
    stop: int | None = None,
    settings: ModelSettings = VARIATIONAL,
) -> tuple[VAE, list[Epoch]]:
    """Train, or go on; up to ``stop`` epochs, as if killed then."""
    kept = checkpoints_of("m", settings, recipe, images, 0, folder=folder)
    return train(images, settings, recipe, checkpoints=kept, stop=stop)


# --- Going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (FIVE, VARIATIONAL),
        (replace(FIVE, precision="bfloat16"), VARIATIONAL),
        (replace(MUON, precision="bfloat16"), VARIATIONAL),
        (MUON, PLAIN),
    ],
    ids=["adam", "adam in bfloat16", "muon in bfloat16", "ae"],
)
def test_a_resumed_training_ends_bit_for_bit_the_same(
    images: Tensor, tmp_path: Path, recipe: Recipe, settings: ModelSettings
) -> None:
    whole, epochs = run(tmp_path / "whole", images, recipe, settings=settings)
    for stop in (1, 3, EPOCHS - 1):
        run(tmp_path / f"{stop}", images, recipe, stop, settings)
        resumed, again = run(tmp_path / f"{stop}", images, recipe, settings=settings)
        assert again == epochs
        assert differing(resumed, whole) == []


def test_a_training_killed_in_bfloat16_begins_anew_where_there_is_none(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = replace(FIVE, precision="bfloat16")
    run(tmp_path / "killed", images, half, stop=3)
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: False)
    whole, epochs = run(tmp_path / "whole", images, half)
    after, again = run(tmp_path / "killed", images, half)
    assert again == epochs
    assert differing(after, whole) == []


def test_at_most_two_are_kept(images: Tensor, tmp_path: Path) -> None:
    run(tmp_path, images)
    assert len(list(tmp_path.iterdir())) == 2


# --- Damage ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(images: Tensor, tmp_path_factory: pytest.TempPathFactory) -> tuple[VAE, list[Epoch]]:
    """A training that nothing interrupted."""
    return run(tmp_path_factory.mktemp("whole"), images)


@pytest.fixture
def killed(images: Tensor, tmp_path: Path) -> Path:
    """The folder of a training killed after three epochs."""
    run(tmp_path, images, stop=3)
    return tmp_path


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
    images: Tensor,
    killed: Path,
    name: str,
    damaged: int,
    left: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in sorted(killed.iterdir())[-damaged:]:
        path.write_bytes(DAMAGE[name](path.read_bytes()))
    resumed, again = run(killed, images)
    printed = capsys.readouterr().out
    assert printed.count("checkpoint left out") == damaged
    assert (f"going on after epoch {left}" in printed) == (left > 0)
    assert again == whole[1]
    assert differing(resumed, whole[0]) == []


def test_what_was_being_written_is_not_read(
    whole: tuple[VAE, list[Epoch]], images: Tensor, killed: Path
) -> None:
    newest = max(killed.iterdir())
    newest.rename(newest.with_name(f".{newest.name}.0123.part"))
    resumed, again = run(killed, images)
    assert again == whole[1]
    assert differing(resumed, whole[0]) == []
    assert not list(killed.glob(".*"))


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
    kept.save({"weights": np.full(1000, epoch)}, [(n + 1, {"loss": n}) for n in range(epoch)])
"""


@pytest.mark.parametrize("written", [0, 1, 4000, 8000])
def test_a_kill_in_the_middle_of_a_save_costs_that_save_alone(
    tmp_path: Path, written: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", SAVING, str(tmp_path), str(written)]
    ended = subprocess.run(command, check=False, env=environment(ROOT))
    assert ended.returncode == -signal.SIGXFSZ
    (part,) = tmp_path.glob(".*.part")
    assert part.stat().st_size == written
    kept = Checkpoints(tmp_path, "m", {})
    assert kept.epochs == ((1, {"loss": 0}), (2, {"loss": 1}))
    assert (kept.state["weights"] == 2).all()
    assert "left out" not in capsys.readouterr().out
    kept.save(kept.state, [*kept.epochs, (3, {"loss": 2})])
    assert not part.exists()
    assert len(Checkpoints(tmp_path, "m", {}).epochs) == 3


# --- Forgery --------------------------------------------------------------------------------------


def forge(killed: Path, change: Callable[[store.Arrays, dict[str, Any]], object]) -> Path:
    """Change what the newest checkpoint holds, and seal it again."""
    newest = max(killed.iterdir())
    state, about = store.read_arrays(newest, "checkpoint")
    change(state, about)
    store.write_arrays(newest, "checkpoint", state, **about)
    return newest


@pytest.mark.parametrize(
    "change",
    [
        lambda state, about: about.pop("epochs"),
        lambda state, about: about.update(epochs=[]),
        lambda state, about: about.update(epochs=[1, 2, 3]),
        lambda state, about: about.update(epochs=about["epochs"][1:]),
        lambda state, about: about["epochs"][0][1].update(loss="low"),
        lambda state, about: about.update(more=1),
    ],
    ids=["no epochs", "none", "numbers alone", "the first missing", "a word", "a key too many"],
)
def test_one_with_wrong_facts_is_left_out(
    whole: tuple[VAE, list[Epoch]],
    images: Tensor,
    killed: Path,
    change: Callable[[store.Arrays, dict[str, Any]], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    newest = forge(killed, change)
    resumed, again = run(killed, images)
    printed = capsys.readouterr().out
    assert f"checkpoint left out: {newest}: facts" in printed
    assert "going on after epoch 2" in printed
    assert again == whole[1]
    assert differing(resumed, whole[0]) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state, about: state.pop("square"), "square is missing, must be float32"),
        (lambda state, about: state.clear(), "weights is missing"),
        (
            lambda state, about: state.update(mean=state["mean"][1:]),
            r"mean is float32 \(\d+,\), must be float32",
        ),
        (
            lambda state, about: state.update(steps=state["steps"].astype("float64")),
            r"steps is float64 \(\), must be float32 \(\)",
        ),
        (lambda state, about: state["weights"].put(3, np.nan), "weights holds a number that is"),
        (
            lambda state, about: about["epochs"][1][1].pop("kl"),
            r"epoch 2 has loss, squared_error, must have \('loss', 'squared_error', 'kl'\)",
        ),
        (
            lambda state, about: about["epochs"].extend([n, about["epochs"][0][1]] for n in (4, 5)),
            "found 5 epochs, must be below 5",
        ),
    ],
)
def test_one_that_cannot_be_of_the_training_is_refused_by_name(
    images: Tensor,
    killed: Path,
    change: Callable[[store.Arrays, dict[str, Any]], object],
    message: str,
) -> None:
    newest = forge(killed, change)
    with pytest.raises(InputError, match=f"^{newest}: {message}.*; delete it and run"):
        run(killed, images)


# --- Names ----------------------------------------------------------------------------------------


def test_clear_removes_this_models_and_no_others(tmp_path: Path) -> None:
    state = {"weights": np.zeros(2)}
    mine, other = (Checkpoints(tmp_path, name, {"a": 1}) for name in ("vae", "vae2"))
    Checkpoints(tmp_path, "vae", {"a": 2}).save(state, [ONE])
    mine.save(state, [ONE])
    other.save(state, [ONE])
    (tmp_path / ".vae.cut.part").write_bytes(b"")
    held = tmp_path / ".vae.lock"
    held.touch()
    mine.clear()
    assert {path.name.split(".")[0] for path in tmp_path.iterdir() if path != held} == {"vae2"}
    other.clear()
    assert list(tmp_path.iterdir()) == [held]  # and the folder: others may be about to write there


def test_a_checkpoint_under_anothers_name_is_left_out(tmp_path: Path) -> None:
    one, two = (Checkpoints(tmp_path, "m", {"a": i}) for i in range(2))
    one.save({"weights": np.zeros(2)}, [ONE])
    assert Checkpoints(tmp_path, "m", {"a": 0}).epochs == (ONE,)
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / path.name.replace(one.key, two.key))
    assert Checkpoints(tmp_path, "m", {"a": 1}).epochs == ()

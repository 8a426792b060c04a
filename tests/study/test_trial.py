"""One trial: found again by what decides it, begun anew where it is damaged, refused elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from support.project import DIGITS, images_of
from support.studies import MEASURE, write_data
from support.training import PLAIN, RECIPE, VARIATIONAL

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets import devices
from mnist_vae.study import trial as module
from mnist_vae.study.grid import Trial
from mnist_vae.study.metrics import MeasureSettings
from mnist_vae.study.trial import Study, run
from mnist_vae.train import autoencode

VAE = Trial("vae", VARIATIONAL, 0)
SHORT = msgspec.structs.replace(RECIPE, epochs=1)
MEASURES = MeasureSettings(metrics=("distortion", "rate"), priors=(), **MEASURE)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    module._device.cache_clear()
    yield
    module._device.cache_clear()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder / "data"


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Study:
    return Study.of(
        SHORT,
        MEASURES,
        data=data,
        folder=tmp_path,
    )


def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The trainings that are begun from now on, by the name of their checkpoints."""
    begun: list[str] = []
    train = autoencode.train

    def noted(*args: Any, **kwargs: Any) -> Any:
        begun.append("training")
        return train(*args, **kwargs)

    monkeypatch.setattr(autoencode, "train", noted)
    return begun


def test_a_result_is_found_again(study: Study) -> None:
    first, second = run(VAE, study), run(VAE, study)
    assert (first.found, second.found) == (False, True)
    assert first.row == second.row
    assert list(first.row)[:5] == ["model", "kind", "likelihood", "latent_dim", "kl_weight"]
    (path,) = study.folder.glob("*.json")
    assert path.name.startswith("vae-4d-seed0.")
    assert 0 < first.numbers["squared_error"] < 110  # the mean image alone gives 53 to 110


def test_pixels_that_chance_makes_are_drawn_in_each_epoch(
    study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "data"
    other.mkdir()
    for name in module.FILES:
        (other / name).write_bytes((study.data / name).read_bytes())
    for split in ("train", "test"):
        facts = {"split": split, "dataset": "MNIST", "classes": DIGITS, "binarise": "stochastic"}
        store.write_arrays(other / f"{split}.safetensors", "images", images_of(split), **facts)
    seen: list[Any] = []
    train = autoencode.train

    def noted(*args: Any, **kwargs: Any) -> Any:
        seen.append((kwargs["binarise"], len(args[3].unique())))
        return train(*args, **kwargs)

    monkeypatch.setattr(autoencode, "train", noted)
    again = Study.of(SHORT, MEASURES, data=other, folder=tmp_path)
    assert run(VAE, again).numbers != run(VAE, study).numbers
    (drawn, greys), (plain, _) = seen
    assert (drawn, plain) == (True, False)
    assert greys > 2


def test_an_autoencoder_has_no_weight_of_a_kl(study: Study) -> None:
    row = run(Trial("ae", PLAIN, 0), study).row
    assert "kl_weight" not in row
    assert "kl" not in row


@pytest.mark.parametrize("damage", [b"", b'{"numbers": {"squ', b"{}", b"\xff"])
def test_a_damaged_result_is_made_again_without_training(
    study: Study, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    first = run(VAE, study)
    (path,) = study.folder.glob("*.json")
    path.write_bytes(damage)
    begun = trained(monkeypatch)
    again = run(VAE, study)
    assert (again.found, again.numbers, begun) == (False, first.numbers, [])


def test_damaged_weights_are_trained_again(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(VAE, study)
    (weights,) = study.folder.glob("weights/*")
    weights.write_bytes(weights.read_bytes()[:-1])
    next(study.folder.glob("*.json")).unlink()
    begun = trained(monkeypatch)
    assert run(VAE, study).numbers == first.numbers
    assert begun == ["training"]


def change(study: Study, **fields: Any) -> Study:
    return study._replace(**fields)


def test_what_decides_a_result_decides_its_name(study: Study) -> None:
    device = torch.device("cpu")

    def key(trial: Trial = VAE, study: Study = study) -> str:
        return module._key(trial, study, device)

    code = next(name for name in study.digests if name.startswith("mnist_vae.nets"))
    others = [
        key(VAE._replace(seed=1)),
        key(VAE._replace(settings=PLAIN)),
        key(study=change(study, recipe=msgspec.structs.replace(SHORT, learning_rate=0.02))),
        key(study=change(study, measures=msgspec.structs.replace(MEASURES, samples=51))),
        key(study=change(study, digests={**study.digests, "test.safetensors": "0"})),
        key(study=change(study, digests={**study.digests, code: "0"})),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key(VAE._replace(model="other name")) == key()
    assert key(study=change(study, data=Path("elsewhere"))) == key()


def test_other_code_and_other_data_are_refused(study: Study) -> None:
    code = {**study.digests, "mnist_vae.nets.vae": "0"}
    with pytest.raises(InputError, match=r"mnist_vae\.nets\.vae: a worker has other code"):
        run(VAE, change(study, digests=code))
    data = {**study.digests, "train.safetensors": "0"}
    with pytest.raises(InputError, match=r"train\.safetensors: is not the file"):
        run(VAE, change(study, digests=data))
    assert not list(study.folder.glob("*.json"))


def test_a_training_that_diverges_is_named(study: Study) -> None:
    wild = change(study, recipe=msgspec.structs.replace(SHORT, learning_rate=10.0))
    settings = msgspec.structs.replace(VARIATIONAL, kl_weight=1e38)
    with pytest.raises(InputError, match=r"^vae-4d-seed0: the loss became"):
        run(Trial("vae", settings, 0), wild)


def test_a_long_training_goes_on_after_a_kill(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEW_EPOCHS", 1)
    long = change(study, recipe=msgspec.structs.replace(SHORT, epochs=3))
    reference = run(VAE, change(long, folder=study.folder / "reference"))
    with monkeypatch.context() as patch:
        patch.setattr(autoencode, "train", stopped(after=2))
        with pytest.raises(KeyboardInterrupt):
            run(VAE, long)
    assert not list(study.folder.glob("*.json"))
    assert len(list((study.folder / "checkpoints").glob("*.safetensors"))) == 2
    run(VAE, study)  # a short one of the same name leaves them alone
    assert len(list((study.folder / "checkpoints").glob("*.safetensors"))) == 2
    assert run(VAE, long).numbers == reference.numbers
    assert not list((study.folder / "checkpoints").iterdir())


def stopped(after: int) -> Any:
    train = autoencode.train

    def some(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for epoch in train(*args, **kwargs):
            yield epoch
            if epoch.number == after:
                raise KeyboardInterrupt

    return some


def test_who_asks_meanwhile_waits(tmp_path: Path) -> None:
    inside: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with module._alone(tmp_path / "a.json"):
            entered.set()
            leave.wait(60)
            inside.append("first")

    def ask() -> None:
        with module._alone(tmp_path / "a.json"):
            inside.append("second")

    threads = [threading.Thread(target=hold), threading.Thread(target=ask)]
    threads[0].start()
    assert entered.wait(60)
    threads[1].start()
    with module._alone(tmp_path / "b.json"):  # another trial waits for nobody
        pass
    threads[1].join(0.2)
    assert inside == []
    leave.set()
    for thread in threads:
        thread.join(60)
    assert inside == ["first", "second"]


def test_what_is_kept_has_no_name_of_a_machine_in_it(study: Study) -> None:
    run(VAE, study)
    (path,) = study.folder.glob("*.json")
    assert json.loads(path.read_text()).keys() == {"numbers", "seconds"}
    assert str(study.folder) not in path.read_text()

"""Published likelihoods measured again: the measure against closed forms, and what is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import published
import pytest
import torch
from published import ROWS, log_weights, measure
from support.networks import collapse, draw, fresh

from mnist_vae import seeds
from mnist_vae.files import split
from mnist_vae.files.images import IMAGES, ImagesFacts
from mnist_vae.measure.likelihood import importance_nll
from mnist_vae.nets.likelihood import Bernoulli
from mnist_vae.nets.mlp import MLP
from mnist_vae.train.recipe import Recipe


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def coins(count: int) -> np.ndarray:
    """Black and white images, uint8 [N, 1, 8, 8]."""
    return ((draw(count, 1, 8, 8) < 0.3) * 255).byte().numpy()


def small() -> MLP:
    return MLP(3, image_size=8, widths=(9, 7))


def test_a_decoder_that_ignores_the_latent_has_an_exact_likelihood() -> None:
    network, images = collapse(fresh(small())), coins(130)
    with torch.no_grad():
        for parameter in network.hidden.parameters():
            parameter.zero_()
        logits = network.logits(torch.zeros(1, 3)).double()
    exact = -Bernoulli().log_probability(
        torch.from_numpy(images) / 255, logits.expand(130, 1, 8, 8), None
    )
    found = measure(network, images, samples=6, seed=0)
    assert found["nll"] == pytest.approx(exact.mean().item(), abs=1e-4)
    assert found["negative_elbo"] == pytest.approx(exact.mean().item(), abs=1e-4)
    assert found["effective"] == pytest.approx(6)


def test_weights_are_the_projects_own_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "CHUNK", 4)
    network, images = fresh(small()), torch.from_numpy(coins(2)) / 255
    with torch.inference_mode():
        mean, logvar = network.encode(images)
        assert logvar is not None
        ours = log_weights(network, images[0], mean[0], logvar[0], 10, generator())
        noise = torch.randn(10, 3, generator=generator()).double()
        std = (0.5 * logvar[0]).exp().double()
        z = mean[0].double() + noise * std
        likely = Bernoulli().log_probability(
            images[:1].expand(10, 1, 8, 8), network.logits(z.float()), None
        )
    normal = torch.distributions.Normal
    prior = normal(0.0, 1.0).log_prob(z).sum(1)
    posterior = normal(mean[0].double(), std).log_prob(z).sum(1)
    torch.testing.assert_close(ours, likely + prior - posterior, rtol=1e-5, atol=1e-4)


def test_more_samples_come_closer() -> None:
    network, images = fresh(small()), coins(100)
    few, many = (measure(network, images, samples, seed=1) for samples in (2, 400))
    assert few["negative_elbo"] > few["nll"] > many["nll"]
    assert many["negative_elbo"] == pytest.approx(few["negative_elbo"], rel=0.05)


@pytest.mark.parametrize("samples", [3, 40])
def test_every_twentieth_image_says_what_more_samples_are_worth(
    samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, images = fresh(small()), coins(600)
    whole = measure(network, images, samples, seed=1)
    assert whole["correction"] == 0
    monkeypatch.setattr(published, "FEW", 3)
    part = measure(network, images, samples, seed=1)
    assert (part["correction"] < 0) == (samples > 3)
    error = max(part["correction_standard_error"], 0.02)
    assert part["nll"] == pytest.approx(whole["nll"], abs=5 * error)


def test_images_that_do_not_fill_the_last_part() -> None:
    network, images = fresh(small()), coins(130)
    whole = measure(network, images, 4, seed=2)["nll"]
    noise = torch.Generator().manual_seed(seeds.number(2, "published"))
    with torch.inference_mode():
        pixels = torch.from_numpy(images) / 255
        mean, logvar = network.encode(pixels)
        assert logvar is not None
        weights = [
            log_weights(network, *each, 4, noise) for each in zip(pixels, mean, logvar, strict=True)
        ]
    assert whole == pytest.approx(importance_nll(torch.stack(weights).numpy()).mean)


def write(folder: Path, count: int = 80) -> None:
    for part in ("train", "test"):
        images = (draw(count, 1, 8, 8, seed=len(part)) * 255).byte().numpy()
        IMAGES.write(
            folder / f"{part}.safetensors",
            {"images": images},
            ImagesFacts(split=part, dataset="greys", binarise="stochastic"),
        )


def test_the_test_images_are_drawn_as_the_pipeline_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data")
    np.testing.assert_array_equal(published.draw("test"), split.read_split("test").images)


def test_what_was_measured_is_kept_and_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data")
    small_row = ROWS["davidson2"]._replace(samples=3, epochs=1)
    monkeypatch.setitem(published.ROWS, "davidson2", small_row)
    quick = Recipe(
        epochs=1,
        batch_size=40,
        learning_rate=0.001,
        schedule="constant",
        initialization="he",
        precision="float32",
    )
    monkeypatch.setattr(published, "RECIPE", quick)
    monkeypatch.setattr(published, "ROOT", tmp_path)  # where checkpoints lie
    output = tmp_path / "out.json"

    def run(seeds: int) -> dict[str, Any]:
        arguments = ["--rows", "davidson2", "--seeds", str(seeds), "--output", str(output)]
        monkeypatch.setattr("sys.argv", ["published.py", *arguments])
        published.main()
        table: dict[str, Any] = json.loads(output.read_text())["davidson2"]
        return table

    first = run(1)
    assert first["nll"]["runs"] == 1
    assert not [*tmp_path.glob("checkpoints/*.safetensors")]
    capsys.readouterr()
    both = run(2)
    assert "seed 0" not in capsys.readouterr().out
    assert both["seeds"]["0"] == first["seeds"]["0"]
    numbers = [each["nll"] for each in both["seeds"].values()]
    assert both["nll"]["mean"] == pytest.approx(math.fsum(numbers) / 2)
    cells = published.lines({"davidson2": both})[0].split(" | ")
    assert cells[:2] == ["| 2", "135.7"]
    assert cells[2] == f"{both['nll']['mean']:.2f} ± {both['nll']['sd']:.2f} (2)"
    monkeypatch.setitem(published.ROWS, "davidson2", small_row._replace(samples=4))
    assert run(1)["nll"]["runs"] == 1  # what was measured otherwise is forgotten
    assert both["difference"] == pytest.approx(both["nll"]["mean"] - 135.7)

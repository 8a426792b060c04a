"""What goes into the page: which points, in which order, and what is said of it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from support.explorer import make_model, make_split

from mnist_vae.explorer import content, layers, page
from mnist_vae.explorer.content import Errors, choose, describe, in_order
from mnist_vae.explorer.pack import unpack
from mnist_vae.explorer.words import words
from mnist_vae.latents import codes
from mnist_vae.nets.model import ModelSettings


def test_all_images_of_mnist_are_points_and_of_larger_ones_as_many_as_fit() -> None:
    mnist = np.broadcast_to(np.uint8(0), (10_000, 1, 28, 28))
    assert (choose(mnist, 16) == np.arange(10_000)).all()
    large = choose(np.broadcast_to(np.uint8(0), (10_000, 3, 64, 64)), 16)
    assert len(large) == 8_000_000 // (3 * 64 * 64)
    assert (large[0], large[-1]) == (0, 9999)
    assert len(np.unique(large)) == len(large)
    assert len(choose(mnist, 512)) == 1250
    assert len(choose(mnist[:10], 512)) == 10


def test_models_stand_as_they_compare() -> None:
    test = make_split()
    given = [("a", 2, "vae"), ("b", 3, "vae"), ("c", 2, "ae"), ("d", 3, "ae"), ("e", 3, "vae")]
    ordered = in_order([make_model(test, *model) for model in given])
    assert [model.name for model in ordered] == ["d", "b", "e", "c", "a"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "ae", "latent_dim": 1}, "autoencoder, 1 dimension"),
        ({"kind": "vae", "latent_dim": 2, "kl_weight": 1.0}, "VAE, 2 dimensions"),
        (
            {"kind": "vae", "latent_dim": 16, "kl_weight": 1.0, "likelihood": "gaussian"},
            "VAE with a calibrated decoder, 16 dimensions",
        ),
    ],
)
def test_models_are_described_by_their_settings(settings: dict[str, object], said: str) -> None:
    assert describe(ModelSettings(**settings)) == said  # type: ignore[arg-type]


def test_sliders_are_sorted_by_rate_and_by_variance() -> None:
    test = make_split()
    for kind in ("vae", "ae"):
        model = make_model(test, kind, 5, kind)
        told = content.of_model(model, np.arange(len(test.images)))
        used = np.array(told["used"])
        assert (np.diff(used[told["order"]]) <= 0).all()
        if kind == "ae":
            np.testing.assert_allclose(used, model.latents["mean"].var(0), rtol=1e-4)
        assert [p["name"] for p in told["priors"]] == [
            *(["standard"] if kind == "vae" else []),
            "gaussian",
            "classes",
        ]


def test_a_prior_keeps_means_and_the_lower_triangle_of_its_factors() -> None:
    model = make_model(make_split(), "m", 3)
    told = content.of_prior("classes", prior := model.priors["classes"])
    np.testing.assert_allclose(unpack(told["means"]), prior.means, atol=1e-3)
    rows, columns = np.tril_indices(3)
    np.testing.assert_allclose(unpack(told["factors"]), prior.factors[:, rows, columns], atol=1e-3)
    assert prior.labels is not None
    assert told["labels"] == prior.labels.tolist()


def test_the_error_is_that_of_rounded_weights() -> None:
    test = make_split()
    model = make_model(test, "m", 3)
    exact = codes.encode(model.network, test.images[:100]).mean
    rounded = layers.rounded(model.network, bits=8)
    errors = content.errors(test, [model], bits=8)
    assert errors.mean == np.abs(codes.encode(rounded, test.images[:100]).mean - exact).max() > 0
    fine = content.errors(test, [model])
    assert 0 < fine.pixel < errors.pixel / 50
    assert 0 < fine.mean < errors.mean / 50


def test_a_layer_that_the_page_cannot_compute_is_no_silent_gap() -> None:
    network = make_model(make_split(), "m", 3).network
    network.decoder.append(torch.nn.Tanh())
    with pytest.raises(TypeError, match="Tanh"):
        layers.decoder_layers(network)


def test_bounds_are_rounded_up() -> None:
    test = make_split()
    models = [make_model(test, "m", 3)]
    about = words(test, models, 60, Errors(0.00031, 0.0))["about"]
    assert "at most 0.08 of 255 grey levels" in about[0]
    assert "means at most 0 away" in about[0]
    assert about[1].startswith("All 60 test images")
    assert words(test, models, 6, Errors(1, 1))["about"][1].startswith("6 of the 60 test images")


def test_the_same_models_give_the_same_page() -> None:
    test = make_split()
    models = [make_model(test, "m", 2)]
    pages = {json.dumps(content.compose(test, models, None, ["#000", "#111"])) for _ in range(2)}
    assert len(pages) == 1


TURNS = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("turn", TURNS, ids=hex)
def test_what_turns_the_direction_of_text_is_shown(turn: int) -> None:
    name, shown = f"a{chr(turn)}b", f"a(U+{turn:04X})b"
    test = make_split((name, "c"), dataset=name)
    models = [make_model(test, name, 2)]
    whole = content.compose(test, models, None, ["#000", "#111"])
    written = page.render(whole, words(test, models, 60, Errors(0, 0)))
    # As the page is read, by which time JSON has nothing escaped.
    (data,) = re.findall('<script type="application/json" id="data">(.*?)</script>', written)
    small_data = page.data(content.small(test, models, ["#000", "#111"]))
    for given in (json.loads(data), json.loads(small_data)):
        assert given["dataset"] == given["classes"][0] == given["models"][0]["name"] == shown
    assert f"<title>Explorer: {shown}</title>" in written
    assert chr(turn) not in written


def test_what_turns_nothing_stays() -> None:
    joined = "می\u200cخواهم \U0001f469\u200d\U0001f52c"
    assert json.loads(page.data({"name": joined})) == {"name": joined}


def test_no_text_ends_the_element_that_holds_the_data() -> None:
    text = "</script><script>alert(1)</script><!--"
    assert "<" not in page.data({"name": text})
    assert json.loads(page.data({"name": text})) == {"name": text}

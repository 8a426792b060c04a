"""Labelled pictures are decoded draws from the prior of the class that is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks import make_network

from mnist_vae.latents import pictures, priors
from mnist_vae.latents.codes import decode, to_bytes
from mnist_vae.latents.pictures import labelled_pictures


@pytest.mark.parametrize("part", [3, 20, 100])
def test_pictures_bear_the_label_asked_for(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    network, rng = make_network(), np.random.default_rng(0)
    labels = np.arange(200) % 2
    latents = np.where(labels == 0, -9, 9)[:, None] + rng.normal(size=(200, 4))
    prior = priors.by_class(latents, labels, 1, seed=0)
    monkeypatch.setattr(pictures, "PART", part)
    made, asked = labelled_pictures(network, prior, 20, np.random.default_rng(1))
    drawn = priors.draw(prior, 20, np.random.default_rng(1))
    np.testing.assert_array_equal(asked, drawn.latents.mean(1) > 0)
    assert made.dtype == np.uint8
    whole = to_bytes(decode(network, drawn.latents)).astype(int)
    assert np.abs(made - whole).max() <= 1  # a batch may round otherwise


def test_a_prior_without_classes_makes_none() -> None:
    with pytest.raises(ValueError, match="no classes"):
        labelled_pictures(make_network(), priors.standard(4), 5, np.random.default_rng(0))

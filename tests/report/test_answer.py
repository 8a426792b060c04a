"""The answer follows the squared errors, and says so where it cannot be given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.pages import MODELS, REAL, found_by, measured, metrics_of

from mnist_vae.report.answer import answer
from mnist_vae.report.tables import show


def answer_of(**errors: float) -> str:
    """The first sentence about models with these squared errors, in this order."""
    metrics = {name: {"distortion": {"squared_error": error}} for name, error in errors.items()}
    (sentence,) = answer({name: MODELS[name] for name in errors}, metrics, {}, {}, "digit")
    return sentence


@pytest.mark.parametrize(
    ("vae", "ae", "gap"),
    [
        (6.0, 7.5, "20.0% less"),
        (9.0, 7.5, "20.0% more"),
        (6.0, 6.0, "0.0% less"),
    ],
)
def test_one_seed_decides_nothing(vae: float, ae: float, gap: str) -> None:
    assert answer_of(vae16=vae, ae16=ae) == (
        f"At 16 dimensions the squared error per test image is {show(vae, 3)} for vae16 and "
        f"{show(ae, 3)} for ae16 ({gap}), of one seed each, which decides nothing."
    )


def test_the_pair_of_most_dimensions_comes_first_and_the_others_are_told() -> None:
    sentence = answer_of(ae2=20.0, vae2=30.0, ae16=8.0, vae16=6.0)
    assert sentence.startswith("At 16 dimensions the squared error per test image is 6.00 for")
    assert (
        "; at 2 dimensions the squared error per test image is 30.0 for vae2 and 20.0" in sentence
    )


def test_the_study_decides_where_it_has_both() -> None:
    """The page's own numbers point the other way, and do not count."""
    errors = {("ae", 16): [6.0, 6.1, 6.2], ("vae", 16): [5.5, 5.6, 5.7]}
    metrics = {name: metrics_of(name) for name in MODELS}
    metrics["vae16"]["distortion"]["squared_error"] = 9.0
    first, *_ = answer(MODELS, metrics, {}, {}, "digit", found_by(errors))
    at_16, at_2 = first.split("; ")
    assert "9.00 for vae16 and 6.50 for ae16 (38.5% more), and over 3 seeds the VAE's" in at_16
    assert "squared error is lower by 0.50" in at_16
    assert at_2.endswith("of one seed each, which decides nothing.")


def test_the_notebooks_objective_is_set_beside_the_autoencoder_where_there_is_one() -> None:
    assert "6.00 for vae16" in answer_of(sigma16=8.0, vae16=6.0, ae16=7.0)
    assert "8.00 for sigma16 and 7.00 for ae16" in answer_of(sigma16=8.0, ae16=7.0)


@pytest.mark.parametrize(
    ("errors", "listed"),
    [
        ({}, ""),
        ({"ae16": 6.0}, ": the squared error per test image is 6.00 for ae16"),
        (
            {"vae16": 6.0, "ae2": 30.0, "sigma16": 8.0},
            "6.00 for vae16, 30.0 for ae2 and 8.00 for sigma16",
        ),
    ],
)
def test_without_a_pair_the_answer_is_that_there_is_none(
    errors: dict[str, float], listed: str
) -> None:
    sentence = answer_of(**errors)
    assert sentence.startswith("This run cannot say, without a VAE and an autoencoder of as many ")
    assert sentence.endswith(f"{listed}.")


def lead(metrics: dict[str, Any], **given: Any) -> list[str]:
    """All sentences about the models that these metrics are of."""
    models = {name: MODELS[name] for name in metrics}
    references: dict[str, Any] = {"classifier": {"test_accuracy": 99.3}, "real": REAL} | given
    return answer(models, metrics, **references, noun="digit")


def test_what_is_gained_is_that_of_the_pair() -> None:
    metrics = measured()
    metrics["ae16"]["samples"]["mixture"]["frechet"] = 5.5
    _, gained, _ = lead(metrics)
    assert gained.startswith(
        "Beyond reconstruction, the Fréchet distance of samples to the test images is 6.00 for "
        "vae16 and 5.50 for ae16, each from the best of its priors (from N(0, I) 60.0 for vae16 "
        "and of real images 0.400); a linear probe"
    )
    assert "94.0% of the latents of vae16 and 93.5% of the latents of ae16" in gained
    _, gained, *_ = lead(measured("ae16", "ae2"))
    assert "is 6.50 for ae16 and 29.0 for ae2, each from the best of its priors (of real" in gained
    assert "93.5% of the latents of ae16" in gained


def test_the_seeds_of_the_study_stand_beside_what_is_gained() -> None:
    found = found_by({("ae", 16): [6.0, 6.1, 6.2], ("vae", 16): [5.5, 5.6, 5.7]})
    found.grid.table["frechet_mixture"] = np.array([11.0, 12, 13, 20, 22, 24])
    found.grid.table["frechet_classes"] = np.array([8.0, 9, 10, np.nan, np.nan, 7])
    found.grid.table["probe_accuracy"] = np.array([90.0, 92, 94, 95, 95, 95])
    metrics = measured("vae16", "ae16")
    _, gained, *_ = lead(metrics, study=found)  # the best prior of vae16 has no two seeds
    assert "and of real images 0.400); a linear probe" in gained
    assert "and over 3 seeds of the study 95.0 ± 0.0 for vae16 and 92.0 ± 2.0 for ae16." in gained
    metrics["vae16"]["samples"]["mixture"] = {"frechet": 0.1}
    _, gained, *_ = lead(metrics, study=found)
    assert "seeds of the study 22.0 ± 2.0 for vae16 and 9.00 ± 1.00 for ae16; a linear " in gained


def test_what_made_pictures_are_worth_stands_beside_real_ones() -> None:
    *_, made = lead(measured())
    assert made == (
        "A classifier trained only on labelled pictures that a model made names the digit of "
        "98.5% (vae16) of the real test images, one trained on real pictures that of 99.3%."
    )
    metrics = measured()
    metrics["sigma16"]["made"] = {"test_accuracy": 97.25}
    *_, made = lead(metrics, classifier={})
    assert made.endswith("98.5% (vae16) and 97.2% (sigma16) of the real test images.")


def test_images_without_labels_have_no_samples_that_a_classifier_saw() -> None:
    metrics = measured("vae16", "ae16")
    for each in metrics.values():
        each["samples"] = {"mixture": {"too_near": 0.5}}
        each.pop("made", None)
    del metrics["vae16"]["latent"], metrics["ae16"]["latent"]
    assert len(lead(metrics, classifier={}, real={})) == 1

from __future__ import annotations

import math

import pytest

from mnist_vae.audit import AUTOENCODER, BALANCED, audit_bernoulli, audit_gaussian


@pytest.mark.parametrize(
    ("kl_weight", "error", "rate", "beta", "times"),
    [(1 / 8192, 6.286, 129, 6.1e-5, "130 times"), (1 / 1024, 29.94, 61, 4.9e-4, "78 times")],
)
def test_the_notebook_is_an_autoencoder_in_disguise(kl_weight, error, rate, beta, times):
    found = audit_gaussian(kl_weight=kl_weight, mean_squared_error=error / 784, rate=rate)
    assert found.effective_beta == pytest.approx(beta, rel=0.01)
    assert found.implied_variance == kl_weight / 2
    assert found.calibrated_variance == error / 784
    assert found.ratio == pytest.approx(error / 784 / (kl_weight / 2))
    assert found.sentence == (
        f"KL is {times} weaker than this decoder's error calls for: "
        "nearly an autoencoder, whose samples from the prior need not look like digits."
    )


def test_a_kl_without_weight_is_an_autoencoder():
    for found in (
        audit_gaussian(kl_weight=0, mean_squared_error=0.008, rate=900),
        audit_bernoulli(kl_weight=0, rate=900),
    ):
        assert found.ratio is None
        assert found.sentence.startswith("KL has no weight: nearly an autoencoder")


def test_a_collapsed_posterior_is_told_with_its_cause():
    # The usual mistake: squared error averaged over pixels, so that KL counts 784 times.
    found = audit_gaussian(kl_weight=784, mean_squared_error=0.067, rate=0.003)
    assert "less than 0.1 nats" in found.sentence
    assert found.sentence.endswith(
        "KL is 5,900 times stronger than this decoder's error calls for."
    )
    # Collapsed for another reason than the weight.
    found = audit_gaussian(kl_weight=1, variance=0.067, mean_squared_error=0.067, rate=0.0)
    assert "all but the prior" in found.sentence
    assert found.sentence.endswith("KL has the weight that this decoder's error calls for.")
    assert "all but the prior" in audit_bernoulli(kl_weight=0, rate=0.09).sentence
    assert "all but the prior" not in audit_bernoulli(kl_weight=0, rate=0.11).sentence


@pytest.mark.parametrize(
    ("ratio", "start", "finding"),
    [
        (1.0, "KL has the weight that", "balanced"),
        (1.04, "KL has the weight that", "balanced"),
        (1.38, "KL is 1.4 times weaker than", "balanced"),
        (1 / 1.38, "KL is 1.4 times stronger than", "balanced"),
        (BALANCED * 1.001, "KL is 2.0 times weaker than", "favours reconstructions"),
        (9.97, "KL is 10 times weaker than", "favours reconstructions"),
        (AUTOENCODER, "KL is 10 times weaker than", "nearly an autoencoder"),
        (1501.0, "KL is 1,500 times weaker than", "nearly an autoencoder"),
        (1e7, "KL is over a million times weaker than", "nearly an autoencoder"),
        (0.999 / BALANCED, "KL is 2.0 times stronger than", "gives up detail"),
        (1 / 16.4, "KL is 16 times stronger than", "gives up detail"),
    ],
)
def test_the_sentence_says_what_the_numbers_say(ratio, start, finding):
    gaussian = audit_gaussian(kl_weight=1, variance=0.01, mean_squared_error=0.01 * ratio, rate=20)
    bernoulli = audit_bernoulli(kl_weight=1 / ratio, rate=20)
    for found, reference in (
        (gaussian, "this decoder's error"),
        (bernoulli, "a Bernoulli decoder"),
    ):
        assert found.ratio == pytest.approx(ratio)
        assert found.sentence.startswith(f"{start} {reference} calls for: ")
        assert finding in found.sentence


def test_one_loss_written_in_three_ways_is_judged_alike():
    # SSE + 0.02 · KL, its half with variance 1, and the ELBO of variance 0.01.
    fixed = audit_gaussian(kl_weight=0.02, mean_squared_error=0.008, rate=30)
    unit = audit_gaussian(kl_weight=0.01, variance=1, mean_squared_error=0.008, rate=30)
    elbo = audit_gaussian(kl_weight=1, variance=0.01, mean_squared_error=0.008, rate=30)
    assert fixed == unit == elbo


def test_a_beta_vae_with_a_calibrated_decoder_shows_its_beta():
    found = audit_gaussian(kl_weight=4, variance=0.008, mean_squared_error=0.008, rate=12)
    assert found.ratio == pytest.approx(1 / 4)
    assert "4.0 times stronger" in found.sentence


def test_bernoulli_has_no_variance():
    found = audit_bernoulli(kl_weight=0.5, rate=25)
    assert (found.implied_variance, found.calibrated_variance) == (None, None)
    assert (found.effective_beta, found.ratio) == (0.5, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"kl_weight": -1},
        {"kl_weight": math.nan},
        {"rate": -0.1},
        {"rate": math.inf},
        {"mean_squared_error": 0},
        {"variance": 0},
        {"variance": -1},
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(change):
    good = {"kl_weight": 1.0, "mean_squared_error": 0.01, "rate": 20.0, "variance": 0.5}
    audit_gaussian(**good)
    with pytest.raises(ValueError, match=next(iter(change))):
        audit_gaussian(**good | change)


@pytest.mark.parametrize("change", [{"kl_weight": -1}, {"rate": math.nan}])
def test_bernoulli_refuses_them_too(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        audit_bernoulli(**{"kl_weight": 1.0, "rate": 20.0} | change)

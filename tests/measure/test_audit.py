from __future__ import annotations

from dataclasses import astuple

import pytest

from mnist_vae.measure.audit import AUTOENCODER, BALANCED, audit_bernoulli, audit_gaussian


@pytest.mark.parametrize(
    ("kl_weight", "error", "rate", "beta", "times"),
    [(1 / 8192, 6.286, 129, 6.1e-5, "130 times"), (1 / 1024, 29.94, 61, 4.9e-4, "78 times")],
)
def test_the_notebook_is_an_autoencoder_in_disguise(
    kl_weight: float, error: float, rate: float, beta: float, times: str
) -> None:
    audit = audit_gaussian(
        kl_weight=kl_weight, variance=0.5, mean_squared_error=error / 784, rate=rate
    )
    implied, calibrated = kl_weight / 2, error / 784
    assert audit.effective_beta == pytest.approx(beta, rel=0.01)
    assert astuple(audit)[:4] == pytest.approx((implied, implied, calibrated, calibrated / implied))
    assert audit.sentence == (
        f"KL is {times} weaker than this decoder's error calls for: "
        "nearly an autoencoder, with little to draw its latents to the prior."
    )


def test_a_kl_without_weight_is_an_autoencoder() -> None:
    for audit in (
        audit_gaussian(kl_weight=0, variance=0.5, mean_squared_error=0.008, rate=900),
        audit_bernoulli(kl_weight=0, rate=900),
    ):
        assert audit.ratio is None
        assert audit.sentence.startswith("KL has no weight: nearly an autoencoder")


@pytest.mark.parametrize(
    ("kl_weight", "variance", "rate", "cause"),
    [
        # The usual mistake: squared error averaged over pixels, so that KL counts 784 times.
        (784, 0.5, 0.003, "KL is 5,900 times stronger than this decoder's error calls for."),
        # Collapsed for another reason than the weight.
        (1, 0.067, 0.0, "KL has the weight that this decoder's error calls for."),
    ],
)
def test_a_collapsed_posterior_is_told_with_its_cause(
    kl_weight: float, variance: float, rate: float, cause: str
) -> None:
    sentence = audit_gaussian(
        kl_weight=kl_weight, variance=variance, mean_squared_error=0.067, rate=rate
    ).sentence
    assert "all but the prior: the latent carries less than 0.1 nats" in sentence
    assert sentence.endswith(cause)


@pytest.mark.parametrize(("rate", "collapsed"), [(0.09, True), (0.1, False), (0.11, False)])
def test_a_posterior_is_collapsed_below_a_tenth_of_a_nat(rate: float, collapsed: bool) -> None:
    assert ("all but the prior" in audit_bernoulli(kl_weight=0, rate=rate).sentence) == collapsed


@pytest.mark.parametrize(
    ("ratio", "start", "finding"),
    [
        (1.0, "KL has the weight that", "balanced"),
        (1.04, "KL has the weight that", "balanced"),
        (1.38, "KL is 1.4 times weaker than", "balanced"),
        (1 / 1.38, "KL is 1.4 times stronger than", "balanced"),
        (BALANCED, "KL is 2.0 times weaker than", "balanced"),
        (1 / BALANCED, "KL is 2.0 times stronger than", "balanced"),
        (BALANCED * 1.001, "KL is 2.0 times weaker than", "favours reconstructions"),
        (9.97, "KL is 10 times weaker than", "favours reconstructions"),
        (AUTOENCODER, "KL is 10 times weaker than", "nearly an autoencoder"),
        (1501.0, "KL is 1,500 times weaker than", "nearly an autoencoder"),
        (1e6, "KL is over a million times weaker than", "nearly an autoencoder"),
        (1e7, "KL is over a million times weaker than", "nearly an autoencoder"),
        (0.999 / BALANCED, "KL is 2.0 times stronger than", "gives up detail"),
        (1 / 16.4, "KL is 16 times stronger than", "gives up detail"),
    ],
)
def test_the_sentence_says_what_the_numbers_say(ratio: float, start: str, finding: str) -> None:
    gaussian = audit_gaussian(kl_weight=1, variance=0.01, mean_squared_error=0.01 * ratio, rate=20)
    bernoulli = audit_bernoulli(kl_weight=1 / ratio, rate=20)
    for audit, reference in (
        (gaussian, "this decoder's error"),
        (bernoulli, "a Bernoulli decoder"),
    ):
        assert audit.ratio == pytest.approx(ratio)
        assert audit.sentence.startswith(f"{start} {reference} calls for: ")
        assert finding in audit.sentence


@pytest.mark.parametrize(
    ("ratio", "sentence"),
    [
        (
            1.4,
            "KL is 1.4 times weaker than this decoder's error calls for: "
            "reconstruction and prior are balanced.",
        ),
        (
            3.0,
            "KL is 3.0 times weaker than this decoder's error calls for: "
            "it favours reconstructions over samples from the prior.",
        ),
        (
            0.1,
            "KL is 10 times stronger than this decoder's error calls for: it gives up detail in "
            "reconstructions to keep the latents near the prior.",
        ),
    ],
)
def test_whole_sentences(ratio: float, sentence: str) -> None:
    audit = audit_gaussian(kl_weight=1, variance=0.01, mean_squared_error=0.01 * ratio, rate=20)
    assert audit.sentence == sentence


def test_a_number_out_of_range_is_told_with_its_bound() -> None:
    numbers = {"kl_weight": 1.0, "variance": 0.5, "mean_squared_error": 0.01, "rate": 20.0}
    with pytest.raises(ValueError, match=r"^variance is 0, must be above 0$"):
        audit_gaussian(**numbers | {"variance": 0})
    with pytest.raises(ValueError, match=r"^rate is -1, must be at least 0$"):
        audit_gaussian(**numbers | {"rate": -1})


def test_one_loss_written_in_three_ways_is_judged_alike() -> None:
    # SSE + 0.02 · KL, its half with variance 1, and the ELBO of variance 0.01.
    fixed = audit_gaussian(kl_weight=0.02, variance=0.5, mean_squared_error=0.008, rate=30)
    unit = audit_gaussian(kl_weight=0.01, variance=1, mean_squared_error=0.008, rate=30)
    elbo = audit_gaussian(kl_weight=1, variance=0.01, mean_squared_error=0.008, rate=30)
    assert fixed == unit == elbo


def test_bernoulli_has_no_variance() -> None:
    assert astuple(audit_bernoulli(kl_weight=0.5, rate=25))[:4] == (0.5, None, None, 2)

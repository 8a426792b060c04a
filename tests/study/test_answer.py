"""The paired tests and their sentences, on made-up tables with known answers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.studies import table_of

from mnist_vae.files.store import Arrays
from mnist_vae.study.answer import (
    ALPHA,
    answer,
    beats,
    compare,
    comparisons,
    holm,
    paired_p,
    vae_against_autoencoder,
)

SPREAD = [-0.02, -0.01, 0.0, 0.01, 0.02]  # sd 0.0158, t-quantile of 4 degrees of freedom 2.776
AE = {1: 37.0, 2: 29.0, 16: 6.0}


def table(**differences: list[float]) -> Arrays:
    """Autoencoders of one error, VAEs that differ from it by these, by d1, d2, d16."""
    errors = {}
    for key, values in differences.items():
        dims = int(key[1:])
        wobble = [0.1 * seed for seed in range(len(values))]  # which both have: pairs take it out
        errors["ae", dims] = [AE[dims] + shift for shift in wobble]
        errors["vae", dims] = [AE[dims] + s + v for s, v in zip(wobble, values, strict=True)]
    return table_of(errors)


# ---- Tests --------------------------------------------------------------------------------------


def test_p_is_scipys_paired_t() -> None:
    one, other = np.random.default_rng(0).standard_normal((2, 5))
    assert paired_p(one - other) == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert paired_p(np.zeros(3)) == 1
    assert paired_p(np.full(3, 0.5)) == 0


@pytest.mark.parametrize(
    ("p", "adjusted", "tested"),
    [
        ([], [], []),
        ([0.03], [0.03], [0.05]),
        # The third is not rejected, so the last is not either, small as it is.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02], [0.05 / 3, 0.025, 0.025, 0.0125]),
        ([0.5, 0.4], [0.8, 0.8], [0.025, 0.025]),
        ([0.001, 0.02, 0.02], [0.003, 0.04, 0.04], [0.05 / 3, 0.025, 0.05]),
    ],
)
def test_holm(p: list[float], adjusted: list[float], tested: list[float]) -> None:
    found, levels = holm(p)
    assert found == pytest.approx(adjusted)
    assert [1 - level for level in levels] == pytest.approx(tested)


def test_seven_looks_at_nothing_find_something_in_five_of_a_hundred() -> None:
    rng = np.random.default_rng(0)
    runs = 1000
    found = 0
    for _ in range(runs):
        adjusted, _ = holm([paired_p(each) for each in rng.standard_normal((7, 5))])
        found += min(adjusted) <= ALPHA
    assert found / runs == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / runs) ** 0.5)


@given(st.lists(st.lists(st.floats(-2, 2), min_size=2, max_size=5), min_size=1, max_size=7))
def test_an_interval_leaves_out_zero_exactly_where_the_test_finds_a_difference(
    differences: list[list[float]],
) -> None:
    rows = {}
    for index, values in enumerate(differences):
        rows["ae", index + 1] = [0.0] * len(values)
        rows["vae", index + 1] = values
    for each in vae_against_autoencoder(table_of(rows)):
        low, high = each.difference.low, each.difference.high
        if abs(each.p - ALPHA) > 1e-9:  # at the very edge both may round either way
            assert each.differs == (not low <= 0 <= high)
        assert each.level >= 1 - ALPHA - 1e-12


def test_only_seeds_that_both_have_are_compared() -> None:
    whole = table_of({("ae", 2): [1.0, 2, 3, 4], ("vae", 2): [1.5, 2.5, 3.6, 9]})
    kept = ~((whole["kind"] == "ae") & (whole["seed"] == 3))
    (found,) = compare({k: v[kept] for k, v in whole.items()}, "squared_error", "vae", "ae")
    assert found.difference.seeds == 3
    assert found.values == pytest.approx([0.5, 0.5, 0.6])


def test_every_two_models_are_compared_in_every_metric() -> None:
    table = table_of({(m, d): [1.0, 2 + d] for m in ("ae", "vae", "vae-b") for d in (2, 16)})
    table["train_loss"] = table["squared_error"]
    table["kl"] = np.where(table["kind"] == "ae", np.nan, table["squared_error"])
    rows = [(r["metric"], r["one"], r["other"], r["latent_dim"]) for r in comparisons(table)]
    pairs = [("vae", "ae"), ("vae-b", "ae"), ("vae-b", "vae")]
    expected = [("squared_error", *pair, dims) for pair in pairs for dims in (2, 16)]
    assert rows == [*expected, *(("kl", "vae-b", "vae", dims) for dims in (2, 16))]


def test_one_seed_compares_nothing() -> None:
    assert comparisons(table_of({("ae", 2): [1.0], ("vae", 2): [2.0]})) == []


def test_who_beats_all_others_at_other_dimensions_too() -> None:
    made_up = table_of(
        {
            ("vae", 16): [6.0, 6.2, 6.4],
            ("ae", 16): [6.1, 6.3, 6.5],  # worse by 0.1 for each seed, far within the spread
            ("vae", 2): [29.0, 30, 31],
            ("ae", 2): [30.0, 29, 31],
            ("vae-b", 16): [6.0],
        }
    )
    best, others = ("vae", 16), [("ae", 16), ("vae", 2), ("ae", 2)]
    assert beats(made_up, "squared_error", best, others, lower=True)
    assert not beats(made_up, "squared_error", best, others, lower=False)
    assert not beats(made_up, "squared_error", ("ae", 16), [best], lower=True)
    assert beats(made_up, "squared_error", ("ae", 16), [best], lower=False)
    assert not beats(made_up, "squared_error", ("vae", 2), [("ae", 2)], lower=True)
    assert not beats(made_up, "squared_error", best, [*others, ("vae-b", 16)], lower=True)


def test_who_beats_another_does_so_after_the_looks_at_all_dimensions() -> None:
    errors = shifted(-0.0233)  # p 0.03
    assert beats(table(d16=errors), "squared_error", ("vae", 16), [("ae", 16)], lower=True)
    looked_at = table(d1=shifted(0.0), d2=shifted(0.0), d16=errors)
    assert not beats(looked_at, "squared_error", ("vae", 16), [("ae", 16)], lower=True)


# ---- Sentences ----------------------------------------------------------------------------------


def shifted(by: float) -> list[float]:
    return [by + each for each in SPREAD]


METHOD = (
    "Squared errors are per test image, over 5 seeds. By a paired t test over seeds at each number "
    "of dimensions, with Holm's correction for {} looks, 5% in all; each interval is at the level "
    "of its test."
)


@pytest.mark.parametrize(
    ("made_up", "sentences"),
    [
        # 0.4 ± 2.776 · 0.0158 / √5
        (
            table(d16=shifted(-0.4)),
            [
                "Yes: at 16 dimensions the VAE's squared error is lower by 0.400 (0.380 to 0.420).",
                METHOD.replace(", with Holm's correction for {} looks", ""),
            ],
        ),
        # Found at the stricter level, 97.5%: t 3.495, ± 0.0247. The other at 95%.
        (
            table(d2=shifted(-0.4), d16=shifted(0.0)),
            [
                "At 16 dimensions, the most tried, no difference larger than 0.020 is seen.",
                "At 2 dimensions the VAE's squared error is lower by 0.400 (0.375 to 0.425).",
                METHOD.format(2),
            ],
        ),
        (
            table(d1=shifted(0.0), d2=shifted(-0.5), d16=shifted(-0.4)),
            [
                "Yes, from 2 dimensions on: at 16 dimensions, the most tried, the VAE's squared "
                "error is lower by 0.400 (0.375 to 0.425).",
                "At 1 dimension no difference larger than 0.020 is seen; at 2 dimensions the VAE's "
                "squared error is lower by 0.500 (0.471 to 0.529).",
                METHOD.format(3),
            ],
        ),
        (
            table(d2=shifted(-0.5), d16=shifted(0.3)),
            [
                "No: at 16 dimensions, the most tried, the autoencoder's squared error is lower by "
                "0.300 (0.280 to 0.320).",
                "At 2 dimensions the VAE's squared error is lower by 0.500 (0.475 to 0.525).",
                METHOD.format(2),
            ],
        ),
        (
            table(d2=shifted(0.0), d16=shifted(0.0)),
            [
                "It is not seen to: neither at 2 nor at 16 dimensions does the squared error "
                "of the VAE differ from the autoencoder's by more than chance explains. The seeds "
                "leave room for a difference of 0.085% (at 2 dimensions) to 0.40% (at 16 "
                "dimensions).",
                "At 2 dimensions no difference larger than 0.025 is seen; at 16 dimensions no "
                "difference larger than 0.025 is seen.",
                METHOD.format(2),
            ],
        ),
        # All at 98.3%: t 3.961, ± 0.0280
        (
            table(d1=shifted(0.0), d2=shifted(0.0), d16=shifted(0.0)),
            [
                "It is not seen to: at none of 3 numbers of dimensions, 1 to 16, does the squared "
                "error of the VAE differ from the autoencoder's by more than chance explains. The "
                "seeds leave room for a difference of 0.076% (at 1 dimension) to 0.46% (at 16 "
                "dimensions).",
                "At 1 dimension no difference larger than 0.029 is seen; at 2 dimensions no "
                "difference larger than 0.029 is seen; at 16 dimensions no difference larger than "
                "0.029 is seen.",
                METHOD.format(3),
            ],
        ),
    ],
    ids=["yes", "only at few", "from some on", "no", "neither", "nowhere"],
)
def test_the_answer(made_up: Arrays, sentences: list[str]) -> None:
    assert answer(made_up) == sentences


def test_what_cannot_be_said_is_not() -> None:
    (sentence,) = answer(table(d16=[-0.4]))
    assert sentence.startswith("This study cannot say")


def test_who_has_no_autoencoder_was_not_asked() -> None:
    assert answer(table_of({("vae", 2): [1.0, 2], ("vae-b", 2): [1.0, 2]})) == []


@given(st.lists(st.floats(-3, 3).map(lambda x: round(x, 4)), min_size=2, max_size=6))
def test_no_sentence_says_more_than_the_interval(differences: list[float]) -> None:
    made_up = table_of({("ae", 16): [0.0] * len(differences), ("vae", 16): differences})
    (found,) = vae_against_autoencoder(made_up)
    low, high = found.difference.low, found.difference.high
    said = [float(number) for number in re.findall(r"\d+\.\d+|(?<=than )\d+", answer(made_up)[0])]
    slack = 1e-8 * (1 + abs(low) + abs(high))
    if found.differs:
        _, near, far = said
        assert near <= min(abs(low), abs(high)) + slack
        assert far >= max(abs(low), abs(high)) - slack
        assert ("the VAE's" in answer(made_up)[0]) == (found.difference.mean < 0)
    else:
        assert said[0] >= max(abs(low), abs(high)) - slack

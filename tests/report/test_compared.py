"""Which figures of all models there are, and what stands in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.drawings import texts
from support.pages import MODELS, measured
from support.studies import table_of

from mnist_vae.report.compared import of_all_models
from mnist_vae.report.models import ordered
from mnist_vae.report.pictures import COMPARED

CURVES = {name: {"squared_error": np.array([9.0, 8.0])} for name in MODELS}


def drawn(*names: str, tables: Any = ()) -> dict[str, Any]:
    models = ordered({name: MODELS[name] for name in names or MODELS})
    return dict(of_all_models(models, measured(*models), CURVES, tables))


def legend(figure: Any) -> list[str]:
    return texts(figure.legends[0].get_texts())


def test_all_models_are_in_each_figure_in_the_order_that_compares() -> None:
    figures = drawn()
    assert figures.keys() == COMPARED.keys()
    assert legend(figures["answer"]) == ["ae16", "vae16", "sigma16", "ae2", "vae2"]
    assert legend(figures["losses"]) == legend(figures["answer"])
    assert legend(figures["rates"]) == ["vae16", "sigma16", "vae2"]
    assert legend(figures["rate_distortion"]) == ["vae16", "sigma16", "vae2", "ae16", "ae2"]
    plane = figures["rate_distortion"].axes[0]
    points = [dots.get_offsets()[0].tolist() for dots in plane.collections]
    np.testing.assert_allclose(points, [[100, 6.06], [100, 8.08], [100, 30.3]])  # of a draw
    assert [line.get_ydata()[0] for line in plane.lines] == [6.5, 29.0]


def test_autoencoders_alone_have_no_rates() -> None:
    assert drawn("ae16", "ae2").keys() == {"answer", "losses"}


def test_old_or_empty_metrics_make_no_figure_of_what_they_lack() -> None:
    assert of_all_models({"ae2": MODELS["ae2"]}, {"ae2": {}}, CURVES).keys() == {"losses"}


def test_the_sweep_of_the_study_lies_behind_the_models() -> None:
    weights = ("b1", "b2", "b4")
    table = dict(table_of({(m, d): [6.0 * int(m[1]), 6.1] for m in weights for d in (2, 16)}))
    table["kl"], table["squared_error_sampled"] = 3 * table["squared_error"], table["squared_error"]
    table["kl_weight"] = np.array([float(name[-1]) for name in table["model"]])
    no_sweep = table_of({("ae", 2): [1.0], ("vae", 2): [2.0]})
    figures = drawn(tables=[table, no_sweep])
    plane: Any = figures["rate_distortion"].axes[0]
    assert len(plane.lines) == 2 + 2  # a curve each of 2 and of 16 dimensions
    assert {"1", "2", "4", "better"} == set(texts(plane.texts))
    assert legend(figures["rate_distortion"]) == legend(drawn()["rate_distortion"])

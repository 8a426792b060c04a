"""What the page takes from the study: of its own data set and recipe, and nothing without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from support.pages import DATA, MODELS, compose, grid_of, measured, rendered, write_grid

from mnist_vae.errors import InputError
from mnist_vae.report import markdown
from mnist_vae.report.study import ANSWER, CAPTIONS, GROUNDS, Grid, counterparts, read

PARAMS: dict[str, Any] = {"recipes": {}, "study": {}}
GRID = grid_of(
    {("ae", 16): [6.0, 6.1, 6.2], ("vae", 16): [5.5, 5.6, 5.7], ("sigma", 16): [6.0] * 3}
)
SIZES = {
    f"study/{name}/figures/{stem}.png": (8, 4) for name in ("main", "beta") for stem in CAPTIONS
}
BETA = Grid("beta", GRID.table, [], "Beta is old.")


def test_a_grid_is_read_if_it_ran_on_these_images(tmp_path: Path) -> None:
    assert read("main", DATA, PARAMS, tmp_path) is None
    write_grid(tmp_path, GRID.table, ["Yes."])
    found = read("main", DATA, PARAMS, tmp_path)
    assert found
    assert (found.sentences, found.recipe, found.seeds) == (["Yes."], "fast", 3)
    assert "`make study` makes it again" in found.state  # there is no lock
    np.testing.assert_array_equal(found.table["kl_weight"], GRID.table["kl_weight"])
    for other in ({"dataset": "Birds"}, {"binarise": "threshold"}):
        assert read("main", msgspec.structs.replace(DATA, **other), PARAMS, tmp_path) is None
    assert read("beta", DATA, PARAMS, tmp_path) is None
    (tmp_path / "reports/study/main/answer.json").unlink()  # killed in between
    assert read("main", DATA, PARAMS, tmp_path) is None


def test_a_damaged_answer_is_named(tmp_path: Path) -> None:
    write_grid(tmp_path, GRID.table, "Yes.")
    with pytest.raises(InputError, match=r"main/answer\.json: sentences must be a list"):
        read("main", DATA, PARAMS, tmp_path)


def test_models_are_found_by_their_settings() -> None:
    models: dict[str, Any] = {
        **MODELS,
        "again": {**MODELS["vae16"], "seed": 3},
        "stronger": {**MODELS["vae16"], "kl_weight": 1},
        "wider": {**MODELS["vae16"], "widths": [8, 8, 8]},
        "none": None,
    }
    found = counterparts([GRID], "fast", models)
    assert found
    assert found.places == {
        "vae16": ("vae", 16),
        "ae16": ("ae", 16),
        "sigma16": ("sigma", 16),
        "again": ("vae", 16),
    }
    assert counterparts([GRID], "notebook", models) is None


def test_the_page_begins_with_the_answer_then_what_it_rests_on_and_its_age() -> None:
    page = compose(measured(), SIZES, grids=[GRID, BETA])
    first, grounds, *others = page.sections
    for part, text, figures in (
        (first, "> Yes: it does.\n", ANSWER),
        (grounds, "By a test. It is new: `make study`. [docs/study.md](../docs/study", GROUNDS),
    ):
        written = markdown.render(page._replace(sections=[part]))
        assert text in written
        sources = [url for _, url in rendered(written).attributes("src")]
        assert sources == [f"study/main/figures/{name}.png" for name in figures]
    (studied,) = (each for each in others if each.title == "What the study found")
    written = markdown.render(page._replace(sections=[studied]))
    assert "Beta is old." in written
    rest = [f"study/main/figures/{n}.png" for n in CAPTIONS if n not in (*ANSWER, *GROUNDS)]
    of_beta = [f"study/beta/figures/{name}.png" for name in CAPTIONS]
    assert [url for _, url in rendered(written).attributes("src")] == [*rest, *of_beta]
    everything = markdown.render(page)
    assert everything.count("Yes: it does.") == everything.count("It is new") == 1


def test_a_study_by_another_recipe_answers_for_itself_alone() -> None:
    table = {**GRID.table, "recipe": np.full(len(GRID.table["recipe"]), "notebook")}
    page = compose(measured(), SIZES, grids=[GRID._replace(table=table)])
    assert "it does" not in markdown.render(page._replace(sections=page.sections[:1]))
    assert "Yes: it does. By a test. It is new: `make study`." in markdown.render(page)


def test_without_a_study_the_page_says_nothing_of_it() -> None:
    written = markdown.render(compose(measured()))
    assert "study" not in written.lower()
    assert "which decides nothing" in written
    assert "no number of the table is marked" in written

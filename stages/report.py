"""Write the page with every model's metrics and figures. Usage: python stages/report.py"""

from __future__ import annotations

from start import run

import tomllib
from pathlib import Path

from mnist_vae.errors import InputError
from mnist_vae.explorer import small
from mnist_vae.figures import style
from mnist_vae.files import curves, store
from mnist_vae.measure.dataset import DatasetFacts
from mnist_vae.report import (
    content,
    html,
    markdown,
    metrics,
    pictures,
    provenance,
    study,
    tables,
)
from mnist_vae.report.compared import of_all_models
from mnist_vae.report.document import Link
from mnist_vae.report.models import ordered
from mnist_vae.settings import Seed, check, read_params


def main() -> None:
    models, made, recipe, chosen, recipes, seed, evaluate, studies, dpi = read_params(
        ("models", dict[str, object]),
        ("made", dict[str, object]),
        ("recipe", str),
        ("recipes.${recipe}", dict[str, object]),
        ("recipes", dict[str, object]),
        ("seed", Seed),
        ("evaluate", dict[str, object]),
        ("study", dict[str, object]),
        ("figures.dpi", style.Dpi),
    )
    measured = {name: metrics.read_model(name, name in made) for name in models}
    losses = {name: curves.read(Path(f"reports/curves/{name}.csv")) for name in models}
    classifier = metrics.read_classifier(Path("reports/classifier.json"))
    real = metrics.read_real(Path("reports/real.json"))
    data = check(classifier.get("data"), DatasetFacts, "reports/classifier.json: data")
    now = {"recipes": recipes, "study": studies}
    grids = [
        grid
        for name in check(studies.get("grids", {}), dict[str, object], "study.grids")
        if (grid := study.read(name, data, now))
    ]
    compared = {
        f"compared/{stem}.png": style.png(figure, dpi)
        for stem, figure in of_all_models(
            ordered(models), measured, losses, [g.table for g in grids if g.recipe == recipe]
        ).items()
    }
    drawn = sorted(Path("reports/figures").glob("*/*.png"))
    for grid in grids:
        drawn += sorted(Path(f"reports/study/{grid.name}/figures").glob("*.png"))
    sizes = {name: pictures.png_size(name, data) for name, data in compared.items()} | {
        path.relative_to("reports").as_posix(): pictures.png_size(str(path), path.read_bytes())
        for path in drawn
    }
    settings = {"recipe": recipe, "recipes": {recipe: chosen}, "seed": seed, "evaluate": evaluate}
    facts = {"Versions that requirements.txt pins": provenance.versions(Path("versions"))}
    page = content.compose(
        models, measured, sizes, classifier, real, data, settings, facts, grids, links()
    )
    page = page._replace(explorer="explorer.html", play=small.read(Path("reports/play.json")))

    for name, png in compared.items():
        store.write_bytes(Path("reports") / name, png)
    store.write_bytes(Path("reports/README.md"), markdown.render(page).encode())
    store.write_bytes(Path("reports/index.html"), html.render(page).encode())
    store.write_table(Path("reports/curves.csv"), tables.CURVES, tables.long_table(losses))


def links() -> list[Link]:
    """To the addresses that pyproject.toml has, and to the documentation beside the page."""
    path = Path("pyproject.toml")
    try:
        urls = tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("urls", {})
        elsewhere = [Link(str(name), str(url)) for name, url in urls.items()]
    except (OSError, KeyError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    here = {"README": "README.md", "Usage": "docs/usage.md", "The study": "docs/study.md"}
    here |= {"What a KL weight means": "docs/kl.md"}
    return [*elsewhere, *(Link(name, f"../{file}") for name, file in here.items())]


if __name__ == "__main__":
    run(main)

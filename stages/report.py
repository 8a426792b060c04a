"""Write the page with every model's metrics and figures. Usage: python stages/report.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae.figures import comparison, style
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
    plane = style.png(comparison.of_all_models(*pictures.points(measured)), dpi)
    drawn = sorted(Path("reports/figures").glob("*/*.png"))
    for grid in grids:
        drawn += sorted(Path(f"reports/study/{grid.name}/figures").glob("*.png"))
    sizes = {pictures.RATE_DISTORTION: pictures.png_size("the plane", plane)} | {
        path.relative_to("reports").as_posix(): pictures.png_size(str(path), path.read_bytes())
        for path in drawn
    }
    settings = {"recipe": recipe, "recipes": {recipe: chosen}, "seed": seed, "evaluate": evaluate}
    facts = {"Versions that requirements.txt pins": provenance.versions(Path("versions"))}
    page = content.compose(models, measured, sizes, classifier, real, data, settings, facts, grids)

    store.write_bytes(Path("reports/rate_distortion.png"), plane)
    store.write_bytes(Path("reports/README.md"), markdown.render(page).encode())
    store.write_bytes(Path("reports/index.html"), html.render(page).encode())
    store.write_table(Path("reports/curves.csv"), tables.CURVES, tables.long_table(losses))


if __name__ == "__main__":
    run(main)

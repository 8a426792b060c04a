"""Write the page with every model's metrics and figures. Usage: python stages/report.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import artifacts, figures, mnist, params
from mnist_vae.report import content, html, markdown, pictures, provenance, tables

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "opentsne", "matplotlib")


def main() -> None:
    models, recipe, chosen, seed, dpi = params.load(
        ("models", dict[str, object]),
        ("recipe", str),
        ("recipes.${recipe}", dict[str, object]),
        ("seed", params.Seed),
        ("figures.dpi", int),
    )
    measured = {name: artifacts.read_json(Path(f"reports/metrics/{name}.json")) for name in models}
    curves = {
        name: artifacts.read_table(Path(f"reports/curves/{name}.csv"), "epoch", "loss")
        for name in models
    }
    classifier = artifacts.read_json(Path("reports/classifier.json"))
    plane = figures.png(figures.of_all_models(*pictures.points(measured)), dpi)
    sizes = {pictures.RATE_DISTORTION: pictures.png_size("the plane", plane)} | {
        path.relative_to("reports").as_posix(): pictures.png_size(str(path), path.read_bytes())
        for path in sorted(Path("reports/figures").glob("*/*.png"))
    }
    settings = {"recipe": recipe, "recipes": {recipe: chosen}, "seed": seed}
    lock = Path("requirements.txt").read_text(encoding="utf-8", errors="replace")
    facts = {
        "Training images, SHA-256": mnist.FILES["train-images-idx3-ubyte"][1],
        "Versions that requirements.txt pins": provenance.pinned(lock, *PACKAGES),
    }
    page = content.compose(models, measured, sizes, classifier, settings, facts)

    artifacts.write_bytes(Path("reports/rate_distortion.png"), plane)
    artifacts.write_bytes(Path("reports/README.md"), markdown.render(page).encode())
    artifacts.write_bytes(Path("reports/index.html"), html.render(page).encode())
    artifacts.write_table(Path("reports/curves.csv"), tables.long_table(curves))


if __name__ == "__main__":
    run(main)

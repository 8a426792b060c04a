"""Write the page with every model's metrics and figures. Usage: python stages/report.py"""

from __future__ import annotations

from pathlib import Path

from mnist_vae import artifacts, errors, params, report


def main() -> None:
    recipe, models = params.load(("recipe", str), ("models", dict[str, object]))
    measured = {name: artifacts.read_json(Path(f"reports/metrics/{name}.json")) for name in models}
    curves = {
        name: artifacts.read_table(Path(f"reports/curves/{name}.csv"), "epoch", "loss")
        for name in models
    }
    drawn = {f"{png.parent.name}/{png.stem}" for png in Path("reports/figures").glob("*/*.png")}
    page = report.markdown(recipe, measured, drawn)
    artifacts.write_bytes(Path("reports/README.md"), page.encode())
    artifacts.write_table(Path("reports/curves.csv"), report.long_table(curves))


if __name__ == "__main__":
    errors.run(main)

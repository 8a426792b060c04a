"""Say and draw what a study's grid found. Usage: python stages/summarize.py GRID"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.figures import study, style
from mnist_vae.files import store, trials
from mnist_vae.settings import read_params
from mnist_vae.study.answer import COMPARISONS, answer, comparisons
from mnist_vae.study.summary import SUMMARY, summarize


def main() -> None:
    name = process.argument("GRID")
    (dpi,) = read_params(("figures.dpi", style.Dpi))
    folder = Path(f"reports/study/{name}")
    table = trials.read(folder / "trainings.csv")
    timed = Path("reports/benchmark.json")
    benchmark = store.read_json(timed) if timed.exists() else {}
    drawn = {stem: style.png(figure, dpi) for stem, figure in study.of_grid(table, benchmark)}
    summary, compared, sentences = summarize(table), comparisons(table), answer(table)

    for stem, data in drawn.items():
        store.write_bytes(folder / f"figures/{stem}.png", data)
    store.write_table(folder / "summary.csv", SUMMARY, summary)
    store.write_table(folder / "comparisons.csv", COMPARISONS, compared)
    store.write_json(folder / "answer.json", {"sentences": sentences})


if __name__ == "__main__":
    run(main)

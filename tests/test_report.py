"""The report page: what it answers and marks, its structure, and how a browser shows it."""

from __future__ import annotations

import copy
import json
import shutil
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_page import Reader, rendered

from mnist_vae import figures, page, report
from mnist_vae.errors import InputError
from mnist_vae.measure import audit
from mnist_vae.page import Cell
from mnist_vae.report import Metric

ROOT = Path(__file__).resolve().parent.parent
MODELS: dict[str, Any] = {
    "vae16": {"kind": "vae", "latent_dim": 16, "kl_weight": 1 / 8192},
    "vae2": {"kind": "vae", "latent_dim": 2, "kl_weight": 1 / 1024},
    "ae16": {"kind": "ae", "latent_dim": 16},
    "ae2": {"kind": "ae", "latent_dim": 2},
    "sigma16": {"kind": "vae", "latent_dim": 16, "likelihood": "gaussian", "kl_weight": 1},
}
ERRORS = {"vae16": 6.0, "vae2": 30.0, "ae16": 6.5, "ae2": 29.0, "sigma16": 8.0}


def metrics(name: str) -> dict[str, Any]:
    """Metrics as the evaluate stage writes them, with made-up numbers."""
    error, about = ERRORS[name], MODELS[name]
    found: dict[str, Any] = {
        "epochs": 10,
        "parameters": 213_537,
        "train": {"loss_per_batch_of_512": 512 * error, "loss": error, "squared_error": error},
        "distortion": {"squared_error": error, "per_pixel": error / 784, "psnr": 40 - error},
        "latent": {"knn_accuracy": 96.5, "probe_accuracy": 100 - error, "silhouette": 0.1},
        "map": {"trustworthiness": 0.98, "preservation": 0.4},
        "pca": {"trustworthiness": 0.8, "preservation": 0.04},
        "samples": {
            "frechet_reconstructions": 3.1,
            "frechet_floor": 0.4,
            "digits_kept": 98.0,
        },
    }
    if about["kind"] == "vae":
        gaussian = about.get("likelihood") == "gaussian"
        shown = 1.01 * error / 784
        implied = shown if gaussian else about["kl_weight"] / 2
        found["train"]["kl"] = 100.0
        found["distortion"]["squared_error_sampled"] = 1.01 * error
        found["rate"] = {"kl": 100.0, "active_units": 16, "per_dimension": [6.25] * 16}
        likelihood = {"elbo": 700.0, "nll": -750.0, "nll_standard_error": 1.5}
        found["likelihood"] = {"variance": implied, **likelihood, "bits_per_dimension": -1.4}
        if not gaussian:
            found["likelihood"]["calibrated"] = {"variance": shown, **likelihood}
        found["audit"] = {
            "beta": implied,
            "implied_variance": implied,
            "calibrated_variance": shown,
            "ratio": shown / implied,
        }
        found["samples"] |= {"frechet_prior": 10 * error, "digit_entropy": 2.2}
    return found


def measured(*names: str) -> dict[str, dict[str, Any]]:
    return {name: metrics(name) for name in names or MODELS}


def of_errors(**errors: float) -> dict[str, dict[str, Any]]:
    return {name: {"distortion": {"squared_error": error}} for name, error in errors.items()}


def compose(found: dict[str, dict[str, Any]], sizes: report.Sizes | None = None) -> page.Page:
    models = {name: MODELS.get(name, {}) for name in found}
    return report.compose(
        models, found, sizes or {}, {"test_accuracy": 99.3}, {"recipe": "fast"}, {"Data": "abc"}
    )


def titles(composed: page.Page) -> list[str]:
    return [section.title for section in composed.sections]


# ---- The answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vae", "ae", "start", "gap"),
    [
        (6.0, 7.5, "At 16 dimensions, yes:", "20.0% less"),
        (9.0, 7.5, "At 16 dimensions, no:", "20.0% more"),
        (6.0, 6.06, "At 16 dimensions they are level:", "1.0% less"),
        (6.06, 6.0, "At 16 dimensions they are level:", "1.0% more"),
        (6.0, 6.0, "At 16 dimensions they are level:", "0.0% less"),
        (6.24, 6.0, "At 16 dimensions they are level:", "4.0% more"),
        (6.36, 6.0, "At 16 dimensions, no:", "6.0% more"),
    ],
)
def test_the_answer_follows_the_errors(vae: float, ae: float, start: str, gap: str) -> None:
    (said,) = report.answer(MODELS, of_errors(vae16=vae, ae16=ae))
    assert said.startswith(start)
    assert said.endswith(
        f"is {report.show(vae, 3)} for vae16 and {report.show(ae, 3)} for ae16 ({gap})."
    )


def test_the_pair_of_most_dimensions_decides_and_the_others_are_told() -> None:
    found = of_errors(ae2=20.0, vae2=30.0, ae16=8.0, vae16=6.0)
    (said,) = report.answer(MODELS, found)
    assert said.startswith("At 16 dimensions, yes:")
    assert said.endswith("and at 2 dimensions 30.0 for vae2 and 20.0 for ae2 (50.0% more).")


def test_the_notebooks_objective_is_set_beside_the_autoencoder_where_there_is_one() -> None:
    models = {name: MODELS[name] for name in ("sigma16", "vae16", "ae16")}
    (said,) = report.answer(models, of_errors(sigma16=8.0, vae16=6.0, ae16=7.0))
    assert "6.00 for vae16" in said
    del models["vae16"]
    (said,) = report.answer(models, of_errors(sigma16=8.0, ae16=7.0))
    assert "8.00 for sigma16 and 7.00 for ae16" in said


@pytest.mark.parametrize(
    "errors",
    [{"vae16": 6.0, "vae2": 30.0}, {"ae16": 6.0}, {"vae16": 6.0, "ae2": 30.0}],
)
def test_without_a_pair_the_answer_is_that_there_is_none(errors: dict[str, float]) -> None:
    (said,) = report.answer({n: MODELS[n] for n in errors}, of_errors(**errors))
    assert said.startswith("This run cannot say")
    for name, error in errors.items():
        assert f"{report.show(error, 3)} for {name}" in said


@pytest.mark.parametrize("empty", [{}, {"vae16": {}}, {"vae16": {"test": {"squared_error": 6.0}}}])
def test_without_numbers_the_answer_is_one_plain_sentence(empty: dict[str, Any]) -> None:
    assert report.answer({name: MODELS[name] for name in empty}, empty) == [
        "This run cannot say, without a VAE and an autoencoder of as many dimensions."
    ]


def test_what_is_gained_names_the_pair_and_the_best_sampler() -> None:
    found = measured()
    found["sigma16"]["samples"] |= {"frechet_prior": 12.5}
    found["vae16"]["samples"] |= {"frechet_prior": 150.0}
    _, gained = report.answer(MODELS, found)
    assert (
        "150 for vae16 and 12.5 for sigma16 (one half of the test images to the other: 0.400)"
        in gained
    )
    assert "94.0% of the latents of vae16 and 93.5% of the latents of ae16" in gained
    found["vae16"]["samples"] |= {"frechet_prior": 2.5}
    _, gained = report.answer(MODELS, found)
    assert "is 2.50 for vae16 (one half" in gained


def test_autoencoders_alone_gain_no_samples() -> None:
    found = measured("ae16", "ae2")
    _, gained = report.answer({name: MODELS[name] for name in found}, found)
    assert "sample" not in gained
    assert "93.5% of the latents of ae16" in gained


# ---- The best of a row --------------------------------------------------------------------------


def row(better: str, *values: float | str | None, path: str = "a.b", **more: Any) -> list[Cell]:
    found = {
        str(i): ({} if value is None else {"a": {"b": value}, **more})
        for i, value in enumerate(values)
    }
    return report.compare(Metric(path, "A", "", better, "how"), found)


@pytest.mark.parametrize(
    ("better", "values", "best"),
    [
        ("lower", [3.0, 1.0, 2.0], {1}),
        ("higher", [3.0, 1.0, 2.0], {0}),
        ("lower", [-3.0, 1.0, 2.0], {0}),
        ("", [3.0, 1.0, 2.0], set()),
        ("lower", [1.0, 1.0, 2.0], {0, 1}),
        ("lower", [1.0, 1.00001, 2.0], {0, 1}),  # both read 1.000
        ("lower", [1.0, 1.0, 1.0], set()),
        ("lower", [None, 1.0, 2.0], {1}),
        ("lower", [None, 1.0, None], set()),
        ("higher", [None, None], set()),
        ("higher", ["<b>", 1.0, 2.0], {2}),
        ("lower", [0.0, 1, 2], {0}),
    ],
)
def test_the_best_is_marked(better: str, values: list[Any], best: set[int]) -> None:
    assert {i for i, cell in enumerate(row(better, *values)) if cell.best} == best


def test_a_cell_shows_what_was_found() -> None:
    texts = [cell.text for cell in row("lower", None, 1.5, 3, "<script>", True)]
    assert texts == ["–", "1.500", "3", "<script>", "–"]


def test_a_standard_error_stands_beside_its_number() -> None:
    metric = Metric("a.b", "A", "", "lower", "how", error="a.c")
    cells = report.compare(metric, {"x": {"a": {"b": -8.0, "c": 0.123}}, "y": {"a": {"b": 2.0}}})
    assert cells == [Cell("−8.000 ± 0.12", best=True), Cell("2.000")]


def test_densities_are_not_ranked_against_likelihoods_of_gray_pixels() -> None:
    metric = Metric("likelihood.nll", "NLL", "", "lower", "how")
    gaussian = [{"likelihood": {"nll": nll, "variance": 0.01}} for nll in (5.0, 6.0)]
    bernoulli = [{"likelihood": {"nll": nll}} for nll in (70.0, 80.0)]

    def best(*found: dict[str, Any]) -> list[bool]:
        cells = report.compare(metric, {str(i): m for i, m in enumerate(found)})
        return [cell.best for cell in cells]

    assert best(*gaussian) == [True, False]
    assert best(*bernoulli) == [True, False]
    assert best(gaussian[0], bernoulli[0]) == [False, False]
    assert best(*gaussian, {}) == [True, False, False]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6.2219, "6.222"),
        (118.015, "118.0"),
        (999.96, "1,000"),
        (15037.8, "15,040"),
        (213537, "213,537"),
        (0, "0"),
        (0.0, "0.000"),
        (-0.5, "−0.5000"),
        (-812.34, "−812.3"),
        (0.0079, "0.007900"),
        (6.103515625e-05, "6.104·10⁻⁵"),
        (-2.5e-12, "−2.500·10⁻¹²"),
        (1e300, f"{10**300:,}"[:1]),
    ],
)
def test_numbers_read_well(value: float, text: str) -> None:
    assert report.show(value).startswith(text) if value > 1e100 else report.show(value) == text


def test_prose_has_three_digits() -> None:
    assert [report.show(v, 3) for v in (6.2219, 187.4, 99.96)] == ["6.22", "187", "100"]


# ---- What the page holds ------------------------------------------------------------------------


def table(composed: page.Page, title: str) -> page.Table:
    (section,) = (section for section in composed.sections if section.title == title)
    (found,) = (block for block in section.blocks if isinstance(block, page.Table))
    return found


def test_every_metric_of_the_schema_has_its_row_and_its_line() -> None:
    composed = compose(measured())
    rows = [row for rows in table(composed, "All models compared").groups.values() for row in rows]
    assert len(rows) == sum(len(group) for group in report.COMPARED.values())
    assert all(len(row) == 1 + len(MODELS) for row in rows)
    names = [row[0].text for row in rows]
    assert len(set(names)) == len(names)
    (how,) = (s for s in composed.sections if s.title == "How each number is made")
    (terms,) = how.blocks
    assert isinstance(terms, page.Terms)
    assert [name for name, _ in terms.items] == [*names, "The digit classifier"]


def test_rows_that_no_model_has_are_left_out() -> None:
    found = measured("ae16", "ae2")
    names = str(table(compose(found), "All models compared"))
    assert "Squared error" in names
    assert "NLL" not in names
    assert "Is the KL too weak or too strong?" not in titles(compose(found))


def test_a_calibrated_gaussian_competes_under_calibration() -> None:
    found = measured()
    found["sigma16"]["likelihood"]["nll"] = -900.0
    groups = table(compose(found), "All models compared").groups
    (calibrated,) = (
        row for row in groups["Likelihood on the test set"] if "NLL, calibrated" in row[0].text
    )
    assert [cell.best for cell in calibrated[1:]] == [False, False, False, False, True]


def test_the_audit_is_what_the_audit_module_says_of_the_same_model() -> None:
    found = measured("vae16", "vae2", "sigma16")
    written = page.markdown(compose(found))
    for name in ("vae16", "vae2"):
        said = audit.audit_gaussian(
            kl_weight=MODELS[name]["kl_weight"],
            mean_squared_error=1.01 * ERRORS[name] / 784,
            rate=100.0,
        )
        assert f"- **{name}**: {said.sentence}" in written
    bernoulli = {"rate": {"kl": 20.0}, "audit": {"beta": 1.0, "ratio": 1.0}}
    written = page.markdown(compose({"b": bernoulli}))
    assert audit.audit_bernoulli(kl_weight=1.0, rate=20.0).sentence in written


def test_old_or_empty_metrics_still_make_a_page() -> None:
    composed = compose({"vae16": {"test": {"squared_error": 6.0}}, "new": {}})
    assert "This run cannot say" in page.markdown(composed)
    assert Reader(page.html_file(composed)).text


def test_all_figures_of_the_models_are_shown_once_and_no_others() -> None:
    drawn = [f"figures/{m}/{f}.png" for m in ("vae16", "ae2") for f in (*report.FIGURES, "extra")]
    strangers = ["figures/gone/loss.png", "figures/vae16x/loss.png"]
    sizes = dict.fromkeys([*drawn, *strangers, report.RATE_DISTORTION], (8, 4))
    composed = compose(measured("vae16", "ae2"), sizes)
    for written in (page.markdown(composed), page.html_file(composed)):
        for path in [*drawn, report.RATE_DISTORTION]:
            assert written.count(f'src="{path}"') == 1
        assert not any(path in written for path in strangers)


def test_autoencoders_have_no_point_on_the_plane() -> None:
    names, rates, distortions = report.points(measured())
    assert names == ["vae16", "vae2", "sigma16"]
    np.testing.assert_allclose(rates, 100)
    np.testing.assert_allclose(distortions, [6.06, 30.3, 8.08])
    names, rates, distortions = report.points(measured("ae16"))
    assert (names, rates.shape, distortions.shape) == ([], (0,), (0,))
    sizes = {report.RATE_DISTORTION: (8, 4)}
    assert "Rate and distortion" in titles(compose(measured(), sizes))
    assert "Rate and distortion" not in titles(compose(measured("ae16"), sizes))


def test_names_on_the_plane_are_no_formulas() -> None:
    figure = figures.of_all_models(
        [r"$\frac$", "a_b^c"], np.array([1.0, 2.0]), np.array([3.0, 1.0])
    )
    assert report.png_size("plane", figures.png(figure, 50)) == (400, 230)
    labels = [text for text in figure.axes[0].texts if not text.get_parse_math()]
    assert [text.get_text() for text in labels] == [r"$\frac$", "a_b^c"]


def test_what_the_page_says_of_itself() -> None:
    found = measured()
    for name in found:
        found[name]["device"] = "NVIDIA <H100>"
    written = page.markdown(compose(found))
    assert "not the FID" in written
    assert "can be negative" in written
    assert "from one seed" in written
    assert "- **Data**: abc" in written
    assert r"- **Trained on**: NVIDIA \<H100\>" in written
    assert "```\nrecipe: fast\n" in written
    assert "**Trained on**" not in page.markdown(compose(measured()))


def test_versions_are_read_from_the_lock() -> None:
    lock = (
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:11\n"
        "torch==2.15.0 \\\n    --hash=sha256:22\ntorchvision==0.29.2\n"
    )
    wanted = ("torch", "numpy", "absent")
    assert report.pinned(lock, *wanted) == "torch 2.15.0, numpy 2.4.6 or 2.5.5"


def png(path: Path, width: int = 60, height: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Figure((width / 10, height / 10)).savefig(path, dpi=10)


def test_the_size_of_a_png(tmp_path: Path) -> None:
    png(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    assert report.png_size("a.png", data) == (60, 40)
    for damaged in (b"", data[:20], b"GIF89a" + data[6:]):
        with pytest.raises(InputError, match=r"a\.png: not a PNG"):
            report.png_size("a.png", damaged)


def test_hostile_names_and_values_change_no_structure() -> None:
    def shapes(name: str, value: str) -> list[str]:
        found = {"vae16": metrics("vae16"), name: metrics("ae16")}
        found[name]["distortion"]["psnr"] = value
        sizes = dict.fromkeys([f"figures/{name}/loss.png", f"figures/{name}/odd.png"], (8, 4))
        composed = compose(copy.deepcopy(found), sizes)
        reader = Reader(page.html_file(composed))
        assert name in reader.text
        assert value in reader.text
        return [tag for tag, _ in reader.elements]

    hostile = shapes('"><script>alert(1)</script>', "<img src=x onerror=alert(1)>")
    assert hostile == shapes("plain", "text")


# ---- The stage, and the page on disk ------------------------------------------------------------


PARAMS = """\
recipe: fast
seed: 0
recipes:
  fast:
    epochs: 10
figures:
  dpi: 50
"""


def stage(folder: Path) -> subprocess.CompletedProcess[str]:
    script = str(ROOT / "stages" / "report.py")
    return subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with five measured models, and the page that the stage wrote about them."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "params.yaml").write_text(PARAMS + f"models: {json.dumps(MODELS)}\n")
    (folder / "requirements.txt").write_text("torch==2.15.0 \\\n    --hash=sha256:22\n")
    reports = folder / "reports"
    for name in MODELS:
        for figure in report.FIGURES:
            png(reports / "figures" / name / f"{figure}.png", 120, 60 if figure == "loss" else 90)
        for kind in ("metrics", "curves"):
            (reports / kind).mkdir(exist_ok=True)
        (reports / "metrics" / f"{name}.json").write_text(json.dumps(metrics(name)))
        (reports / "curves" / f"{name}.csv").write_text("epoch,loss\n1,9.5\n2,8.5\n")
    (reports / "classifier.json").write_text('{"test_accuracy": 99.3}')
    done = stage(folder)
    assert done.returncode == 0, done.stderr
    return folder


WRITTEN = ("README.md", "index.html", "curves.csv", "rate_distortion.png")


def test_the_stage_writes_the_same_bytes_again(project: Path) -> None:
    first = [(project / "reports" / name).read_bytes() for name in WRITTEN]
    assert stage(project).returncode == 0
    assert [(project / "reports" / name).read_bytes() for name in WRITTEN] == first
    assert first[2].decode().splitlines()[:3] == ["model,epoch,loss", "vae16,1,9.5", "vae16,2,8.5"]
    assert not list(project.rglob("*.part"))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("metrics/vae2.json", "{", "metrics/vae2.json: damaged"),
        ("figures/vae2/loss.png", "no", "figures/vae2/loss.png: not a PNG"),
        ("classifier.json", "[]", "classifier.json: must hold"),
    ],
)
def test_damaged_input_ends_in_one_line_and_changes_nothing(
    project: Path, tmp_path: Path, name: str, data: str, said: str
) -> None:
    damaged = shutil.copytree(project, tmp_path / "copy")
    (damaged / "reports" / name).write_text(data)
    (damaged / "reports" / "index.html").write_text("before")
    done = stage(damaged)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (damaged / "reports" / "index.html").read_text() == "before"


def test_autoencoders_alone_make_a_page_and_an_empty_plane(project: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(project, tmp_path / "copy")
    models = {name: MODELS[name] for name in ("ae16", "ae2")}
    (alone / "params.yaml").write_text(PARAMS + f"models: {json.dumps(models)}\n")
    done = stage(alone)
    assert (done.returncode, done.stderr) == (0, "")
    assert report.RATE_DISTORTION not in (alone / "reports" / "index.html").read_text()


def test_the_page_is_whole_and_asks_for_nothing_else(project: Path) -> None:
    reports = project / "reports"
    reader = Reader((reports / "index.html").read_text())
    tags = [tag for tag, _ in reader.elements]
    assert not {"script", "iframe", "form", "object", "embed", "base", "audio", "video"} & set(tags)
    assert (tags.count("h1"), tags.count("main"), tags.count("nav")) == (1, 1, 1)
    headings = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in pairwise(headings))

    anchors = [value for _, value in reader.attributes("id")]
    assert len(set(anchors)) == len(anchors)
    for tag, address in reader.attributes("href"):
        if (address or "").startswith("#"):
            assert (address or "")[1:] in anchors
        elif tag == "a":
            local = (reports / (address or "")).is_file()
            assert local or (address or "").startswith(("https://arxiv.org/", "https://doi.org/"))
        else:
            assert (tag, address) == ("link", "data:,")
    images = [attrs for tag, attrs in reader.elements if tag == "img"]
    assert len(images) == 1 + len(MODELS) * len(report.FIGURES)
    for image in images:
        data = (reports / (image["src"] or "")).read_bytes()
        assert (int(image["width"] or 0), int(image["height"] or 0)) == struct.unpack(
            ">II", data[16:24]
        )
        assert len(image["alt"] or "") > 5
    assert len({image["alt"] for image in images}) == len(images)
    assert {attrs.get("scope") for tag, attrs in reader.elements if tag == "th"} == {
        "col",
        "row",
        "rowgroup",
    }
    style = (reports / "index.html").read_text().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_markdown_page_finds_its_figures(project: Path) -> None:
    reader = rendered((project / "reports" / "README.md").read_text())
    sources = reader.attributes("src")
    assert len(sources) == 1 + len(MODELS) * len(report.FIGURES)
    assert all((project / "reports" / (source or "")).is_file() for _, source in sources)


# ---- In a browser -------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=127.0.0.1:9",  # nothing leaves this machine, whatever is asked for
    "--virtual-time-budget=4000",
    "--enable-logging=stderr",
    "--v=0",
    "--window-size=1600,1000",
    "--dump-dom",
)
# The page tells the page around it what it looks like: a frame may be narrower than a window.
PROBE = """<script>
addEventListener("load", () => parent.postMessage({
  width: innerWidth, needed: document.documentElement.scrollWidth,
  lost: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)}, "*"));
</script>"""
FRAME = """<!DOCTYPE html><title>frame</title><pre></pre><script>
addEventListener("message", e => document.querySelector("pre").append(JSON.stringify(e.data)));
</script><iframe src="index.html" style="width:{width}px;height:900px;border:0"></iframe>"""


def browse(reports: Path, scratch: Path, width: int) -> tuple[dict[str, Any], list[str], list[str]]:
    """What the page says of itself in a frame, the console, and the addresses it asked for."""
    (scratch / "net").mkdir()
    copied = shutil.copytree(reports, scratch / "reports")
    shown = (copied / "index.html").read_text().replace("<head>", f"<head>{PROBE}")
    (copied / "index.html").write_text(shown)
    (copied / "frame.html").write_text(FRAME.format(width=width))
    log = scratch / "net" / "log.json"
    done = subprocess.run(
        [
            str(CHROMIUM),
            *OPTIONS,
            f"--user-data-dir={scratch / 'profile'}",
            f"--log-net-log={log}",
            (copied / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout.partition("<pre>")[2].partition("</pre>")[0])
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    events = json.loads(log.read_text())["events"]
    starts = (event["params"] for event in events if "initiator" in event.get("params", {}))
    # What the browser asks for itself (the time, its updates) has no page that began it.
    return found, console, [p["url"] for p in starts if p["initiator"] != "not an origin"]


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


@needs_chromium
@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_all_of_the_page(project: Path, tmp_path: Path, width: int) -> None:
    found, console, asked = browse(project / "reports", tmp_path, width)
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["lost"] == []
    assert console == []
    assert asked == []


@needs_chromium
def test_the_browser_would_tell_of_faults(project: Path, tmp_path: Path) -> None:
    faulty = shutil.copytree(project / "reports", tmp_path / "faulty")
    shown = (faulty / "index.html").read_text()
    planted = (
        '<div style="width:2000px">wide</div><img src="http://127.0.0.1:9/x.png" alt="">'
        "<script>undefinedFunction()</script>"
    )
    (faulty / "index.html").write_text(shown.replace("<main>", f"<main>{planted}"))
    (tmp_path / "scratch").mkdir()
    found, console, asked = browse(faulty, tmp_path / "scratch", 390)
    assert found["needed"] >= 2000
    assert found["lost"] == ["http://127.0.0.1:9/x.png"]
    assert "undefinedFunction" in console[0]
    assert asked == ["http://127.0.0.1:9/x.png"]

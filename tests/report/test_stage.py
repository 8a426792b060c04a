"""The stage: the pages that it writes, the errors that end it, and what a browser shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from support.browser import browse, needs_chromium
from support.pages import MODELS, Reader, grid_of, project_files, rendered, write_grid

from mnist_vae.report.pictures import CAPTIONS, COMPARED, png_size

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = ("README.md", "index.html", "curves.csv", *(f"compared/{n}.png" for n in COMPARED))


def run(folder: Path) -> tuple[int, str]:
    """Exit code and stderr of the stage in a folder."""
    command = [sys.executable, str(ROOT / "stages/report.py")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with five measured models, and the page that the stage wrote about them."""
    folder = tmp_path_factory.mktemp("project")
    for path, data in project_files(MODELS).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    assert run(folder) == (0, "")
    return folder


def test_the_stage_writes_the_same_bytes_again(project: Path) -> None:
    files = [project / "reports" / name for name in WRITTEN]
    first = [file.read_bytes() for file in files]
    assert run(project) == (0, "")
    assert [file.read_bytes() for file in files] == first
    assert first[2].startswith(
        b"model,epoch,loss,squared_error\nvae16,1,9.5,9.0\nvae16,2,8.5,8.0\n"
    )
    assert not list(project.rglob("*.part"))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("metrics/vae2.json", "{", "metrics/vae2.json: damaged"),
        ("figures/vae2/samples.png", "no", "figures/vae2/samples.png: not a PNG"),
        ("classifier.json", "[]", "classifier.json: must hold"),
        ("real.json", "[]", "real.json: must hold"),
        ("metrics/vae2.samples.json", "{", "metrics/vae2.samples.json: damaged"),
        ("metrics/vae16.made.json", "{", "metrics/vae16.made.json: damaged"),
        ("metrics/vae2.json", "{}", "metrics/vae2.json: lacks epochs; delete it and run"),
        ("metrics/vae2.samples.json", "{}", "metrics/vae2.samples.json: lacks samples"),
        ("real.json", '{"frechet": true}', "real.json: frechet: found True, must be a number"),
        ("classifier.json", '{"test_accuracy": 101}', "test_accuracy: found 101, must be a"),
    ],
)
def test_damaged_input_ends_in_one_line_and_changes_nothing(
    project: Path, tmp_path: Path, name: str, data: str, message: str
) -> None:
    reports = shutil.copytree(project, tmp_path / "copy") / "reports"
    (reports / name).write_text(data)
    (reports / "index.html").write_text("before")
    code, stderr = run(reports.parent)
    assert (code, len(stderr.splitlines())) == (1, 1)
    assert message in stderr
    assert (reports / "index.html").read_text() == "before"


def test_autoencoders_alone_make_a_page_without_a_plane(project: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(project, tmp_path / "copy")
    models = {name: MODELS[name] for name in ("ae16", "ae2")}
    (alone / "params.yaml").write_bytes(project_files(models)["params.yaml"])
    shutil.rmtree(alone / "reports/compared")  # as DVC does
    assert run(alone) == (0, "")
    written = {path.stem for path in (alone / "reports/compared").iterdir()}
    assert written == {"answer", "losses"}
    assert "rate_distortion" not in (alone / "reports/index.html").read_text()


@pytest.mark.parametrize("text", [None, "urls = 1", "[project]\nurls = 1"])
def test_a_project_file_that_cannot_be_read_is_named(
    project: Path, tmp_path: Path, text: str | None
) -> None:
    broken = shutil.copytree(project, tmp_path / "copy")
    (broken / "pyproject.toml").unlink()
    if text:
        (broken / "pyproject.toml").write_text(text)
    code, stderr = run(broken)
    assert (code, len(stderr.splitlines())) == (1, 1)
    assert "pyproject.toml: " in stderr


def test_the_code_is_linked_where_it_has_an_address(project: Path, tmp_path: Path) -> None:
    for name in ("index.html", "README.md"):
        assert "https://example.org/code" in (project / "reports" / name).read_text()
    nowhere = shutil.copytree(project, tmp_path / "copy")
    (nowhere / "pyproject.toml").write_text("[project]\n")
    assert run(nowhere) == (0, "")
    assert "example.org" not in (nowhere / "reports/index.html").read_text()


def test_a_study_that_ran_is_on_the_page(project: Path, tmp_path: Path) -> None:
    studied = shutil.copytree(project, tmp_path / "copy")
    errors = {("ae", 16): [6.5, 6.6, 6.7], ("vae", 16): [6.0, 6.1, 6.2]}
    write_grid(studied, grid_of(errors).table, ["Yes, it does."])
    figures = studied / "reports/study/main/figures"
    figures.mkdir()
    for name in ("difference", "squared_error", "kl"):
        shutil.copy(studied / "reports/figures/vae16/samples.png", figures / f"{name}.png")
    assert run(studied) == (0, "")
    for written in ("README.md", "index.html"):
        page = (studied / "reports" / written).read_text()
        assert page.index("Yes, it does") < page.index("study/main/figures/squared_error.png")
        assert page.index("study/main/figures/difference.png") < page.index("7.7% less")
        assert page.index("Models compared") < page.index("study/main/figures/kl.png")
        assert "compared/answer.png" not in page
        assert "Nothing records what this study was made with" in page
    (figures.parent / "trainings.csv").write_text("model\n")
    code, stderr = run(studied)
    assert (code, len(stderr.splitlines())) == (1, 1)
    assert "trainings.csv: damaged, or not the table of a study" in stderr


def test_the_page_is_whole_and_asks_for_nothing_else(project: Path) -> None:
    reports = project / "reports"
    written = (reports / "index.html").read_text()
    reader = Reader(written)
    tags = reader.tags
    assert not {"script", "iframe", "form", "object", "embed", "base", "audio", "video"} & set(tags)
    assert (tags.count("h1"), tags.count("main"), tags.count("nav")) == (1, 1, 1)
    levels = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert set(reader.attributes("scope")) == {("th", s) for s in ("col", "row", "rowgroup")}
    style = written.partition("<style>")[2].partition("</style>")[0]
    assert ".best {" in style
    assert "url(" not in style
    assert "@import" not in style

    anchors = [value for _, value in reader.attributes("id")]
    assert len(set(anchors)) == len(anchors)
    for tag, address in reader.attributes("href"):
        if address.startswith("#"):
            assert address[1:] in anchors
        elif tag == "a":
            known = ("https://arxiv.org/", "https://doi.org/", "https://example.org/code")
            paper = address.startswith(known)
            folder = ROOT / "reports" if address.startswith("../") else reports
            assert paper or (folder / address).is_file()
        else:
            assert (tag, address) == ("link", "data:,")


def test_both_pages_show_every_figure_once_by_its_size_and_a_text_of_its_own(project: Path) -> None:
    reports = project / "reports"
    reader = Reader((reports / "index.html").read_text())
    images = [attrs for tag, attrs in reader.elements if tag == "img"]
    # Of the test images one row is enough.
    assert len(images) == len(COMPARED) + len(MODELS) * (len(CAPTIONS) - 1) + 1
    for image in images:
        size = png_size("image", (reports / (image["src"] or "")).read_bytes())
        assert (int(image["width"] or 0), int(image["height"] or 0)) == size
        assert len(image["alt"] or "") > 5
    assert len({image["alt"] for image in images}) == len(images)
    in_markdown = rendered((reports / "README.md").read_text()).attributes("src")
    assert in_markdown == reader.attributes("src")


@needs_chromium
@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_all_of_the_page(project: Path, tmp_path: Path, width: int) -> None:
    layout, console, asked = browse(project / "reports", tmp_path, width)
    assert layout["needed"] <= width == layout["width"]
    assert (layout["lost"], console, asked) == ([], [], [])


@needs_chromium
def test_the_browser_would_tell_of_faults(project: Path, tmp_path: Path) -> None:
    faulty = shutil.copytree(project / "reports", tmp_path / "faulty")
    planted = (
        '<div style="width:2000px">wide</div><img src="http://127.0.0.1:9/x.png" alt="">'
        "<script>undefinedFunction()</script>"
    )
    written = (faulty / "index.html").read_text().replace("<main>", f"<main>{planted}")
    (faulty / "index.html").write_text(written)
    layout, console, asked = browse(faulty, tmp_path / "obeyed", 390)
    # The policy of the page forbids all three.
    assert layout["needed"] <= 390
    assert asked == []
    assert sum("Content Security Policy" in line for line in console) == 3
    (faulty / "index.html").write_text(written.replace("Content-Security-Policy", "none"))
    layout, console, asked = browse(faulty, tmp_path / "scratch", 390)
    assert layout["needed"] >= 2000
    assert layout["lost"] == ["http://127.0.0.1:9/x.png"] == asked
    assert "undefinedFunction" in console[0]

"""The code deps that tools/deps.py writes, in small projects with every form of import."""

from __future__ import annotations

from pathlib import Path

import pytest
from deps import PACKAGES, PIPELINES, code_deps, differences, rewrite, write_versions
from support.project import ROOT

DOCSTRING = '"""A package."""\n'
FILES = {
    "stages/draw.py": "from start import run\nimport numpy\n",
    "stages/start.py": "from mnist_vae.errors import run\n",
    "src/mnist_vae/__init__.py": DOCSTRING,
    "src/mnist_vae/errors.py": "import sys\n",
    "src/mnist_vae/settings.py": "",
    "src/mnist_vae/files/__init__.py": DOCSTRING,
    "src/mnist_vae/files/store.py": "from mnist_vae import errors\n",
    "src/mnist_vae/files/maps.py": "from . import store\nfrom ..settings import read_params\n",
    "src/mnist_vae/nets/__init__.py": "from mnist_vae import settings\n",
    "src/mnist_vae/nets/vae.py": "def build():\n    import mnist_vae.files.store\n",
    "src/mnist_vae/report/__init__.py": DOCSTRING,
    "src/mnist_vae/report/html.py": 'PAGE = PackageLoader("mnist_vae.report", "templates")\n',
    "src/mnist_vae/report/content.py": '"""What templates show."""\n',
    "src/mnist_vae/report/templates/page.html": "",
    "src/mnist_vae/report/templates/parts/style.css": "",
}
ALWAYS = {"stages/draw.py", "stages/start.py", "errors.py", "versions/numpy"}
PINS = "".join(f"{name}==1.0 \\\n    --hash=sha256:00\n" for name in PACKAGES.values())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "requirements.txt").write_text(PINS)
    write_versions(tmp_path)
    return tmp_path


def add_import(project: Path, statement: str) -> None:
    with (project / "stages/draw.py").open("a") as file:
        file.write(f"{statement}\n")


@pytest.mark.parametrize(
    ("statement", "added"),
    [
        ("", set()),
        ("import mnist_vae.files.store", {"files/store.py"}),
        ("from mnist_vae.files import store", {"files/store.py"}),
        ("from mnist_vae.files.store import write_bytes", {"files/store.py"}),
        (
            "from mnist_vae.files import store as s, maps",
            {"files/store.py", "files/maps.py", "settings.py"},
        ),
        ("from mnist_vae import settings", {"settings.py"}),
        ("def f():\n    from mnist_vae import settings", {"settings.py"}),
        ("if TYPE_CHECKING:\n    from mnist_vae import settings", set()),
        # Relative imports, and a package that holds code.
        ("import mnist_vae.files.maps", {"files/store.py", "files/maps.py", "settings.py"}),
        (
            "from mnist_vae.nets.vae import build",
            {"nets/__init__.py", "nets/vae.py", "settings.py", "files/store.py"},
        ),
        ("from mnist_vae.nets import build", {"nets/__init__.py", "settings.py"}),
        # Templates, of the module that names them alone.
        (
            "from mnist_vae.report import html",
            {"report/html.py", "report/templates/page.html", "report/templates/parts/style.css"},
        ),
        ("from mnist_vae.report import content", {"report/content.py"}),
        # Packages, those whose code decides results.
        (
            "import torch.nn, os.path\nfrom sklearn import metrics\nimport tqdm",
            {"versions/torch", "versions/scikit-learn"},
        ),
        ("def f():\n    from PIL import Image", {"versions/pillow"}),
        ('VERSIONS = Path("versions")', {f"versions/{name}" for name in PACKAGES.values()}),
    ],
)
def test_every_module_reached_is_a_dep(project: Path, statement: str, added: set[str]) -> None:
    add_import(project, statement)
    top = ("stages/", "versions/")
    paths = {path if path.startswith(top) else f"src/mnist_vae/{path}" for path in ALWAYS | added}
    assert code_deps("python stages/draw.py ${key}", project) == sorted(paths)


@pytest.mark.parametrize(
    ("statement", "lazily"),
    [
        ("from mnist_vae.files import store", False),  # runs __init__.py, calls nothing of it
        ("from mnist_vae import load", True),
        ("import mnist_vae", True),
    ],
)
def test_what_a_package_imports_lazily_counts_for_who_uses_the_package(
    project: Path, statement: str, lazily: bool
) -> None:
    lazy = "def __getattr__(name):\n    from mnist_vae.nets.vae import load\n    return load\n"
    (project / "src/mnist_vae/__init__.py").write_text(lazy)
    add_import(project, statement)
    deps = code_deps("python stages/draw.py", project)
    assert "src/mnist_vae/__init__.py" in deps
    assert ("src/mnist_vae/nets/vae.py" in deps) == lazily


PIPELINE = """\
# The pipeline.
stages:
  draw:
    foreach: ${{models}}  # all of them
    do:
      cmd: python stages/draw.py ${{key}}
      deps:
        - data/b.safetensors  # first
        - data/a.safetensors
{code}
      params: [figures]
      outs:
        - reports/${{key}}:
            cache:   false
  plain:
    cmd: python stages/start.py
    deps:
      - src/mnist_vae/errors.py
      - stages/start.py
"""


def deps_of(*paths: str) -> str:
    return PIPELINE.format(code="\n".join(f"        - {path}" for path in paths))


RIGHT = deps_of("src/mnist_vae/errors.py", "stages/draw.py", "stages/start.py", "versions/numpy")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (RIGHT, None),
        (
            deps_of("src/mnist_vae/errors.py", "stages/start.py"),
            "missing: stages/draw.py versions/numpy",
        ),
        (
            deps_of("stages/start.py", "stages/draw.py", "src/gone.py", "src/mnist_vae/errors.py"),
            "missing: versions/numpy, too many: src/gone.py",
        ),
        (
            deps_of("src/gone.py", "stages/start.py", "versions/numpy", "versions/torch"),
            "missing: src/mnist_vae/errors.py stages/draw.py, too many: src/gone.py versions/torch",
        ),
        (
            PIPELINE.format(code=""),
            "missing: src/mnist_vae/errors.py stages/draw.py stages/start.py versions/numpy",
        ),
    ],
)
def test_wrong_code_deps_are_named_and_written_anew(
    project: Path, text: str, fault: str | None
) -> None:
    """Whatever else stands in the file stays, byte for byte."""
    pipeline = project / "dvc.yaml"
    pipeline.write_text(text)
    named = f"dvc.yaml: the code deps of draw differ from its imports ({fault}): run make deps"
    assert differences(project) == ([named] if fault else [])
    pipeline.write_text(rewrite(project))
    assert pipeline.read_text().replace("\n\n", "\n") == RIGHT
    assert differences(project) == []


def test_who_names_another_stages_script_depends_on_its_code(project: Path) -> None:
    """What it says of that stage is said anew when the code of the stage changes."""
    (project / "stages/study.py").write_text("from mnist_vae.files import maps\n")
    (project / "src/mnist_vae/report/state.py").write_text('SCRIPT = "stages/study.py"\n')
    add_import(project, "from mnist_vae.report import state")
    deps = code_deps("python stages/draw.py", project)
    assert {"stages/study.py", "src/mnist_vae/files/maps.py"} < set(deps)


def test_a_second_file_of_stages_is_checked_and_written_too(project: Path) -> None:
    (project / "dvc.yaml").write_text(RIGHT)
    (project / "studies").mkdir()
    pipeline = project / "studies/dvc.yaml"
    pipeline.write_text(deps_of("stages/start.py", "src/mnist_vae/errors.py"))
    (fault,) = differences(project)
    assert fault.startswith("studies/dvc.yaml: the code deps of draw differ")
    pipeline.write_text(rewrite(project, "studies/dvc.yaml"))
    assert differences(project) == []
    assert (project / "dvc.yaml").read_text() == RIGHT


def test_code_that_stands_before_data_is_moved_behind_it(project: Path) -> None:
    code = ["src/mnist_vae/errors.py", "stages/draw.py", "stages/start.py", "versions/numpy"]
    (project / "dvc.yaml").write_text(deps_of(*code, "data/c.csv"))
    assert rewrite(project) == deps_of("data/c.csv", *code)


def test_versions_are_those_that_are_pinned(project: Path) -> None:
    """All of each, for other Pythons; a package that decides nothing is left out."""
    (project / "dvc.yaml").write_text(RIGHT)
    lock, torch = project / "requirements.txt", project / "versions/torch"
    assert torch.read_text() == "1.0\n"
    lock.write_text(
        PINS.replace("torch==1.0", "torch==2.0 ; python_version < '3.12' \\\ntorch==2.1")
    )
    (project / "versions/pytest").write_text("9.0\n")
    assert differences(project) == [
        f"versions/{name}: not what requirements.txt pins: run make deps"
        for name in ("pytest", "torch")
    ]
    write_versions(project)
    assert torch.read_text() == "2.0 or 2.1\n"
    assert not (project / "versions/pytest").exists()
    torch.unlink()
    assert len(differences(project)) == 1
    lock.write_text(PINS.replace("numpy", "nump"))
    assert differences(project) == [
        "requirements.txt: no version of numpy; make lock makes it anew"
    ]
    lock.unlink()
    assert differences(project) == ["requirements.txt: not found; make lock makes it"]


def test_a_script_that_is_not_there_is_named(project: Path) -> None:
    (project / "dvc.yaml").write_text(RIGHT)
    (project / "stages/draw.py").unlink()
    assert differences(project) == ["dvc.yaml: draw: stages/draw.py is not there"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("python stages/start.py", "echo", "'echo' runs no script of stages/"),
        ("deps:\n      - src", "deps: []\n    x:\n      - src", "plain: its deps must be a list"),
        ("deps:\n      - src", "x:\n      - src", "plain: its deps must be a list"),
        ("cmd: python stages/start.py", "cmd: [a, b]", "plain: its cmd must be one command"),
        ("stages:\n", "stagse:\n", "must be a mapping of stages"),
        ("stages:\n", "stages: [\n", "while parsing a flow"),
    ],
)
def test_a_stage_whose_deps_cannot_be_written_is_refused(
    project: Path, old: str, new: str, message: str
) -> None:
    assert old in RIGHT
    (project / "dvc.yaml").write_text(RIGHT.replace(old, new))
    with pytest.raises(ValueError, match=message):
        rewrite(project)


def test_the_files_of_this_project_stay_as_they_are() -> None:
    for pipeline in PIPELINES:
        assert rewrite(ROOT, pipeline) == (ROOT / pipeline).read_text()

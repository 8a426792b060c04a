"""dvc.yaml against what the stages do: code deps, data deps, params and outs are exact."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from deps import PACKAGES, VERSIONS, differences, is_code
from support.host import Record
from support.project import ROOT, STAGES, data_deps, outs

Records = dict[tuple[str, str], Record]
PACKAGE = ROOT / "src" / "mnist_vae"


def test_code_deps_are_exactly_the_imports() -> None:
    assert differences() == []


# --- What a stage does when it runs ---------------------------------------------------------------


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def runs(stage: str, finished: tuple[Path, Records]) -> dict[str, Record]:
    """The runs of one stage, by model."""
    return {model: record for (name, model), record in finished[1].items() if name == stage}


def of_model(paths: list[str], model: str) -> set[str]:
    return {path.replace("${key}", model) for path in paths}


def outside(paths: set[str], declared: set[str]) -> set[str]:
    """The paths that are none of those declared, and below none of them."""
    return {path for path in paths if not any(f"{path}/".startswith(f"{d}/") for d in declared)}


def untouched(declared: set[str], paths: set[str]) -> set[str]:
    """The declared paths that are none of ``paths`` and have none of them below."""
    return {d for d in declared if not any(f"{path}/".startswith(f"{d}/") for path in paths)}


def test_params_are_exactly_the_keys_read(stage: str, runs: dict[str, Record]) -> None:
    for model, run in runs.items():
        assert of_model(STAGES[stage].get("params", []), model) == set(run.params)
        assert ("params.yaml" in run.read) == bool(run.params)  # nobody reads it another way


def test_data_deps_are_exactly_the_files_read(stage: str, runs: dict[str, Record]) -> None:
    for model, run in runs.items():
        declared = of_model(data_deps(stage), model)
        read = {path for path in run.read if not is_code(path)}  # of code the imports say
        assert outside(read - {"params.yaml"}, declared) == set()
        assert untouched(declared, run.read) == set()


def test_outs_are_exactly_the_files_written(stage: str, runs: dict[str, Record]) -> None:
    for model, run in runs.items():
        declared = of_model(outs(stage), model)
        assert outside(run.written, declared | {"checkpoints"}) == set()
        assert untouched(declared, run.written) == set()


# --- What imports what ----------------------------------------------------------------------------

LEVELS = {  # a module imports from its own room and from rooms of no higher level
    "errors": 0,
    **dict.fromkeys(("parallel", "process", "seeds", "settings"), 1),
    "files": 2,
    "data": 3,
    "nets": 4,
    **dict.fromkeys(("measure", "latents"), 5),
    "train": 6,
    "study": 7,
    "figures": 8,
    "explorer": 9,
    "report": 9,
    "api": 9,
    "__main__": 10,
}
MODULES = sorted({*PACKAGE.rglob("*.py")} - {PACKAGE / "__init__.py"})  # it may use every room


def imported(file: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_from_no_room_above_its_own(module: Path) -> None:
    room = module.relative_to(PACKAGE).with_suffix("").parts[0]
    assert room in LEVELS, f"{room} is no room: move {module.name} into one, or add it to LEVELS"
    names = {name.split(".")[1] for name in imported(module) if name.startswith("mnist_vae.")}
    assert {n for n in names if LEVELS[n] > LEVELS[room]} == set()


@pytest.mark.parametrize("script", sorted((ROOT / "stages").glob("*.py")), ids=lambda p: p.stem)
def test_stages_do_not_import_each_other(script: Path) -> None:
    others = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"start"}
    assert not {name.split(".")[0] for name in imported(script)} & {"stages", *others}


@pytest.mark.parametrize(
    ("stage", "heavy"),
    [
        ("draw", {"torch", "sklearn", "matplotlib.pyplot", "torchvision"}),
        ("report", {"torch", "sklearn", "matplotlib.pyplot", "torchvision"}),
        ("explore", {"torchvision", "matplotlib.pyplot", "sklearn", "pandas", "openTSNE"}),
        ("embed", {"torch", "matplotlib", "torchvision", "openTSNE"}),
        ("train", {"torchvision", "matplotlib", "sklearn", "pandas", "openTSNE"}),
        ("encode", {"torchvision", "matplotlib", "sklearn", "pandas", "openTSNE"}),
        ("priors", {"torch", "torchvision", "matplotlib", "sklearn", "pandas"}),
        ("sample", {"torchvision", "matplotlib", "sklearn", "pandas", "openTSNE"}),
        ("made", {"torchvision", "matplotlib", "sklearn", "pandas", "openTSNE"}),
        ("download", {"torch", "torchvision", "matplotlib"}),
    ],
)
def test_stages_import_their_deps_and_nothing_heavy_that_they_do_not_need(
    stage: str, heavy: set[str]
) -> None:
    code = f"import sys; sys.path.insert(0, 'stages'); import {stage}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert not heavy & loaded
    names = {f"src/{name.replace('.', '/')}" for name in loaded if name.startswith("mnist_vae.")}
    modules = {f"{name}.py" for name in names if (ROOT / f"{name}.py").exists()}
    packages = {f"{VERSIONS}/{package}" for name, package in PACKAGES.items() if name in loaded}
    assert modules | packages <= set(STAGES[stage]["deps"])  # Python agrees with tools/deps.py

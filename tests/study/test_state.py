"""What the page says of a study whose code, settings or data have changed since it ran."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist_vae.errors import InputError
from mnist_vae.study.state import LOCK, changes, sentence

PARAMS = {"study": {"grids": {"main": {"dims": [1, 2]}}}, "recipes": {"fast": {"epochs": 4}}}
FILES = {
    "data/train.safetensors": "images",
    "src/loop.py": "code",
    "src/vae.py": "more code",
    "reports/study/main/trainings.csv": "a,b\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose lock is what DVC would have written when its study ran."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    entries = [
        {"path": name, "hash": "md5", "md5": hashlib.md5(text.encode()).hexdigest()}
        for name, text in FILES.items()
    ]
    keys = {"recipes.fast": {"epochs": 4}, "study.grids.main": {"dims": [1, 2]}}
    stage: dict[str, Any] = {
        "cmd": "python stages/study.py main",
        "deps": entries[:3],
        "outs": entries[3:],
    }
    stage["params"] = {"params.yaml": keys}
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).write_text(yaml.safe_dump({"stages": {"study@main": stage}}))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return tmp_path


def params(project: Path) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((project / "params.yaml").read_text())
    return tree


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda project: (project / name).write_text(text)


def drop(name: str) -> Callable[[Path], object]:
    return lambda project: (project / name).unlink()


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (write("src/other.py", ""), []),
        (drop("data/train.safetensors"), []),  # as in a clean clone
        (write("src/loop.py", "code "), ["src/loop.py"]),
        (drop("src/loop.py"), ["src/loop.py"]),
        (write("data/train.safetensors", "other"), ["data/train.safetensors"]),
        (write("reports/study/main/trainings.csv", "a,c\n"), ["reports/study/main/trainings.csv"]),
        (
            write("params.yaml", yaml.safe_dump({**PARAMS, "recipes": {"fast": {"epochs": 5}}})),
            ["recipes.fast"],
        ),
        (write("params.yaml", yaml.safe_dump({"study": PARAMS["study"]})), ["recipes.fast"]),
    ],
)
def test_what_changed_is_named(
    project: Path, change: Callable[[Path], object], changed: list[str]
) -> None:
    assert changes("main", params(project), project) == []
    assert "with the code, settings and data that stand here" in sentence(
        "main", params(project), project
    )
    change(project)
    assert changes("main", params(project), project) == changed
    said = sentence("main", params(project), project)
    assert ("is older than what stands here" in said) == bool(changed)
    assert all(name in said for name in changed)


def write_pipeline(project: Path, path: str, text: str) -> None:
    md5 = hashlib.md5(text.encode()).hexdigest()
    stages = {"settings": {"cmd": "x"}, "make": {"outs": [{"path": path, "md5": md5}]}}
    (project / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))


def test_data_that_a_clean_clone_lacks_are_those_of_the_pipelines_lock(project: Path) -> None:
    images = "data/train.safetensors"
    write_pipeline(project, images, "other")
    assert changes("main", params(project), project) == []  # what is there counts
    (project / images).unlink()
    assert changes("main", params(project), project) == [images]
    write_pipeline(project, images, FILES[images])
    assert changes("main", params(project), project) == []
    write_pipeline(project, "src/loop.py", FILES["src/loop.py"])
    (project / "src/loop.py").unlink()
    assert changes("main", params(project), project) == ["src/loop.py"]


@pytest.mark.parametrize("there", [True, False])
def test_another_classifier_is_no_older_study(project: Path, there: bool) -> None:
    classifier = "data/classifier.safetensors"
    lock = yaml.safe_load((project / LOCK).read_text())
    md5 = hashlib.md5(b"one").hexdigest()
    lock["stages"]["study@main"]["deps"].append({"path": classifier, "md5": md5})
    (project / LOCK).write_text(yaml.safe_dump(lock))
    assert "data that stand here" in sentence("main", params(project), project)
    if there:
        write(classifier, "another")(project)
    else:
        write_pipeline(project, classifier, "another")
    said = sentence("main", params(project), project)
    assert "measured by another classifier" in said
    assert "older" not in said
    write("src/loop.py", "changed")(project)
    said = sentence("main", params(project), project)
    assert "is older than what stands here" in said
    assert classifier in said


def test_of_many_changes_some_are_named_and_all_are_counted(project: Path) -> None:
    for name in FILES:
        write(name, "changed")(project)
    write("params.yaml", "{}")(project)
    assert "data/train.safetensors, src/loop.py, src/vae.py and 3 more changed" in sentence(
        "main", params(project), project
    )


def test_a_study_that_nothing_records(project: Path) -> None:
    assert changes("beta", PARAMS, project) is None
    assert "Nothing records what this study was made with: `make study` makes" in sentence(
        "beta", PARAMS, project
    )
    assert "`make study-notebook` makes it again" in sentence("notebook", PARAMS, project)
    (project / LOCK).unlink()
    assert changes("main", params(project), project) is None


@pytest.mark.parametrize("damage", ["", "stages: [", "stages: {study@main: {cmd: x}}", "a"])
def test_a_damaged_lock_is_named(project: Path, damage: str) -> None:
    (project / LOCK).write_text(damage.replace("cmd: x", "cmd: stages/study.py"))
    with pytest.raises(InputError, match=r"studies/dvc\.lock: damaged"):
        changes("main", params(project), project)


@pytest.mark.parametrize("damage", ["", "stages: [", "stages: {make: x}", "a"])
def test_a_damaged_lock_of_the_pipeline_is_named(project: Path, damage: str) -> None:
    (project / "data/train.safetensors").unlink()
    (project / "dvc.lock").write_text(damage)
    with pytest.raises(InputError, match=r"dvc\.lock: damaged; delete it and run `dvc repro`"):
        changes("main", params(project), project)

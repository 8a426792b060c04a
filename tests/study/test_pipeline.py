"""The study under DVC: what runs it, what does not, and who says that it is stale."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from deps import is_code
from support.host import read_record
from support.project import ROOT, edit, environment, restored, run, tracked_copy
from support.studies import shrink, write_data

from mnist_vae.study import state

PIPELINE: dict[str, dict[str, Any]] = {
    name: stage["do"]
    for name, stage in yaml.safe_load((ROOT / "studies/dvc.yaml").read_text())["stages"].items()
}
EDITED = "src/mnist_vae/train/objective.py"


def plain(out: str | dict[str, Any]) -> str:
    path = out if isinstance(out, str) else next(iter(out))
    return path.replace("${key}", "main")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project under DVC and Git whose study has run, with a stage that reads its lock."""
    copy = tracked_copy(tmp_path_factory.mktemp("study"))
    (copy / "dvc.lock").unlink()
    (copy / "studies/dvc.lock").unlink(missing_ok=True)

    def only_study(tree: dict[str, Any]) -> None:
        shrink(tree)
        tree["study"]["grids"]["main"] |= {"dims": [2], "seeds": [0, 1]}
        tree["recipes"]["fast"] |= {"epochs": 1, "least_images": 1}

    def reads_the_lock(tree: dict[str, Any]) -> None:
        kept = ("settings", "download", "classify")
        tree["stages"] = {name: tree["stages"][name] for name in kept}
        tree["stages"]["page"] = {
            "cmd": "cp studies/dvc.lock page.txt",
            "deps": ["studies", EDITED],
            "outs": [{"page.txt": {"cache": False}}],
        }
        tree.pop("plots")
        tree.pop("artifacts")

    edit(copy / "params.yaml", only_study)
    edit(copy / "dvc.yaml", reads_the_lock)
    write_data(copy)
    (copy / "reports/classifier.json").write_text("{}\n")
    for command in (
        ("dvc", "commit", "--force", "settings", "download", "classify"),
        ("dvc", "repro", "studies/dvc.yaml:summarize@main"),
        ("dvc", "repro", "page"),
    ):
        done = run(copy, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    return copy


def read(project: Path) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((project / "params.yaml").read_text())
    return tree


def would_run(project: Path, *target: str) -> list[str]:
    done = run(project, "dvc", "repro", "--dry", *target)
    assert done.returncode == 0, done.stderr
    return re.findall("Running stage '(.*)'", done.stdout)


def test_the_study_makes_what_it_declares(small: Path) -> None:
    for stage in PIPELINE.values():
        for out in stage["outs"]:
            assert (small / plain(out)).exists()
    answer = json.loads((small / "reports/study/main/answer.json").read_text())
    assert len(answer["sentences"]) == 2
    assert not run(small, "git", "check-ignore", "reports/study/main/trainings.csv").stdout
    assert run(small, "git", "check-ignore", "data/study/x.json").stdout


def test_an_edit_of_the_training_code_runs_no_study_and_is_told_of(small: Path) -> None:
    """The pipeline goes its way; the gate and the page say what `make study` would do."""
    assert would_run(small) == []
    assert state.changes("main", read(small), small) == []
    path = small / EDITED
    with restored(path):
        path.write_text(path.read_text() + "# changed\n")
        assert would_run(small) == ["page"]
        assert would_run(small, "studies/dvc.yaml") == ["studies/dvc.yaml:study@main"]
        assert state.changes("main", read(small), small) == [EDITED]
        gate = run(small, sys.executable, "tools/check_lock.py")
        assert gate.returncode == 1
        assert f"studies/dvc.yaml:study@main: file {EDITED} (modified)" in gate.stderr
        assert "run `dvc repro` and `make study` and commit" in gate.stderr
    assert would_run(small, "studies/dvc.yaml") == []


def test_a_new_study_makes_the_page_stale_and_nothing_else(small: Path) -> None:
    lock = small / "studies/dvc.lock"
    with restored(lock):
        lock.write_text(lock.read_text() + "# as after another run\n")
        assert would_run(small) == ["page"]


def test_a_table_edited_by_hand_is_told_of(small: Path) -> None:
    path = small / "reports/study/main/trainings.csv"
    with restored(path):
        path.write_text(path.read_text().replace("ae", "av"))
        assert state.changes("main", read(small), small) == ["reports/study/main/trainings.csv"]
        gate = run(small, sys.executable, "tools/check_lock.py")
        assert gate.returncode == 1
        assert "studies/dvc.yaml:study@main: output reports/study/main/" in gate.stderr
        assert "run `make study` and commit" in gate.stderr


@pytest.mark.parametrize("stage", PIPELINE)
def test_deps_params_and_outs_are_exactly_what_a_stage_does(
    small: Path, tmp_path: Path, stage: str
) -> None:
    log = tmp_path / "log"
    code = (
        "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); "
        "from support.host import record; import runpy; sys.argv.pop(0); "
        "record(sys.argv.pop()); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    script, grid = PIPELINE[stage]["cmd"].replace("${key}", "main").split()[1:]
    paths = os.pathsep.join(str(small / folder) for folder in ("tests", "tools", "stages", "src"))
    for kept in (small / "data/study").glob("**/*.*"):
        kept.unlink()  # or nothing is read to train on
    done = subprocess.run(
        [sys.executable, "-c", code, paths, script, grid, str(log)],
        cwd=small,
        env=environment(small) | {"MNIST_VAE_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    did = read_record(log, small)
    declared = {plain(dep) for dep in PIPELINE[stage]["deps"] if not is_code(dep)}
    outs = {plain(out) for out in PIPELINE[stage]["outs"]}
    others = ("src/", "stages/", "tests/", "tools/", "data/study/", "params.yaml")
    assert {path for path in did.read if not path.startswith(others)} == declared
    written = {path for path in did.written if not path.startswith(others)}
    assert {path for path in written if not f"{path}/".startswith(tuple(outs))} == set()
    assert {out for out in outs if not any(path.startswith(out) for path in written)} == set()
    params = [key.replace("${study.grids.main.recipe}", "${item.recipe}") for key in did.params]
    assert sorted(params) == sorted(p.replace("${key}", "main") for p in PIPELINE[stage]["params"])


def test_no_stage_of_the_pipeline_reads_what_the_study_writes() -> None:
    """Or DVC would run the study with it."""
    outs = [plain(out) for stage in PIPELINE.values() for out in stage["outs"]]
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        for dep in stage.get("do", stage)["deps"]:
            assert not any(f"{out}/".startswith(f"{dep}/") for out in outs), dep

"""Models that leave the project: a remote, a stranger's clone, another project that takes one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.host import MODEL, OTHER
from support.project import ROOT, run

from mnist_vae import load

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")
MADE = [f"models/{MODEL}.safetensors", f"models/{OTHER}.safetensors", "data/test.safetensors"]


def must(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = run(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def published(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run, with Git, pushed to a folder as docs/usage.md says."""
    copy = tmp_path_factory.mktemp("published") / "project"
    remote = tmp_path_factory.mktemp("remote")
    shutil.copytree(project, copy)
    must(copy, "git", "init", "-q")
    must(copy, "dvc", "commit", "--force")
    must(copy, "dvc", "remote", "add", "--default", "ours", str(remote))
    must(copy, "dvc", "push")
    must(copy, "git", "add", "--all")
    must(copy, "git", *WHO, "commit", "-qm", "Share the results")
    must(copy, "git", *WHO, "tag", "-a", f"{MODEL}@v1.0.0", "-m", "First")
    return copy


def test_a_stranger_pulls_and_has_nothing_to_run(published: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    must(tmp_path, "git", "clone", "-q", str(published), str(clone))
    assert not [name for name in MADE if (clone / name).exists()]
    must(clone, "dvc", "pull")
    for name in MADE:
        assert (clone / name).read_bytes() == (published / name).read_bytes()
    done = must(clone, "dvc", "repro")
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout + done.stderr
    assert must(clone, "git", "status", "--porcelain").stdout == ""
    load(clone / MADE[0])


def test_another_project_takes_a_model(published: Path, tmp_path: Path) -> None:
    must(tmp_path, "git", "init", "-q")
    must(tmp_path, "dvc", "init", "-q")
    url, name = str(published), f"models/{MODEL}.safetensors"
    must(tmp_path, "dvc", "get", url, name, "-o", "got.safetensors")
    must(tmp_path, "dvc", "import", url, name, "-o", "imported.safetensors")
    must(tmp_path, "dvc", "artifacts", "get", url, MODEL, "-o", "artifact.safetensors")
    for kind in ("got", "imported", "artifact"):
        assert load(tmp_path / f"{kind}.safetensors").facts.model == MODEL
    imported = yaml.safe_load((tmp_path / "imported.safetensors.dvc").read_text())
    assert imported["deps"][0]["repo"]["url"] == url
    updated = must(tmp_path, "dvc", "update", "imported.safetensors.dvc")
    assert "didn't change" in updated.stdout


def test_every_model_is_an_artifact() -> None:
    artifacts = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    models = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]
    assert artifacts.keys() == models.keys()
    for name, artifact in artifacts.items():
        assert artifact["path"] == f"models/{name}.safetensors"
        assert artifact["type"] == "model"
        dims = models[name]["latent_dim"]
        assert f"{dims}-d" in artifact["labels"]
        assert re.search(rf"\b{dims} dimensions", artifact["desc"])

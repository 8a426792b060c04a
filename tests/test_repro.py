"""The pipeline under DVC itself: a run on a small part of MNIST, kills, what is stale, the gate."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mend_lock
import pytest
from dvc.repo import Repo
from support.host import MODEL, OTHER
from support.project import ROOT, build, edit, environment, restored, run, tracked_copy
from support.torture import BAD, outputs, torture

from mnist_vae.files.maps import MAPS

EPOCHS = 10  # some seconds, so that kills meet trainings too
CURVE = "reports/curves/vae2.csv"
EVERY = ("train", "encode", "embed", "priors", "evaluate", "sample", "made", "draw")


def of(*stages: str, models: tuple[str, ...] = (MODEL, OTHER)) -> set[str]:
    return {f"{stage}@{model}" for stage in stages for model in models}


# ---- A run --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project of one model, run to the end."""
    copy = build(tmp_path_factory.mktemp("small"), ["vae2"], EPOCHS)
    done = run(copy, "dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


def test_a_run_makes_every_output(small: Path) -> None:
    metrics = json.loads((small / "reports/metrics/vae2.json").read_text())
    assert metrics["epochs"] == EPOCHS
    # The mean image alone gives 53 to 110.
    assert 0 < metrics["distortion"]["squared_error"] < 110
    for figure in ("loss", "reconstructions", "latent_map", "interpolation", "manifold"):
        png = small / f"reports/figures/vae2/{figure}.png"
        assert png.read_bytes().startswith(b"\x89PNG")
        assert f"figures/vae2/{figure}.png" in (small / "reports/README.md").read_text()
    assert not list(small.rglob("*.part"))


def test_a_second_run_runs_nothing(small: Path) -> None:
    done = run(small, "dvc", "repro")
    assert done.returncode == 0
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout + done.stderr


# ---- What is stale -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tracked(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two models under DVC, with all that they made taken for what its stages make."""
    copy = tmp_path_factory.mktemp("dvc") / "tracked"
    shutil.copytree(project, copy)
    for command in (("git", "init", "-q"), ("dvc", "commit", "--force", "dvc.yaml")):
        done = run(copy, *command)
        assert done.returncode == 0, done.stderr
    return copy


def set_param(*keys: str, to: object) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        def assign(tree: dict[str, Any]) -> None:
            for key in keys[:-1]:
                tree = tree[key]
            tree[keys[-1]] = to

        edit(copy / "params.yaml", assign)

    return change


def touch_code(name: str) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        path = copy / name
        path.write_text(path.read_text() + "# changed\n")

    return change


CHANGES = {
    "a figure's colour": (
        set_param("figures", "palette", to=[f"#{i}{i}{i}{i}{i}{i}" for i in range(10)]),
        {*of("draw"), "explore"},
    ),
    "the t-SNE perplexity": (set_param("embed", "perplexity", to=10), of("embed")),
    "one model's kl_weight": (
        set_param("models", "vae2", "kl_weight", to=0.01),
        {"train@vae2", "explore", "report"},
    ),
    "the recipe": (set_param("recipe", to="notebook"), {*of("train"), "report"}),
    "the chosen recipe's epochs": (
        set_param("recipes", "fast", "epochs", to=3),
        {*of("train"), "report"},
    ),
    "a recipe not chosen": (
        set_param("recipes", "notebook", "epochs", to=3),
        {"report"},  # which says whether a study by it is old
    ),
    "the seed": (set_param("seed", to=1), {"classify", "real", *of("train"), "report"}),
    "the priors": (set_param("priors", "components", to=3), of("priors")),
    "pictures made": (set_param("made", "vae2", to=60), {"made@vae2", "report"}),
    "the sources": (set_param("data", "sources", to=["torchvision"]), {"download"}),
    "the interpolation": (set_param("encode", "steps", to=5), of("encode")),
    "objective.py": (
        touch_code("src/mnist_vae/train/objective.py"),
        {*of("train"), "report"},  # which says whether the study was made with it
    ),
    "views.py": (touch_code("src/mnist_vae/latents/views.py"), of("encode")),
    "vae.py": (
        touch_code("src/mnist_vae/nets/vae.py"),
        {
            *of("train", "encode", "evaluate", "sample", "made"),
            *("classify", "real", "explore", "report"),
        },
    ),
    "style.py": (
        touch_code("src/mnist_vae/figures/style.py"),
        {*of("draw"), "explore", "report"},
    ),
    "network.js": (touch_code("src/mnist_vae/explorer/templates/network.js"), {"explore"}),
    "optimizer.py": (
        touch_code("src/mnist_vae/train/optimizer.py"),
        {"classify", *of("train", "made"), "report"},
    ),
    "audit.py": (touch_code("src/mnist_vae/measure/audit.py"), {*of("evaluate"), "report"}),
    "the classifier's epochs": (set_param("classifier", "epochs", to=2), {"classify", *of("made")}),
    "store.py": (
        touch_code("src/mnist_vae/files/store.py"),
        {"download", "classify", "real", *of(*EVERY), "explore", "report"},
    ),
    "a stage script": (touch_code("stages/embed.py"), of("embed")),
    "what no stage reads": (touch_code(".gitignore"), set()),
}


def stale(project: Path) -> set[str]:
    """The stages of the pipeline that DVC would run first."""
    with Repo(str(project)) as repo:
        # Named by their path from the current folder, which is not the project.
        names = (name.rpartition(":") for name in repo.status())
        return {stage for file, _, stage in names if not file.endswith("studies/dvc.yaml")}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_these_stages_stale(tracked: Path, name: str) -> None:
    """Those that read what changed; the stages after them follow when those have run."""
    change, expected = CHANGES[name]
    with restored(*(path for path in tracked.rglob("*") if path.suffix in {".py", ".yaml", ".js"})):
        change(tracked)
        assert stale(tracked) == expected


# What people read, as text or as a picture, does not say what it is of, so a stage takes any.
MAKERS = {
    CURVE: "train@vae2",
    "reports/classifier.json": "classify",
    "reports/real.json": "real",
    "reports/metrics/vae2.json": "evaluate@vae2",
    "reports/metrics/vae2.samples.json": "sample@vae2",
    "reports/metrics/vae2.made.json": "made@vae2",
    "reports/figures/vae2/loss.png": "draw@vae2",
    "requirements.txt": "report",  # which nothing makes, and this stage reads
}


@pytest.mark.parametrize("file", MAKERS)
def test_dvc_makes_again_what_a_stage_would_take(tracked: Path, file: str) -> None:
    path = tracked / file
    with restored(path):
        path.write_bytes(path.read_bytes() + b"\n")
        assert MAKERS[file] in stale(tracked)
        path.unlink()
        assert MAKERS[file] in stale(tracked)


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_the_time_of_a_file_does_not_matter(tracked: Path, when: int) -> None:
    for path in tracked.rglob("*"):
        if not {".dvc", ".git"} & set(path.parts):
            os.utime(path, (when, when))
    assert stale(tracked) == set()


# ---- Kills --------------------------------------------------------------------------------------


def test_a_run_killed_three_times_gives_byte_for_byte_what_one_left_alone_gave(
    small: Path, tmp_path: Path
) -> None:
    """In another folder too, so what runs undisturbed after the last kill proves determinism."""
    counted = torture(tmp_path, small, ["vae2"], EPOCHS, kills=3, seed=0, longest=4)
    assert {key: counted[key] for key in BAD} == {key: [] for key in BAD}
    assert sum(counted["kills"].values()) == 3
    assert counted["finished_runs"] >= 1
    assert {name.split(":")[0] for name in outputs(small)} == {
        *("download", "classify", "explore", "report"),
        *of(*EVERY, models=("vae2",)),
    }


def mend(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    return mend_lock.main()


def test_what_dvc_was_killed_while_writing_is_made_again(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = outputs(small)
    for name in ("dvc.lock", ".dvc/tmp/rwlock"):
        (small / name).write_text("")
    assert run(small, "dvc", "repro").returncode != 0
    assert mend(small, monkeypatch) == 0
    done = run(small, "dvc", "repro")
    assert done.returncode == 0
    assert re.findall("Running stage '(.*)'", done.stdout) == ["report"]
    assert outputs(small) == before


def test_two_runs_at_once_are_as_one_and_a_param_set_back_runs_nothing(small: Path) -> None:
    before = outputs(small)
    with restored(small / "params.yaml"):
        set_param("embed", "perplexity", to=20)(small)
        runs = [
            subprocess.Popen(
                ["dvc", "repro", "embed@vae2"],
                cwd=small,
                env=environment(small),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        ends = [(run.communicate()[1], run.returncode) for run in runs]
        assert "embed@vae2" not in stale(small)
    assert 0 in [code for _, code in ends]
    for stderr, code in ends:
        assert "Traceback" not in stderr
        assert code == 0 or re.search("ERROR: .*(is busy|Unable to acquire lock)", stderr), stderr
    MAPS.read(small / "data/maps/vae2.safetensors", model="vae2", perplexity=20)
    assert not list(small.rglob("*.part"))
    assert outputs(small) != before

    done = run(small, "dvc", "repro")
    assert done.returncode == 0, done.stderr
    assert "Running stage" not in done.stdout
    assert outputs(small) == before


LOCK = (ROOT / "dvc.lock").read_text()
DIGESTS = [match.end() for match in re.finditer("md5: [a-f][0-9a-f]{5}", LOCK)]


@pytest.mark.parametrize(
    ("name", "text", "removed"),
    [
        ("dvc.lock", LOCK, False),
        # Ends within a digest: DVC takes it for a stale stage.
        ("dvc.lock", LOCK[: DIGESTS[len(DIGESTS) // 2]], False),
        ("dvc.lock", "", True),
        ("dvc.lock", "schema: '2.0'\nsta", True),
        ("dvc.lock", "schema: '2.0'\nstages:\n  train:\n    cm", True),
        ("dvc.lock", "stages:\n  train: [", True),
        (".dvc/tmp/rwlock", '{"write": {}}', False),
        (".dvc/tmp/rwlock", "", True),
        (".dvc/tmp/rwlock", '{"write": {', True),
    ],
)
def test_only_what_dvc_cannot_read_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, removed: bool
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    assert mend(tmp_path, monkeypatch) == (0 if removed else 1)
    assert (tmp_path / name).exists() == (not removed)


# ---- Experiments --------------------------------------------------------------------------------


def experiments(project: Path) -> list[str]:
    """Where Git keeps the results of experiments that have ended."""
    return run(
        project, "git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/seeded"
    ).stdout.split()


def test_a_queued_experiment_runs_the_code_that_it_was_queued_with(
    small: Path, tmp_path: Path
) -> None:
    """Although an edit of the main workspace, whose package is installed, comes in between."""
    for command in (
        ("git", "add", "--all", "--force", ":!data", ":!models", ":!.dvc/cache", ":!.dvc/tmp"),
        ("git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "start"),
        (*("dvc", "exp", "run", "--queue", "--name", "seeded", "-S", "seed=3"), "train@vae2"),
    ):
        done = run(small, *command)
        assert done.returncode == 0, done.stderr
    objective = small / "src/mnist_vae/train/objective.py"
    with restored(objective):
        objective.write_text(f"{objective.read_text()}\n\nraise RuntimeError('edited')\n")
        subprocess.run(
            ["dvc", "queue", "start"],
            cwd=small,
            env=environment(small),
            stdout=subprocess.DEVNULL,  # its worker inherits it, and outlives the task by seconds
            stderr=subprocess.DEVNULL,
            check=True,
        )
        deadline = time.monotonic() + 120
        while not (refs := experiments(small)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert run(small, "dvc", "queue", "stop").returncode == 0
    queued = run(small, "git", "show", f"{refs[0]}:{CURVE}").stdout

    for name in ("params.yaml", "data/train.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(small / name, tmp_path / name)
    set_param("seed", to=3)(tmp_path)
    assert run(tmp_path, sys.executable, str(small / "stages/train.py"), "vae2").returncode == 0
    assert queued == (tmp_path / CURVE).read_text() != (small / CURVE).read_text()


# ---- The gate: a clean clone without data -------------------------------------------------------


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tracked_copy(tmp_path_factory.mktemp("clone"))


def gate(copy: Path) -> subprocess.CompletedProcess[str]:
    return run(copy, sys.executable, "tools/check_lock.py")


def test_the_gate_passes_a_clone_in_order(clone: Path) -> None:
    done = gate(clone)
    assert done.returncode == 0, done.stdout + done.stderr


def change_metric(copy: Path) -> None:
    path = copy / "reports/metrics/vae16.json"
    path.write_text(path.read_text().replace('"epochs": ', '"epochs": 1'))


def drop_lock_entry(copy: Path) -> None:
    edit(copy / "dvc.lock", lambda tree: tree["stages"].pop("encode@vae2"))


def new_model(copy: Path) -> None:
    edit(
        copy / "params.yaml", lambda tree: tree["models"].update(vae8=dict(tree["models"]["vae2"]))
    )


def drop_code_dep(copy: Path) -> None:
    path = copy / "dvc.yaml"
    path.write_text(path.read_text().replace("      - stages/download.py\n", ""))


def plant_many(copy: Path) -> None:
    """Changes that hide none of the others."""
    set_param("models", "vae2", "kl_weight", to=0.01)(copy)
    for name in ("src/mnist_vae/figures/style.py", "stages/embed.py", "reports/README.md"):
        touch_code(name)(copy)
    change_metric(copy)
    drop_lock_entry(copy)
    new_model(copy)
    set_param("recipe", to="notebook")(copy)
    (copy / "reports/figures/vae16/loss.png").write_bytes(b"")
    (copy / "reports/figures/vae2/loss.png").unlink()


PLANTED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "many": (
        plant_many,
        [
            *("train@vae2: ", "param models.vae2 (modified)", "train@vae8: "),
            *("train@vae16: ", "param recipes.notebook "),
            "file src/mnist_vae/figures/style.py (modified)",
            "file stages/embed.py (modified)",
            *("report: ", "output reports/README.md (modified)"),
            *("evaluate@vae16: ", "output reports/metrics/vae16.json (modified)"),
            *("encode@vae2: ",),
            *("draw@vae16: ", "output reports/figures/vae16 (modified)"),
            *("draw@vae2: ", "output reports/figures/vae2 (modified)"),
        ],
    ),
    "code dep": (drop_code_dep, ["code deps of download", "missing: stages/download.py"]),
    "no lock": (lambda copy: (copy / "dvc.lock").unlink(), ["train@vae16"]),
    "pipeline": (lambda copy: (copy / "dvc.yaml").write_text("stages: ["), ["dvc.yaml"]),
    "params key": (set_param("recipe", to="fats"), ["recipes.fats"]),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_gate_stops_a_planted_change(clone: Path, name: str) -> None:
    change, named = PLANTED[name]
    copied = [*clone.glob("*.*"), *clone.glob("reports/**/*.*"), *clone.glob("s*/**/*.py")]
    with restored(*filter(Path.is_file, copied)):
        change(clone)
        done = gate(clone)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for text in named:
        assert text in done.stderr

"""The pipeline under DVC itself: a run on a small part of MNIST, kills, what is stale, the gate."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mend_lock
import pytest
from dvc.repo import Repo
from support.project import ROOT, build, edit, run, tracked_copy
from support.torture import BAD, outputs, torture

MODELS = ("vae16", "vae2")
EPOCHS = 20  # some seconds, so that kills meet trainings too
EVERY = ("train", "encode", "embed", "evaluate", "draw")


def of(*stages: str, models: tuple[str, ...] = MODELS) -> set[str]:
    return {f"{stage}@{model}" for stage in stages for model in models}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project, run to the end."""
    copy = build(tmp_path_factory.mktemp("small"), MODELS, EPOCHS)
    done = run(copy, "dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


def test_a_run_makes_every_output(small: Path) -> None:
    for model in MODELS:
        metrics = json.loads((small / f"reports/metrics/{model}.json").read_text())
        assert metrics["epochs"] == EPOCHS
        assert (
            0 < metrics["distortion"]["squared_error"] < 110
        )  # the mean image alone gives 53 to 110
        for figure in ("loss", "reconstructions", "latent_map", "interpolation", "prior_samples"):
            png = small / f"reports/figures/{model}/{figure}.png"
            assert png.read_bytes().startswith(b"\x89PNG")
            assert f"figures/{model}/{figure}.png" in (small / "reports/README.md").read_text()
    assert (small / "reports/figures/vae2/manifold.png").exists()
    assert not (small / "reports/figures/vae16/manifold.png").exists()
    assert not list(small.rglob("*.part"))


def test_a_second_run_runs_nothing(small: Path) -> None:
    done = run(small, "dvc", "repro")
    assert done.returncode == 0
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout + done.stderr


def set_param(*keys: str, to: object) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        def assign(tree: dict) -> None:
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
        of("draw"),
    ),
    "the t-SNE perplexity": (set_param("embed", "perplexity", to=10), of("embed")),
    "one model's kl_weight": (
        set_param("models", "vae2", "kl_weight", to=0.01),
        {"train@vae2", "report"},
    ),
    "the recipe": (set_param("recipe", to="notebook"), {*of("train"), "report"}),
    "the chosen recipe's epochs": (
        set_param("recipes", "fast", "epochs", to=3),
        {*of("train"), "report"},
    ),
    "a recipe not chosen": (set_param("recipes", "notebook", "epochs", to=3), set()),
    "the seed": (
        set_param("seed", to=1),
        {"classify", *of("train", "encode", "embed", "evaluate"), "report"},
    ),
    "the sources": (set_param("data", "sources", to=["npm"]), {"download"}),
    "the interpolation": (set_param("encode", "steps", to=5), of("encode")),
    "objective.py": (touch_code("src/mnist_vae/train/objective.py"), of("train")),
    "views.py": (touch_code("src/mnist_vae/latents/views.py"), of("encode", "evaluate")),
    "vae.py": (touch_code("src/mnist_vae/nets/vae.py"), of("train", "encode", "evaluate")),
    "figures.py": (touch_code("src/mnist_vae/figures.py"), {*of("draw"), "report"}),
    "optimizer.py": (
        touch_code("src/mnist_vae/train/optimizer.py"),
        {"classify", *of("train", "evaluate")},
    ),
    "audit.py": (touch_code("src/mnist_vae/audit.py"), {*of("evaluate"), "report"}),
    "the classifier's epochs": (set_param("classifier", "epochs", to=2), {"classify"}),
    "store.py": (
        touch_code("src/mnist_vae/files/store.py"),
        {"download", "classify", *of(*EVERY), "report"},
    ),
    "a stage script": (touch_code("stages/embed.py"), of("embed")),
    "README.md": (touch_code("README.md"), set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_these_stages_stale(small: Path, name: str) -> None:
    """Those that read what changed; the stages after them follow when those have run."""
    change, stale = CHANGES[name]
    kept = {path: path.read_bytes() for path in small.rglob("*") if path.suffix in {".py", ".yaml"}}
    kept[small / "README.md"] = (small / "README.md").read_bytes()
    try:
        change(small)
        with Repo(str(small)) as repo:
            # Named by their path from the current folder, which is not the copy.
            assert {name.rpartition(":")[2] for name in repo.status()} == stale
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


# ---- Kills --------------------------------------------------------------------------------------


def test_a_run_killed_five_times_gives_byte_for_byte_what_one_left_alone_gave(
    small: Path, tmp_path: Path
) -> None:
    """In another folder too, so what runs undisturbed after the last kill proves determinism."""
    found = torture(tmp_path, small, MODELS, EPOCHS, kills=5, seed=0, longest=6)
    assert {key: found[key] for key in BAD} == {key: [] for key in BAD}
    assert sum(found["kills"].values()) == 5
    assert found["finished_runs"] >= 1
    assert {name.split(":")[0] for name in outputs(small)} == {
        *("download", "classify", "report"),
        *of(*EVERY),
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


def test_a_param_set_back_trains_nothing(small: Path) -> None:
    before = outputs(small)
    params = (small / "params.yaml").read_text()
    set_param("models", "vae2", "kl_weight", to=0.01)(small)
    assert run(small, "dvc", "repro", "train@vae2").returncode == 0
    assert outputs(small) != before
    (small / "params.yaml").write_text(params)
    done = run(small, "dvc", "repro")
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


def test_a_queued_experiment_runs_the_code_that_it_was_queued_with(tmp_path: Path) -> None:
    """Although an edit of the main workspace, whose package is installed, comes in between."""
    copy = build(tmp_path / "project", ("ae2",), 1)
    assert run(copy, "dvc", "repro", "train@ae2").returncode == 0
    for command in (
        ("git", "add", "--all", "--force", ":!data", ":!models", ":!.dvc/cache", ":!.dvc/tmp"),
        ("git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "start"),
        ("dvc", "exp", "run", "--queue", "--name", "seeded", "-S", "seed=3", "train@ae2"),
    ):
        done = run(copy, *command)
        assert done.returncode == 0, done.stderr
    objective = copy / "src/mnist_vae/train/objective.py"
    honest = objective.read_text()
    edited = honest.replace("return F.mse_loss(", "return 3 * F.mse_loss(")
    assert edited != honest
    objective.write_text(edited)
    assert run(copy, "dvc", "queue", "start").returncode == 0
    assert run(copy, "dvc", "queue", "logs", "--follow", "seeded").returncode == 0
    objective.write_text(honest)
    curve = "reports/curves/ae2.csv"
    queued = run(copy, "git", "show", f"refs/exps/{exp_ref(copy)}:{curve}").stdout

    set_param("seed", to=3)(copy)
    assert run(copy, sys.executable, "stages/train.py", "ae2").returncode == 0
    assert queued == (copy / curve).read_text()


def exp_ref(copy: Path) -> str:
    """The one experiment of a copy, below refs/exps."""
    listed = run(copy, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    (ref,) = (name for name in listed if name.endswith("/seeded"))
    return ref.removeprefix("refs/exps/")


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


PLANTED = {
    "code dep": (drop_code_dep, ["code deps of download", "missing: stages/download.py"]),
    "params": (
        set_param("models", "vae2", "kl_weight", to=0.01),
        ["train@vae2", "param models.vae2"],
    ),
    "recipe": (set_param("recipe", to="notebook"), ["train@vae16", "recipes.notebook"]),
    "module": (touch_code("src/mnist_vae/figures.py"), ["draw@vae16", "src/mnist_vae/figures.py"]),
    "stage": (touch_code("stages/embed.py"), ["embed@vae16", "stages/embed.py"]),
    "metric": (change_metric, ["evaluate@vae16", "reports/metrics/vae16.json"]),
    "figure": (
        lambda copy: (copy / "reports/figures/vae16/loss.png").write_bytes(b""),
        ["draw@vae16", "reports/figures/vae16"],
    ),
    "page": (touch_code("reports/README.md"), ["report", "reports/README.md"]),
    "lost figure": (
        lambda copy: (copy / "reports/figures/vae16/loss.png").unlink(),
        ["draw@vae16", "reports/figures/vae16"],
    ),
    "lock entry": (drop_lock_entry, ["encode@vae2"]),
    "no lock": (lambda copy: (copy / "dvc.lock").unlink(), ["train@vae16"]),
    "model": (new_model, ["train@vae8"]),
    "pipeline": (lambda copy: (copy / "dvc.yaml").write_text("stages: ["), ["dvc.yaml"]),
    "params key": (set_param("recipe", to="fats"), ["recipes.fats"]),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_gate_stops_a_planted_change(clone: Path, name: str) -> None:
    change, named = PLANTED[name]
    copied = [*clone.glob("*.*"), *clone.glob("reports/**/*.*"), *clone.glob("s*/**/*.py")]
    kept = {path: path.read_bytes() for path in copied if path.is_file()}
    try:
        change(clone)
        done = gate(clone)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        for text in named:
            assert text in done.stderr
    finally:
        for path, data in kept.items():
            path.write_bytes(data)

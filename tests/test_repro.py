"""The pipeline under DVC itself: a run on a small part of MNIST, kills, what is stale, the gate."""

from __future__ import annotations

import functools
import hashlib
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
import psutil
import pytest
from dvc.repo import Repo
from support.host import MODEL, OTHER, Host
from support.project import (
    CHECKED,
    ROOT,
    STAGES,
    build,
    edit,
    environment,
    identities,
    restored,
    run,
    tracked_copy,
)
from support.torture import BAD, outputs, torture

from mnist_vae.files.maps import MAPS

EPOCHS = 10  # some seconds, so that kills meet trainings too
CURVE = "reports/curves/vae2.csv"
EVERY = (
    *("train", "encode", "embed", "priors", "evaluate", "sample", "made", "draw"),
    "results",
)


def of(*stages: str, models: tuple[str, ...] = (MODEL, OTHER)) -> set[str]:
    return {f"{stage}@{model}" for stage in stages for model in models}


# ---- A run --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project of one model, run to the end: stage by stage, which is faster than by DVC.

    What DVC makes of the same is compared with it below, after kills and without any.
    """
    copy = build(tmp_path_factory.mktemp("small"), ["vae2"], EPOCHS)
    for stage in STAGES:
        if stage not in ("settings", "download"):
            ended = host.run(copy, stage, model="vae2")
            assert ended.code == 0, ended
    done = run(copy, "dvc", "commit", "--force", "dvc.yaml")
    assert done.returncode == 0, done.stderr
    return copy


def test_a_run_makes_every_output(small: Path) -> None:
    metrics = json.loads((small / "reports/metrics/vae2.json").read_text())
    assert metrics["epochs"] == EPOCHS
    # The mean image alone gives 53 to 110.
    assert 0 < metrics["distortion"]["squared_error"] < 110
    for figure in ("reconstructions", "latent_map", "class_digits", "samples", "manifold"):
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
        {"settings", *of("draw"), "explore"},
    ),
    "the t-SNE perplexity": (set_param("embed", "perplexity", to=10), {"settings", *of("embed")}),
    "one model's kl_weight": (
        set_param("models", "vae2", "kl_weight", to=0.01),
        {"settings", "train@vae2", "explore", "report"},
    ),
    "the recipe": (
        set_param("recipe", to="notebook"),
        {"settings", *of("train"), "report"},
    ),
    "the chosen recipe's epochs": (
        set_param("recipes", "fast", "epochs", to=3),
        {"settings", *of("train"), "report"},
    ),
    "a recipe not chosen": (
        set_param("recipes", "notebook", "epochs", to=3),
        {"settings", "report"},  # which says whether a study by it is old
    ),
    "the seed": (set_param("seed", to=1), {"settings", "classify", "real", *of("train"), "report"}),
    "the priors": (set_param("priors", "components", to=3), {"settings", *of("priors")}),
    "pictures made": (set_param("made", "vae2", to=60), {"settings", "made@vae2", "report"}),
    "the sources": (set_param("data", "sources", to=["torchvision"]), {"settings", "download"}),
    "the interpolation": (set_param("encode", "steps", to=5), {"settings", *of("encode")}),
    "objective.py": (
        touch_code("src/mnist_vae/train/objective.py"),
        {*of("train"), "report"},  # which says whether the study was made with it
    ),
    "views.py": (touch_code("src/mnist_vae/latents/views.py"), {"settings", *of("encode")}),
    "vae.py": (
        touch_code("src/mnist_vae/nets/vae.py"),
        {
            *("settings", "classify", "real", "explore", "report"),
            *of("train", "encode", "evaluate", "sample", "made"),
        },
    ),
    "style.py": (
        touch_code("src/mnist_vae/figures/style.py"),
        {"settings", *of("draw"), "explore", "report"},
    ),
    "network.js": (
        touch_code("src/mnist_vae/explorer/templates/network.js"),
        {"explore", "report"},
    ),
    "optimizer.py": (
        touch_code("src/mnist_vae/train/optimizer.py"),
        {"settings", "classify", *of("train", "made"), "report"},
    ),
    "audit.py": (
        touch_code("src/mnist_vae/measure/audit.py"),
        {"settings", *of("evaluate"), "report"},
    ),
    "the classifier's epochs": (
        set_param("classifier", "epochs", to=2),
        {"settings", "classify", *of("made")},
    ),
    "store.py": (
        touch_code("src/mnist_vae/files/store.py"),
        {"settings", "download", "classify", "real", *of(*EVERY), "explore", "report"},
    ),
    "a stage script": (touch_code("stages/embed.py"), of("embed")),
    "another version of t-SNE": (
        lambda copy: (copy / "versions/opentsne").write_text("9.9\n"),
        {"settings", *of("embed"), "report"},  # which names it
    ),
    "another version of Matplotlib": (
        lambda copy: (copy / "versions/matplotlib").write_text("9.9\n"),
        {"settings", *of("draw"), "explore", "report"},
    ),
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
    kept = [path for path in tracked.rglob("*") if path.suffix in {".py", ".yaml", ".js"}]
    with restored(*kept, *(tracked / "versions").iterdir()):
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
    "reports/results/vae2.json": "results@vae2",
    "reports/results/vae2.made.json": "made@vae2",
    "reports/figures/vae2/samples.png": "draw@vae2",
    "versions/torch": "train@vae2",  # which no stage makes
}


@pytest.mark.parametrize("file", MAKERS)
def test_dvc_makes_again_what_a_stage_would_take(tracked: Path, file: str) -> None:
    path = tracked / file
    with restored(path):
        path.write_bytes(path.read_bytes() + b"\n")
        assert MAKERS[file] in stale(tracked)
        path.unlink()
        assert MAKERS[file] in stale(tracked)


def test_a_mistake_in_the_settings_deletes_nothing(tracked: Path) -> None:
    """DVC removes the outputs of a stage before it runs it, so it must not come as far."""
    after = run(tracked, "dvc", "repro", "--dry", "--force", "--downstream", "settings").stdout
    every = {"settings", "download", "classify", "real", "report", *of(*EVERY)}
    assert every - {"made@ae2"} <= set(re.findall("Running stage '(.*)'", after))
    before = identities(tracked)
    with restored(tracked / "params.yaml"):
        set_param("models", "vae2", "latent_dim", to=0)(tracked)
        done = run(tracked, "dvc", "repro")
        assert done.returncode != 0
        assert "settings.py: error: params.yaml: models.vae2.latent_dim: found 0" in done.stderr
        lost = before.keys() - identities(tracked).keys()
        assert lost <= {tracked / CHECKED}
    done = run(tracked, "dvc", "repro", "settings")
    assert done.returncode == 0, done.stderr


def test_the_chart_of_all_models_shows_all_of_them(tracked: Path) -> None:
    done = run(tracked, "dvc", "plots", "show", "reports/curves.csv", "--show-vega")
    assert done.returncode == 0, done.stderr
    chart = json.loads(done.stdout)
    y = chart["encoding"]["y"]
    values = chart["data"]["values"]
    assert {row["model"] for row in values} == {MODEL, OTHER}
    assert y["scale"] == {"type": "log"}  # on which nothing is drawn of 0 and below
    assert all(float(row[y["field"]]) > 0 for row in values)
    assert chart["encoding"]["x"]["axis"]["format"] == "d"  # epochs are whole


def test_what_a_removed_model_leaves_is_pruned(tracked: Path) -> None:
    """The page's stage reads folders, so it counts as changed until then."""
    left = [f"reports/metrics/vae9{kind}.json" for kind in ("", ".samples")] + [
        "reports/figures/vae9",
        "reports/curves/vae9.csv",
        "models/vae9.safetensors",
    ]
    before = identities(tracked)
    with restored(tracked / "dvc.lock"):
        for name in left:
            of_vae2 = tracked / name.replace("vae9", "vae2")
            (shutil.copytree if of_vae2.is_dir() else shutil.copy)(of_vae2, tracked / name)
        edit(
            tracked / "dvc.lock",
            lambda tree: tree["stages"].update({"train@vae9": tree["stages"]["train@vae2"]}),
        )
        assert stale(tracked) == {"explore", "report"}
        prune = (sys.executable, str(ROOT / "tools/prune.py"))
        dry = run(tracked, *prune, "--dry").stdout.splitlines()
        expected = [*sorted(left), "train@vae9 of dvc.lock"]
        assert dry == [f"would remove {what}" for what in expected]
        assert identities(tracked) != before
        assert run(tracked, *prune).stdout.splitlines() == [f"removed {what}" for what in expected]
        assert stale(tracked) == set()
        assert "train@vae9" not in (tracked / "dvc.lock").read_text()
        assert run(tracked, *prune).stdout.startswith("nothing to remove")
    assert identities(tracked) == before


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_the_time_of_a_file_does_not_matter(tracked: Path, when: int) -> None:
    for path in tracked.rglob("*"):
        if not {".dvc", ".git"} & set(path.parts):
            os.utime(path, (when, when))
    assert stale(tracked) == set()


def test_a_forgery_that_dvc_takes_is_found_by_making_the_page_again(small: Path) -> None:
    page = small / "reports/index.html"
    rebuild = (sys.executable, "tools/rebuild.py")
    done = run(small, *rebuild)
    assert done.returncode == 0, done.stderr
    assert "3 stages made again what is committed" in done.stdout
    with restored(page, small / "dvc.lock"):
        was = hashlib.md5(page.read_bytes(), usedforsecurity=False).hexdigest()
        page.write_text(page.read_text().replace("</main>", "<p>99.9%</p></main>"))
        now = hashlib.md5(page.read_bytes(), usedforsecurity=False).hexdigest()
        size = f"size: {page.stat().st_size}"
        lock = (small / "dvc.lock").read_text()
        forged = re.sub(rf"md5: {was}\n( +)size: \d+", rf"md5: {now}\n\1{size}", lock)
        assert forged != lock
        (small / "dvc.lock").write_text(forged)
        assert stale(small) == set()
        done = run(small, *rebuild)
        assert done.returncode == 1
        assert "reports/index.html: report does not make what is committed" in done.stderr
    assert stale(small) == set()


# ---- Kills --------------------------------------------------------------------------------------


def test_a_run_killed_three_times_gives_byte_for_byte_what_one_left_alone_gave(
    small: Path, tmp_path: Path
) -> None:
    """In another folder too, so what runs undisturbed after the last kill proves determinism."""
    again = functools.partial(build, models=["vae2"], epochs=EPOCHS)
    counted = torture(tmp_path, small, again, kills=3, seed=0, longest=4)
    assert {key: counted[key] for key in BAD} == {key: [] for key in BAD}
    assert sum(counted["kills"].values()) == 3
    assert counted["finished_runs"] >= 1
    assert {name.split(":")[0] for name in outputs(small)} == {
        *("settings", "download", "classify", "real", "explore", "report"),
        *of(*EVERY, models=("vae2",)),
    }


def test_what_an_orphan_wrote_is_not_taken_for_what_the_next_run_writes(small: Path) -> None:
    """DVC is killed alone, and run again at once with other params."""
    before = outputs(small)
    with restored(small / "params.yaml"):
        set_param("recipes", "fast", "epochs", to=1000)(small)
        with subprocess.Popen(
            ["dvc", "repro", "train@vae2"],
            cwd=small,
            env=environment(small),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as dvc:
            # DVC has removed the last run's curve when there are epochs of another number.
            deadline = time.monotonic() + 120
            while not list((small / "checkpoints").glob("vae2.*.000003.safetensors")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            (stage,) = psutil.Process(dvc.pid).children()
            dvc.kill()
        set_param("recipes", "fast", "epochs", to=4)(small)
        done = run(small, "dvc", "repro", "train@vae2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not stage.is_running()
        assert len((small / CURVE).read_text().splitlines()) == 1 + 4
        assert "train@vae2" not in stale(small)
    done = run(small, "dvc", "repro")
    assert (done.returncode, outputs(small)) == (0, before)


def mend(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    return mend_lock.main()


def test_what_dvc_was_killed_while_writing_is_made_again(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = outputs(small)
    study = small / "studies/dvc.lock"
    with restored(study):  # as Git has it
        study.write_text("")
        assert run(small, "dvc", "repro").returncode != 0
        assert mend(small, monkeypatch) == 0
        assert not study.exists()
    for name in ("dvc.lock", ".dvc/tmp/rwlock"):
        (small / name).write_text("")
    assert run(small, "dvc", "repro").returncode != 0
    assert mend(small, monkeypatch) == 0
    done = run(small, "dvc", "repro")
    assert done.returncode == 0
    assert "Running stage" not in done.stdout  # all is taken from the cache
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


LOCKS = ("dvc.lock", "studies/dvc.lock")


@pytest.mark.parametrize(
    ("name", "text", "removed"),
    [
        *(
            (name, text, removed)
            for name in LOCKS
            for text, removed in (
                (LOCK, False),
                # Ends within a digest: DVC takes it for a stale stage.
                (LOCK[: DIGESTS[len(DIGESTS) // 2]], False),
                ("", True),
                ("schema: '2.0'\nsta", True),
                ("schema: '2.0'\nstages:\n  train:\n    cm", True),
                ("stages:\n  train: [", True),
            )
        ),
        (".dvc/tmp/rwlock", '{"write": {}}', False),
        (".dvc/tmp/rwlock", "", True),
        (".dvc/tmp/rwlock", '{"write": {', True),
    ],
)
def test_only_what_dvc_cannot_read_is_removed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    removed: bool,
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    assert mend(tmp_path, monkeypatch) == (0 if removed else 1)
    assert (tmp_path / name).exists() == (not removed)
    assert capsys.readouterr().out.startswith(f"{name}: cut off") == removed


OURS, THEIRS = "    md5: 0123", "    md5: 4567"
CONFLICTS = {
    "merge": f"{LOCK[:500]}\n<<<<<<< HEAD\n{OURS}\n=======\n{THEIRS}\n>>>>>>> other\n{LOCK[500:]}",
    "diff3": f"<<<<<<< HEAD\n{OURS}\n||||||| base\n=======\n{THEIRS}\n>>>>>>> other\n",
}


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("text", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_a_lock_that_git_could_not_merge_is_left_to_a_person(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert mend(tmp_path, monkeypatch) == 1
    assert (tmp_path / name).read_text() == text
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(f"error: {name}: holds conflict markers of a merge; ")
    assert f"git checkout --ours {name}," in printed.err


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
    (copy / "reports/figures/vae16/samples.png").write_bytes(b"")
    (copy / "reports/figures/vae2/samples.png").unlink()


def delete_many(copy: Path) -> None:
    for name in (*DELETED, *CODE, "requirements.txt"):
        (copy / name).unlink()


DELETED = [
    *("reports/index.html", "reports/compared/rate_distortion.png", "reports/curves.csv"),
    *("reports/classifier.json", "reports/metrics/ae2.json", "reports/figures/vae2/samples.png"),
]
CODE = ["src/mnist_vae/figures/palette.py", "stages/embed.py"]


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        text = (copy / name).read_text()
        assert old in text
        (copy / name).write_text(text.replace(old, new, 1))

    return change


def plant_what_dvc_does_not_see(copy: Path) -> None:
    for change in (
        replace("requirements.txt", "\ntorch==", "\ntorch==9"),
        replace("dvc.yaml", "      desc: Draw the", "      frozen: true\n      desc: Draw the"),
        touch_code("src/mnist_vae/figures/style.py"),
        replace("README.md", "squared errors are ", "squared errors are 9"),
        replace("README.md", "MIT licence.", "MIT licence, 5.5 times."),
        replace("reports/benchmark.json", '"gflops_float32": ', '"gflops_float32": 9'),
        lambda copy: (copy / CHART).write_text("{broken"),
        replace("src/mnist_vae/nets/__init__.py", "\n", "\nimport os\n"),
        replace(
            "src/mnist_vae/seeds.py", "import numpy", "from .figures import style\nimport numpy"
        ),
        lambda copy: (copy / "versions/numpy").write_text("0.1\n"),
        lambda copy: (copy / ORPHAN).write_text("{}\n"),
    ):
        change(copy)


ORPHAN = "reports/metrics/vae9.json"
CHART = ".dvc/plots/models.json"

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
            *("studies/dvc.yaml:summarize@notebook: ", "`dvc repro -s studies/dvc.yaml:summ"),
        ],
    ),
    "deleted": (
        delete_many,
        [
            *(f"output {re.sub(r'/[a-z_]+[.]png$', '', name)} (" for name in DELETED),
            *(f"file {name} (deleted)" for name in CODE),
            *("too many: src/mnist_vae/figures/palette.py", "stages/embed.py is not there"),
            "requirements.txt: not found",
        ],
    ),
    "what DVC does not see": (
        plant_what_dvc_does_not_see,
        [
            "versions/torch: not what requirements.txt pins",
            "versions/numpy: not what requirements.txt pins",
            " is installed, 0.1 is pinned",
            *("dvc.yaml: draw is frozen", "src/mnist_vae/nets/__init__.py"),
            "missing: src/mnist_vae/figures/palette.py",  # by a relative import
            f"of no model or grid in params.yaml: {ORPHAN}: make prune",
            *("README.md:", " by study.main.vae.16", "5.5 is in no piece of"),
            *("by benchmark.machine.gflops_float32", f"{CHART}: no JSON: "),
        ],
    ),
    "a number of the study": (
        replace("reports/study/notebook/trainings.csv", ",66.89,", ",68.89,"),
        [
            "run `make study-notebook` and commit",
            "study@notebook: output reports/study/notebook/trainings.csv (modified)",
            "summarize@notebook: file reports/study/notebook/trainings.csv (modified)",
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
    folders = ("*.*", "reports/**/*.*", "s*/**/*.py", "versions/*", ".dvc/plots/*")
    copied = [path for folder in folders for path in clone.glob(folder)]
    with restored(*filter(Path.is_file, copied)):
        change(clone)
        done = gate(clone)
    (clone / ORPHAN).unlink(missing_ok=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for text in named:
        assert text in done.stderr

"""A whole study on real workers: of this machine and of Dask, killed and started again."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import psutil
import pytest
from distributed import Client
from joblib.externals.loky.process_executor import TerminatedWorkerError
from support.project import edit
from support.studies import (
    TABLE,
    TRIALS,
    dask_cluster,
    ended,
    project_of_study,
    results,
    study,
    until,
)

from mnist_vae.errors import InputError
from mnist_vae.files import trials as table
from mnist_vae.nets.model import ModelSettings
from mnist_vae.study import run as module
from mnist_vae.study.grid import Trial
from mnist_vae.study.trial import Result, _code_digest

VAE = "mnist_vae.nets.vae"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_of_study(tmp_path / "project")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a study that one process ran, undisturbed."""
    alone = project_of_study(tmp_path_factory.mktemp("alone"))
    assert ended(study(alone, MNIST_VAE_WORKERS="1"))[0] == 0
    columns = table.read(alone / TABLE)
    assert len(columns["seed"]) == TRIALS
    assert len(set(columns["squared_error"].tolist())) == TRIALS
    return (alone / TABLE).read_bytes()


def some_results(project: Path) -> bool:
    return 1 <= len(results(project)) < TRIALS


def processes_in(project: Path, name: str) -> list[psutil.Process]:
    """Processes at work in a project whose command line holds a word."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == project and name in " ".join(process.cmdline()):
                found.append(process)
    return found


def test_workers_of_this_machine_give_the_same_bytes(project: Path, expected: bytes) -> None:
    code, out, err = ended(study(project, MNIST_VAE_WORKERS="2"))
    assert (code, err) == (0, "")
    assert f"study main: {TRIALS}/{TRIALS}, " in out
    assert (project / TABLE).read_bytes() == expected

    before = results(project)
    assert len(before) == TRIALS
    (project / TABLE).unlink()
    code, out, err = ended(study(project, MNIST_VAE_WORKERS="2"))
    assert (code, err) == (0, "")
    assert f"study main: {TRIALS} of {TRIALS} results were there already" in out
    assert (project / TABLE).read_bytes() == expected
    assert results(project) == before


def test_a_worker_that_dies_is_replaced(project: Path, expected: bytes) -> None:
    running = study(project, MNIST_VAE_WORKERS="2")
    until(lambda: some_results(project))
    processes_in(project, "popen_loky_posix --process-name")[0].kill()
    kept = results(project)
    code, out, _ = ended(running)
    assert code == 0
    assert "study main: a worker died" in out
    assert (project / TABLE).read_bytes() == expected
    assert kept.items() <= results(project).items()


def test_a_killed_study_goes_on_where_it_was(project: Path, expected: bytes) -> None:
    running = study(project, MNIST_VAE_WORKERS="2")
    until(lambda: some_results(project))
    running.kill()
    kept = results(project)  # of then, or of a worker's last breath
    for worker in processes_in(project, "loky"):
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    code, _, err = ended(running)
    assert code == -signal.SIGKILL
    assert "Traceback" not in err
    assert not (project / TABLE).exists()
    assert len(kept) < TRIALS

    code, out, _ = ended(study(project, MNIST_VAE_WORKERS="2"))
    assert code == 0
    assert "results were there already" in out
    assert (project / TABLE).read_bytes() == expected
    assert kept.items() <= results(project).items()


def test_a_dask_cluster_gives_the_same_bytes_though_a_worker_dies(
    project: Path, tmp_path: Path, expected: bytes
) -> None:
    with dask_cluster(project, tmp_path) as (address, workers):
        running = study(project, MNIST_VAE_SCHEDULER=address)
        until(lambda: some_results(project))
        for child in psutil.Process(workers[0].pid).children(recursive=True):
            child.kill()  # its nanny starts another
        code, _, err = ended(running)
        assert code == 0, err
        assert (project / TABLE).read_bytes() == expected

        edit(project / "params.yaml", lambda tree: tree.update(seed=1))  # which it does not read
        assert ended(study(project, MNIST_VAE_SCHEDULER=address))[0] == 0
        with Client(address, set_as_default=False) as client:
            client.run(_code_digest, VAE)  # which one that started last may not have looked at yet
        changed = project / "src/mnist_vae/nets/vae.py"
        changed.write_text(changed.read_text() + "# changed\n")
        code, _, err = ended(study(project, MNIST_VAE_SCHEDULER=address))
        assert code == 1
        assert f"error: {VAE}: a worker has other code than the study" in err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WORKERS", "0", "found '0', must be a whole number from 1 to 9999"),
        ("WORKERS", "many", "found 'many', must be a whole number"),
        ("SCHEDULER", "nonsense", "no scheduler at 'nonsense'"),
        ("SCHEDULER", "foo://host:1", "no scheduler at 'foo://host:1'"),
        ("SCHEDULER", "tcp://127.0.0.1:9", "no scheduler at 'tcp://127.0.0.1:9'"),
    ],
)
def test_workers_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"MNIST_VAE_{name}", value)
    monkeypatch.setattr(module, "PATIENCE", 1)
    with pytest.raises(InputError, match=message), module._workers():
        pass


class Dying:
    """In place of joblib.Parallel: workers that die behind so many results, again and again."""

    results: Iterator[list[Result]]

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, _: object) -> Iterator[Result]:
        yield from next(self.results)
        raise TerminatedWorkerError


def result(seed: int, found: bool = False) -> Result:
    trial = Trial("ae", ModelSettings(kind="ae", latent_dim=2), seed)
    return Result(trial, {}, {"train": 1.0}, found)


def test_workers_that_go_on_dying_end_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """But only where nothing is finished in between: what was there already does not count."""
    again = [result(0, found=True)]
    Dying.results = iter([[], [], [result(0)], again, again, again])
    monkeypatch.setattr(joblib, "Parallel", Dying)
    wanted = [result(seed).trial for seed in range(3)]
    with pytest.raises(InputError, match="study x: 3 workers died without finishing a training"):
        module.run_all(wanted, None, "x")  # type: ignore[arg-type]
    assert len(list(Dying.results)) == 1  # two without any result, one with, then three deaths


def test_time_left_is_that_of_what_was_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 11.0, 150.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    with module._Progress("main", 6) as progress:
        for each in (result(0, found=True), result(1), result(2, found=True), result(3)):
            progress.add(each)
    assert capsys.readouterr().out.splitlines() == [
        "study main: 2/6, ae-2d-seed1, 0:40 min left",  # four more, 10 s each
        "study main: 4/6, ae-2d-seed3, 2:30 min left",  # two more, 75 s each
        "study main: 2 of 4 results were there already",
    ]

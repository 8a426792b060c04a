"""Nothing runs what it reads, or takes more memory; the tests that docs/ names exist."""

from __future__ import annotations

import ast
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.project import ROOT, environment, run, tracked_copy

from mnist_vae.data import archives, fetch, npz, pictures

SOURCES = [
    path
    for top in ("src", "stages", "tests", "benchmarks", "tools")
    for path in ROOT.glob(f"{top}/**/*.py")
]

# --- Nothing that is read is run ------------------------------------------------------------------

RUN_WHAT_THEY_READ = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve"),
    *("joblib.load", "joblib.dump", "joblib.numpy_pickle"),
    *("torch.load", "torch.jit.load", "torch.hub", "torch.package", "pandas.read_pickle"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.full_load_all"),
    *("yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.Loader", "yaml.UnsafeLoader"),
    *("eval", "exec", "builtins.eval", "builtins.exec", "__import__", "importlib.import_module"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
}


class Audit(ast.NodeVisitor):
    """Collects what in a source file could run data, under whatever name it was imported."""

    def __init__(self, source: str) -> None:
        self.found: list[str] = []
        self.imported: dict[str, str] = {}
        self.safe_loaders = {"yaml.SafeLoader", "yaml.CSafeLoader"}
        self.visit(ast.parse(source))

    def name(self, node: ast.AST | None) -> str:
        """The full dotted name of an expression, or nothing."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self.name(node.value)}.{node.attr}"
        return ""

    def check(self, name: str) -> None:
        parts = name.split(".")
        if RUN_WHAT_THEY_READ & {".".join(parts[:end]) for end in range(1, len(parts) + 1)}:
            self.found.append(name)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.check(alias.name)
            if alias.asname:
                self.imported[alias.asname] = alias.name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            self.check(f"{node.module}.{alias.name}")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if [self.name(base) for base in node.bases if self.name(base) in self.safe_loaders]:
            self.safe_loaders.add(node.name)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = self.name(node.func)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        for switch in {"shell", "allow_pickle"} & given.keys():
            value = given[switch]
            if not (isinstance(value, ast.Constant) and value.value is False):
                self.found.append(f"{name}({switch})")
        if name == "numpy.load" and (len(node.args) > 2 or None in given):
            self.found.append(name)
        loader = self.name(given.get("Loader", node.args[-1] if len(node.args) == 2 else None))
        if name in ("yaml.load", "yaml.load_all") and loader in self.safe_loaders:
            for argument in [*node.args, *given.values()]:
                self.visit(argument)
        else:
            self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.check(self.name(node))
        self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        self.check(self.name(node))


@pytest.mark.parametrize(
    "source",
    [
        "import yaml; yaml.safe_load(text)",
        "import yaml; yaml.load(text, yaml.SafeLoader); yaml.load(text, Loader=yaml.CSafeLoader)",
        "import yaml\nclass Strict(yaml.SafeLoader): pass\nyaml.load(text, Strict)",
        "import numpy as np; np.load(path); np.load(path, allow_pickle=False)",
        "import torch; torch.save(x, path); model.eval(); weights.load(path)",
        "import subprocess; subprocess.run(['ls'], shell=False)",
        "import json, re; json.load(file); re.compile('x'); cursor.exec(x)",
        "from safetensors import safe_open; safe_open(path, framework='numpy')",
    ],
)
def test_what_reads_data_as_data_passes(source: str) -> None:
    assert Audit(source).found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import cPickle as safe",
        "from pickle import loads",
        "def f():\n    import dill",
        "import joblib.numpy_pickle",
        "import shelve, marshal",
        "import torch; torch.load(path)",
        "import torch; torch.load(path, weights_only=True)",
        "import torch as t; read = t.load",
        "from torch import load as read; read(path)",
        "import torch.hub",
        "import pandas as pd; pd.read_pickle(path)",
        "import yaml; yaml.load(text)",
        "import yaml; yaml.load(text, yaml.Loader)",
        "import yaml; yaml.load(text, Loader=yaml.FullLoader)",
        "import yaml\nclass Loose(yaml.UnsafeLoader): pass\nyaml.load(text, Loose)",
        "import yaml; yaml.load(text, Loader=given)",
        "import yaml as y; y.unsafe_load(text)",
        "from yaml import full_load; full_load(text)",
        "from yaml import load; load(text)",
        "import yaml; list(map(yaml.load_all, files))",
        "import numpy as np; np.load(path, allow_pickle=True)",
        "import numpy as np; np.load(path, allow_pickle=trusted)",
        "import numpy as np; np.load(path, None, True)",
        "import numpy as np; np.load(path, **options)",
        "from numpy import load; load(path, None, True)",
        "from numpy.lib import format; format.read_array(file, allow_pickle=True)",
        "eval(text)",
        "exec(text)",
        "run = exec",
        "import builtins; builtins.eval(text)",
        "import os; os.system(text)",
        "from os import popen; popen(text)",
        "import subprocess; subprocess.run(text, shell=True)",
        "import subprocess; subprocess.Popen(text, shell=maybe)",
        "import subprocess; subprocess.getoutput(text)",
        "__import__('pickle').loads(data)",
        "import importlib; importlib.import_module(name)",
    ],
)
def test_what_could_run_data_is_found(source: str) -> None:
    assert Audit(source).found != []


def test_the_sources_are_those_of_the_whole_project() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in SOURCES}
    assert names >= {
        *("src/mnist_vae/settings.py", "src/mnist_vae/files/store.py", "stages/train.py"),
        *("tools/check_lock.py", "benchmarks/bench.py", "tests/support/host.py"),
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_can_run_what_it_reads(path: Path) -> None:
    assert Audit(path.read_text()).found == []


# --- Nothing takes more room than it has ----------------------------------------------------------


def test_nothing_is_allocated_for_a_boastful_header(tmp_path: Path) -> None:
    for name, offsets in (("data", [0, 2**32]), ("shape", [0, 4])):
        header = {"a": {"dtype": "U8", "shape": [2**32], "data_offsets": offsets}}
        text = json.dumps(header).encode()
        (tmp_path / name).write_bytes(struct.pack("<Q", len(text)) + text)
    (tmp_path / "header").write_bytes(struct.pack("<Q", 2**32) + b"{}")
    names = ("data", "shape", "header")
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from mnist_vae.errors import InputError
from mnist_vae.files import store
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
try:
    np.empty(2**32, np.uint8)
except MemoryError:
    print("4 GiB are out of reach")
for name in sys.argv[1:]:
    try:
        store.read_arrays(Path(name), "latents")
    except InputError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *names],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment(ROOT),
    )
    begun = [line.split(",")[0] for line in done.stdout.splitlines()]
    assert begun == ["4 GiB are out of reach", *(f"{name}: damaged" for name in names)]


# --- What is promised -----------------------------------------------------------------------------

DOCS = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", DOCS))))
def test_the_tests_that_are_named_exist(name: str) -> None:
    assert any(f"def {name}(" in path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\btests/[\w/]*\w(?:\.py)?", DOCS))))
def test_the_files_of_tests_that_are_named_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_limits_that_are_named_are_those_of_the_code() -> None:
    page = (ROOT / "docs/security.md").read_text()
    limits = page[page.index("## What is killed in time") : page.index("## Nothing that is read")]
    mib, archive, pixels = 2**20, fetch.READ_LIMITS, Image.MAX_IMAGE_PIXELS
    assert archive["t"] == fetch.READ_SECONDS
    for row, said in {
        "a download": f"{fetch.IMPORT_SECONDS} s more",
        "a download,": f"over {fetch.DOWNLOAD_LIMIT // mib} MiB",
        "an archive": f"killed after {fetch.READ_SECONDS} s",
        "an archive:": f"{archive['v'] / mib:g} GiB; {archives.ARCHIVE_LIMIT // mib} MiB unpacked, "
        f"{archives.MEMBER_LIMIT:,} members",
        "an .npz": f"at most {npz.DEFLATE_RATIO:,} times",
        "pictures": f"at most {pictures.FILE_LIMIT // mib} MiB and {pixels:,} pixels",
    }.items():
        (line,) = re.findall(rf"^\| {re.escape(row)}.*$", limits, re.MULTILINE)
        assert said in line


# --- DVC's own state ------------------------------------------------------------------------------


def test_make_puts_what_dvc_unpickles_where_nobody_else_can_write(tmp_path: Path) -> None:
    copy = tracked_copy(tmp_path / "a b")
    (copy / ".venv").symlink_to(sys.prefix)

    def state_of_dvc(project: Path) -> Path:
        """Where DVC says that it is, in a subfolder; it makes a folder that is not there."""
        ask = "from dvc.repo import Repo; print(Repo().site_cache_dir)"
        env = environment(project)
        del env["DVC_SITE_CACHE_DIR"]
        done = subprocess.run(
            [sys.executable, "-c", ask],
            cwd=project / "studies",
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(done.stdout.strip())

    def check(project: Path) -> None:
        done = run(project, "make", "state")
        assert done.returncode == 0, done.stderr
        state = project / ".dvc/tmp/site"
        assert state_of_dvc(project).is_relative_to(state)
        assert state.stat().st_mode & 0o777 == 0o700

    assert run(copy, "make", "state").returncode == 0
    assert run(copy, "git", "check-ignore", ".dvc/config.local").returncode == 0
    moved = copy.rename(tmp_path / "ä, moved")
    check(moved)
    assert not copy.exists()
    (moved / ".dvc/config.local").unlink()
    check(moved)
    shutil.rmtree(moved / ".dvc/tmp/site")
    assert state_of_dvc(moved).parents[1].stat().st_mode & 0o777 == 0o777  # DVC's own doing
    check(moved)


def test_what_runs_dvc_puts_its_state_there_first() -> None:
    targets = run(ROOT, "make", "--print-data-base", "--dry-run", "--question", "help").stdout
    for name in ("reproduce", "study", "study-notebook", "test", "torture", "check-lock", "prune"):
        assert re.search(f"^{name}:.* state( |$)", targets, re.MULTILINE)
        assert re.search("^state: writable", targets, re.MULTILINE)


# --- What comes from outside into CI --------------------------------------------------------------


def test_actions_and_uv_are_pinned() -> None:
    workflows = [path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")]
    used = re.findall(r"uses: (\S+)", "\n".join(workflows))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
    makefile = (ROOT / "Makefile").read_text()
    (expression,) = re.findall(r"<\(sed -n '(.*)' requirements.txt\)", makefile)
    pinned = run(ROOT, "sed", "-n", expression.replace("$$", "$"), "requirements.txt").stdout
    assert re.fullmatch(r"uv==[\d.]+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", pinned)
    assert "--require-hashes" in makefile

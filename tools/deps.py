"""Write the code deps of dvc.yaml, and of studies/dvc.yaml, from what the stages import.

Usage: python tools/deps.py [--check]

The code deps of a stage are its script and every module of the project that the script imports,
directly or through others, together with the templates that these modules read. Where a module
names the script of another stage in a string, what it says of that stage depends on all its code
too. Of other people's code it is the versions: a file for each package that decides results, in
versions/, written here from requirements.txt. So another torch runs what imports torch again, and
another pytest runs nothing. They follow the data deps, in alphabetical order; everything else in
the files stays as it is. With --check nothing is written: each stage whose code deps are wrong gets
one line, and so does each wrong version; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ends
import yaml

ROOT = Path(__file__).resolve().parents[1]
PIPELINES = ("dvc.yaml", "studies/dvc.yaml")
SEARCH_PATH = ("stages", "src")  # what a stage's sys.path holds of this project
TEMPLATES = "templates"
"""A module whose source names this folder depends on every file of it, beside the module."""
VERSIONS = "versions"
"""As above, but in the project's top folder."""
SCRIPT = re.compile(r"stages/\w+\.py")
PACKAGES = {  # what computes or draws something of a result, by the name that is imported
    "PIL": "pillow",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "openTSNE": "opentsne",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
}


# --- What a stage imports -------------------------------------------------------------------------


def code_deps(command: str, root: Path = ROOT) -> list[str]:
    """Paths below ``root``, sorted, of the code that a stage's command runs, versions included.

    Raises ValueError where the command runs no script of stages/, or one that is not there.
    """
    scripts = [root / name for name in re.findall(rf"\b{SCRIPT.pattern}\b", command)]
    if not scripts:
        raise ValueError(f"the command {command!r} runs no script of stages/")
    if missing := [script for script in scripts if not script.is_file()]:
        raise ValueError(f"{missing[0].relative_to(root)} is not there")
    # With each file, whether what its functions import counts. It does not for an __init__.py that
    # runs only because a module of its package is imported: nobody calls a function of it.
    queue = [(script, True) for script in scripts]
    reached: set[tuple[Path, bool]] = set()
    deps: set[Path] = set()
    while queue:
        file, functions_too = queue.pop()
        if (file, functions_too) in reached:
            continue
        reached.add((file, functions_too))
        source = _read(file.read_text(encoding="utf-8"))
        if file.name != "__init__.py" or source.holds_code:
            deps.add(file)
        deps.update(_templates(file, source, root))
        queue += [(root / word, True) for word in source.words if SCRIPT.fullmatch(word)]
        for name in _imported_names(file, source, functions_too, root):
            if package := PACKAGES.get(name.split(".")[0]):
                deps.add(root / VERSIONS / package)
            target = _source(name, root) or _source(name.rpartition(".")[0], root)
            if target:
                queue.append((target, True))
            packages = name.split(".")[:-1]
            for end in range(1, len(packages) + 1):
                init = _source(".".join(packages[:end]), root)
                if init and init != target:
                    queue.append((init, False))
    return sorted(path.relative_to(root).as_posix() for path in deps)


def _source(name: str, root: Path) -> Path | None:
    """The file of a module or package of this project, by its dotted name."""
    for folder in SEARCH_PATH if name else ():
        path = root / folder / name.replace(".", "/")
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


class Source(NamedTuple):
    """What a file's syntax tree says of what it depends on."""

    holds_code: bool
    """Whether it holds more than a docstring."""
    words: tuple[str, ...]
    """All strings."""
    imports: dict[bool, list[ast.Import | ast.ImportFrom]]
    """Imports that are run when it is, and those in functions too (True)."""


@functools.cache
def _read(text: str) -> Source:
    tree = ast.parse(text)
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    imports = {
        functions_too: [
            node
            for node in _nodes(tree, functions_too)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        for functions_too in (False, True)
    }
    holds_code = len(tree.body) > (ast.get_docstring(tree) is not None)
    return Source(holds_code, tuple(x for x in constants if isinstance(x, str)), imports)


def _imported_names(file: Path, source: Source, functions_too: bool, root: Path) -> Iterator[str]:
    """Dotted names that a file imports: modules, and names that may be modules of a package."""
    for node in source.imports[functions_too]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            origin = node.module or ""
            if node.level:
                package = file.parents[node.level - 1].relative_to(root / "src")
                origin = ".".join([*package.parts, *filter(None, [origin])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _nodes(tree: ast.AST, functions_too: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # never run
        if functions_too or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _nodes(node, functions_too)


def _templates(file: Path, source: Source, root: Path) -> Iterator[Path]:
    named = {word.split("/")[0] for word in source.words}
    for folder in (file.parent / TEMPLATES, root / VERSIONS):
        if folder.name in named:
            yield from (path for path in folder.rglob("*") if path.is_file())


# --- What dvc.yaml says ---------------------------------------------------------------------------


def is_code(dep: str) -> bool:
    """Whether a dep is code, which this tool writes, and no data."""
    return dep.startswith(("src/", "stages/", f"{VERSIONS}/"))


def differences(root: Path = ROOT) -> list[str]:
    """One line for each stage whose code deps are not what it imports, and each wrong version."""
    lines = [line for pipeline in pipelines(root) for line in _differences(root, pipeline)]
    try:
        wanted = {root / VERSIONS / name: text for name, text in versions(root).items()}
    except ValueError as error:
        return [*lines, str(error)]
    there = {path: path.read_text(encoding="utf-8") for path in (root / VERSIONS).glob("*")}
    return lines + [
        f"{path.relative_to(root)}: not what requirements.txt pins: run make deps"
        for path in sorted(wanted.keys() | there.keys())
        if wanted.get(path) != there.get(path)
    ]


def versions(root: Path = ROOT) -> dict[str, str]:
    """What requirements.txt pins of each package that decides results, as its file has it.

    It may pin several, each for other Pythons. Raises ValueError for a package that it lacks.
    """
    try:
        lock = (root / "requirements.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError("requirements.txt: not found; make lock makes it") from None
    found = {}
    for package in PACKAGES.values():
        pins = re.findall(rf"^{re.escape(package)}==([^\s;\\]+)", lock, re.MULTILINE)
        if not pins:
            raise ValueError(f"requirements.txt: no version of {package}; make lock makes it anew")
        found[package] = f"{' or '.join(dict.fromkeys(pins))}\n"
    return found


def write_versions(root: Path = ROOT) -> None:
    """Write a file for each package that decides results, and remove what else is in versions/."""
    texts = {root / VERSIONS / name: text for name, text in versions(root).items()}
    (root / VERSIONS).mkdir(exist_ok=True)
    for path in {*(root / VERSIONS).glob("*")} - texts.keys():
        path.unlink()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def pipelines(root: Path = ROOT) -> list[str]:
    """The files of stages that there are."""
    return [pipeline for pipeline in PIPELINES if (root / pipeline).is_file()]


def _differences(root: Path, pipeline: str) -> list[str]:
    lines = []
    for stage, command, deps in _stages((root / pipeline).read_text(encoding="utf-8")):
        declared = {dep.value for dep in deps.value if is_code(dep.value)}
        try:
            imported = set(code_deps(command, root))
        except ValueError as error:
            lines.append(f"{pipeline}: {stage}: {error}")
            continue
        faults = [
            f"{fault}: {' '.join(sorted(paths))}"
            for fault, paths in (
                ("missing", imported - declared),
                ("too many", declared - imported),
            )
            if paths
        ]
        if faults:
            lines.append(
                f"{pipeline}: the code deps of {stage} differ from its imports "
                f"({', '.join(faults)}): run make deps"
            )
    return lines


def rewrite(root: Path = ROOT, pipeline: str = PIPELINES[0]) -> str:
    """The text of a dvc.yaml with the code deps that each stage imports, all else as it was."""
    text = (root / pipeline).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    for _, command, deps in reversed(list(_stages(text))):  # from below: line numbers stay true
        numbers = [dep.start_mark.line for dep in deps.value]
        code = [n for n, dep in zip(numbers, deps.value, strict=True) if is_code(dep.value)]
        data = [n for n in numbers if n not in code]
        start, end = numbers[0], numbers[-1] + 1
        # The new code deps stand where code began, but behind all data.
        place = max([*code[:1], *(n + 1 for n in data[-1:])])
        before = [lines[n] for n in range(start, place) if n not in code]
        after = [lines[n] for n in range(place, end) if n not in code]
        indent = " " * deps.start_mark.column
        written = [f"{indent}- {path}\n" for path in code_deps(command, root)]
        lines[start:end] = [*before, *written, *after]
    return "".join(lines)


def _stages(text: str) -> Iterator[tuple[str, str, yaml.SequenceNode]]:
    """Name, command and list of deps of each stage, the list with its place in the text.

    Raises ValueError for a file that is no pipeline, and for deps that are not a line each.
    """
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    for stage, node in _mapping(_mapping(tree).get("stages")).items():
        entry = _mapping(node)
        entry = _mapping(entry["do"]) if "do" in entry else entry
        command, deps = entry.get("cmd"), entry.get("deps")
        if not isinstance(command, yaml.ScalarNode):
            raise ValueError(f"{stage}: its cmd must be one command")
        if not isinstance(deps, yaml.SequenceNode) or deps.flow_style:
            raise ValueError(f"{stage}: its deps must be a list with a line for each")
        yield stage, command.value, deps


def _mapping(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise ValueError("must be a mapping of stages, each a mapping of its keys")
    return {key.value: value for key, value in node.value}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which stages are wrong")
    try:
        if parser.parse_args().check:
            wrong = differences()
            print("".join(f"{line}\n" for line in wrong), end="", file=sys.stderr)
            return int(bool(wrong))
        write_versions()
        for pipeline, text in {name: rewrite(ROOT, name) for name in pipelines()}.items():
            (ROOT / pipeline).write_text(text, encoding="utf-8")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    ends.run(main)

"""Settings: each type with what it takes and what it refuses, keys, and any file at all."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import parse_yaml
from msgspec import Meta
from support.project import ROOT

from mnist_vae.errors import InputError
from mnist_vae.settings import Fraction, Seed, Settings, check, read_params


class Optics(Settings, frozen=True, kw_only=True):
    """A section with settings of every kind."""

    name: str
    coating: Literal["none", "single"] = "none"
    lenses: Annotated[int, Meta(ge=1, le=8)]
    focus: Annotated[float, Meta(gt=0)]
    filters: tuple[Annotated[int, Meta(ge=0, le=9)], ...] = ()
    gain: Annotated[float, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        if len(self.filters) > self.lenses:
            raise ValueError("more filters than lenses")


class Camera(Settings, frozen=True, kw_only=True):
    """A section of sections."""

    optics: Optics | None = None
    spare: dict[str, Optics]


OPTICS: dict[Any, Any] = {"name": "wide", "lenses": 2, "focus": 0.5}
WIDE = Optics(name="wide", lenses=2, focus=0.5)
FULL = {**OPTICS, "filters": [0, 9], "gain": 0, "coating": "single"}
Write = Callable[[str | bytes], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Write a params file and return its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "params.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        (True, bool, True),
        (-(2**70), int, -(2**70)),
        (0.5, float, 0.5),
        (3, float, 3.0),
        (10**308, float, 1e308),
        ("", str, ""),
        ("b", Literal["a", "b"], "b"),
        (None, int | None, None),
        (3, int | None, 3),
        ([], tuple[int, ...], ()),
        ([1, 2], tuple[int, ...], (1, 2)),
        ((1, "a"), tuple[int, str], (1, "a")),
        ({}, dict[str, int], {}),
        ({"a": OPTICS}, dict[str, Optics], {"a": WIDE}),
        ({"a": [{"b": None}]}, dict[str, object], {"a": [{"b": None}]}),
        (1, Annotated[int, Meta(ge=1, le=3)], 1),
        (3, Annotated[int, Meta(ge=1, le=3)], 3),
        (1e-300, Annotated[float, Meta(gt=0)], 1e-300),
        (2**32 - 1, Seed, 2**32 - 1),
        (0, Fraction, 0.0),
        (1, Fraction, 1.0),
        (OPTICS, Optics, WIDE),
        ({**OPTICS, "gain": None}, Optics, WIDE),
        (
            FULL,
            Optics,
            msgspec.structs.replace(WIDE, filters=(0, 9), gain=0.0, coating="single"),
        ),
        ({"optics": OPTICS, "spare": {}}, Camera, Camera(optics=WIDE, spare={})),
    ],
)
def test_takes(value: Any, kind: Any, result: Any) -> None:
    checked = check(value, kind, "key")
    assert checked == result
    assert type(checked) is type(result)


MAPPING = "must be a mapping of keys to values"


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (1, bool, "key: found 1, must be true or false"),
        (True, int, "key: found True, must be a whole number"),
        (3.0, int, "key: found 3.0, must be a whole number"),
        (None, int, "key: found nothing, must be a whole number"),
        (True, float, "key: found True, must be a finite number"),
        ("0.5", float, "key: found '0.5', must be a finite number"),
        ("\ud800", float, "key: found '\\ud800', must be a finite number"),
        (float("nan"), float, "key: found nan, must be a finite number"),
        (float("inf"), float, "key: found inf, must be a finite number"),
        (float("nan"), Fraction, "key: found nan, must be a finite number"),
        ([0.5, -float("inf")], tuple[float, ...], "key[1]: found -inf, must be a finite number"),
        (10**309, float, "key: found 1" + "0" * 56 + "..., must be a finite number"),
        (3, str, "key: found 3, must be text"),
        (b"raw", str, "key: found b'raw', must be text"),
        ("c", Literal["a", "b"], "key: found 'c', must be one of a, b"),
        (["a"], Literal["a", "b"], "key: found ['a'], must be one of a, b"),
        ("1", int | None, "key: found '1', must be a whole number"),
        (3, tuple[int, ...], "key: found 3, must be a list"),
        (b"ab", tuple[int, ...], "key: found b'ab', must be a list"),
        ([1, "2"], tuple[int, ...], "key[1]: found '2', must be a whole number"),
        ([1, 2], tuple[int, str], "key[1]: found 2, must be text"),
        ([1], tuple[int, str], "key: found 1 values, must be 2"),
        ([1, "a", "b"], tuple[int, str], "key: found 3 values, must be 2"),
        ([1], dict[str, int], f"key: found [1], {MAPPING}"),
        ({"a": "b"}, dict[str, int], "key.a: found 'b', must be a whole number"),
        ({1: 2}, dict[str, int], "key: a key: found 1, must be text"),
        (0, Annotated[int, Meta(ge=1, le=3)], "key: found 0, must be from 1 to 3"),
        (4, Annotated[int, Meta(ge=1, le=3)], "key: found 4, must be from 1 to 3"),
        (0, Annotated[float, Meta(gt=0)], "key: found 0.0, must be above 0"),
        (0, Annotated[float, Meta(gt=0, le=2)], "key: found 0.0, must be above 0 to 2"),
        (-0.1, Annotated[float, Meta(ge=0)], "key: found -0.1, must be at least 0"),
        ("a", Annotated[str, Meta(min_length=2)], "key: Expected `str` of length >= 2"),
        (2**32, Seed, "key: found 4294967296, must be from 0 to 4294967295"),
        (None, Optics, f"key: found nothing, {MAPPING}"),
        ({**OPTICS, 1: 2}, Optics, "key: a key: found 1, must be text"),
        ({**OPTICS, "filters": [10]}, Optics, "key.filters[0]: found 10, must be from 0 to 9"),
        ({**OPTICS, "gain": -1}, Optics, "key.gain: found -1.0, must be at least 0"),
        ({**OPTICS, "filters": [1, 2, 3]}, Optics, "key: more filters than lenses"),
        ({**OPTICS, "lense": 2}, Optics, "key.lense: unknown key; did you mean lenses?"),
        (
            {**OPTICS, "xyz": 2},
            Optics,
            "key.xyz: unknown key; known keys: name, coating, lenses, focus, filters, gain",
        ),
        (
            {"name": "a", "lenses": 1},
            Optics,
            "key.focus: missing; key needs name, coating, lenses, focus, filters, gain",
        ),
        ({"optics": {**OPTICS, "lenses": 9}}, Camera, "key.optics.lenses: found 9, must be from"),
        ({"optics": OPTICS}, Camera, "key.spare: missing; key needs optics, spare"),
        (
            {"optics": OPTICS, "spare": {"a": OPTICS, "b": {**OPTICS, "filters": [1, 2, 3]}}},
            Camera,
            "key.spare.b: more filters than lenses",
        ),
    ],
)
def test_refuses(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        check(value, kind, "key")
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (0, Annotated[float, Meta(gt=0)], "key: found 0.0, must be above 0"),
        ("x" * 58, int, f"key: found '{'x' * 58}', must be a whole number"),
        ("x" * 59, int, f"key: found '{'x' * 56}..., must be a whole number"),
    ],
)
def test_whole_messages(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        check(value, kind, "key")
    assert str(error.value) == message


def test_shows_little_of_a_long_value() -> None:
    with pytest.raises(InputError) as error:
        check("x" * 10_000, int, "key")
    assert len(str(error.value)) < 120


def test_a_section_goes_out_and_comes_back() -> None:
    section = check(FULL, Optics, "key")
    assert check(msgspec.to_builtins(section), Optics, "key") == section
    assert check(msgspec.structs.asdict(section), Optics, "key") == section
    assert section != WIDE
    with pytest.raises(AttributeError):
        section.name = "narrow"


# --- Keys -----------------------------------------------------------------------------------------

TREE = """
recipe: fast
recipes:
  fast: {epochs: 3}
  slow: {epochs: 300}
seed: 7
wrong: 3
"""


@pytest.mark.parametrize(
    ("wanted", "values"),
    [
        ([("recipes.slow.epochs", int)], (300,)),
        ([("recipes.${recipe}", dict[str, int])], ({"epochs": 3},)),
        ([("recipes.${recipe}.epochs", int)], (3,)),
        ([("seed", int), ("recipe", str), ("seed", float)], (7, "fast", 7.0)),
    ],
)
def test_values_come_in_the_order_wanted(
    written: Write, wanted: list[tuple[str, Any]], values: tuple[Any, ...]
) -> None:
    assert read_params(*wanted, path=written(TREE)) == values


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sed", ": no key 'sed'; did you mean seed?"),
        ("zzz", ": no key 'zzz'; known keys: recipe, recipes, seed, wrong"),
        ("recipes.fats", ": recipes: no key 'fats'; did you mean fast?"),
        ("seed.x", f": seed: found 7, {MAPPING}"),
        ("recipes.${wrong}", ": wrong: found 3, must be text"),
        ("recipes.${missing}", ": no key 'missing'; known keys: recipe, recipes, seed, wrong"),
        ("recipes.slow.epochs", ": recipes.slow.epochs: found 300, must be text"),
    ],
)
def test_a_key_that_does_not_lead_to_the_value(written: Write, key: str, message: str) -> None:
    path = written(TREE)
    with pytest.raises(InputError) as error:
        read_params((key, str), path=path)
    assert str(error.value) == f"{path}{message}"


def test_a_key_of_nothing(written: Write) -> None:
    path = written("models: {}\n")
    with pytest.raises(InputError) as error:
        read_params(("models.vae9", int), path=path)
    assert str(error.value) == f"{path}: models: no key 'vae9'; known keys: none"


def test_a_recipe_that_does_not_exist(written: Write) -> None:
    path = written(TREE.replace("recipe: fast", "recipe: fsat"))
    with pytest.raises(InputError, match="recipes: no key 'fsat'; did you mean fast"):
        read_params(("recipes.${recipe}", dict[str, int]), path=path)


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        (
            "models.vae2.kl_weight=0.5",
            ["-     kl_weight: 0.0009765625", "+     kl_weight: 0.5"],
        ),
        (
            "+models.vae8={kind: ae, latent_dim: 8}",
            ["+   vae8:", "+     kind: ae", "+     latent_dim: 8"],
        ),
    ],
)
def test_an_experiment_changes_only_its_lines_of_the_file(
    tmp_path: Path, override: str, changed: list[str]
) -> None:
    """It is committed in the layout in which `dvc exp run -S` writes it."""
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text()
    path.write_text(before)
    apply_overrides(path, [override])
    lines = difflib.ndiff(before.splitlines(), path.read_text().splitlines())
    assert [line for line in lines if line[0] in "+-"] == changed


# --- Files ----------------------------------------------------------------------------------------


PLAIN = """
1:30 1:30.5 190:20:30 yes Yes NO on Off y n true TRUE false null Null ~ 010 -010 08 0o10 0o8 0b11
0b12 0x1F 0xFF_FF 0x +0x1f 1_000 1__0 _1 1_000.5 0 -0 00 +1 -5 1. 1.0 .5 -.5 +.5 1e-3 1E5 1e+3 1.5e3
12e03 -1_0.5e1 1e 1e3.5 1.2.3 . .inf -.INF +.inf .Inf inf nan 'yes' "1"
"""


@pytest.mark.parametrize("text", PLAIN.split())
def test_a_plain_value_is_to_stages_what_it_is_to_dvc(written: Write, text: str) -> None:
    """DVC reads YAML 1.2: a stage that read 1.1 would run with another value than DVC records."""
    content = f"a: {text}"
    (ours,) = read_params(("a", object), path=written(content))
    theirs = parse_yaml(content, "params.yaml")["a"]
    assert ours == theirs
    assert type(ours) is type(theirs)


def test_what_no_number_can_be_is_shown_as_it_was_written(written: Write) -> None:
    path = written("seed: 1:30\nskip: yes\nrate: .nan\n")
    for key, kind, message in (
        ("seed", Seed, "found '1:30', must be a whole number"),
        ("skip", bool, "found 'yes', must be true or false"),
        ("rate", Fraction, "found nan, must be a finite number"),
    ):
        with pytest.raises(InputError) as error:
            read_params((key, kind), path=path)
        assert str(error.value) == f"{path}: {key}: {message}"


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", f": found nothing, {MAPPING}"),
        ("# nothing but a comment", f": found nothing, {MAPPING}"),
        ("- 1\n- 2", f": found [1, 2], {MAPPING}"),
        ("plain", f": found 'plain', {MAPPING}"),
        ("1: 2", ": a key: found 1, must be text"),
        ("a: 1\n  b: 2", ": not valid YAML at line 2: mapping values are not allowed here"),
        ("a: [1", ": not valid YAML at line 1"),
        ("a: 1\n---\na: 2", ": not valid YAML at line 2"),
        ("a: 1\nb: 2\na: 3", ": not valid YAML at line 3: a second key a"),
        ("m:\n  a: {x: 1, x: 1}", ": not valid YAML at line 2: a second key x"),
        pytest.param("[" * 10_000, ": not valid YAML: nested too deeply", id="deep list"),
        pytest.param("{a: " * 10_000, ": not valid YAML: nested too deeply", id="deep mapping"),
        ("a: &x [*x]", ": not valid YAML at line 1: aliases such as *x are not read"),
        ("a: &x {y: 1}\nb: {<<: *x}", ": not valid YAML at line 2: aliases such as *x"),
        pytest.param(LAUGHS, ": not valid YAML at line 2: aliases such as *a0", id="laughs"),
        ("b: 1\na: !!int 1", ": not valid YAML at line 2: tags such as tag:yaml.org,2002:int are"),
        ("a: !metre 1", ": not valid YAML at line 1: tags such as !metre are not read"),
        ("a: 2024-13-01", ": a: found '2024-13-01', must be a whole number"),
        pytest.param("a: 1" + ":0" * 200 + ".5", ": a: found '1:0:0", id="base 60"),
        ("a: 0b_", ": not valid YAML: invalid literal for int"),
        ("<<: {a: 1}", ": no key 'a'"),
        pytest.param("a: " + "9" * 5000, ": not valid YAML", id="digits"),
        pytest.param("b: 0x" + "f" * 5000, ": not valid YAML", id="hexadecimal digits"),
        (b"\xff\xfe\x00a", ": not text in UTF-8"),
        (b"a: \0", ": not valid YAML"),
    ],
)
def test_a_file_that_is_no_params_file(written: Write, content: str | bytes, message: str) -> None:
    path = written(content)
    with pytest.raises(InputError) as error:
        read_params(("a", int), path=path)
    assert str(error.value).startswith(f"{path}{message}")


def test_what_is_wrong_is_told_without_the_text_around_it(written: Write) -> None:
    path = written("a: 1\n  b: 2")
    with pytest.raises(InputError) as error:
        read_params(("a", int), path=path)
    assert str(error.value).splitlines() == [
        f"{path}: not valid YAML at line 2: mapping values are not allowed here"
    ]


def test_a_tag_cannot_run_code(written: Write, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    path = written(
        "a: !!python/object/apply:pathlib.Path.touch "
        f"[!!python/object/apply:pathlib.PosixPath ['{target}']]\n"
    )
    with pytest.raises(InputError, match="not valid YAML at line 1: tags such as"):
        read_params(("a", int), path=path)
    assert not target.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(InputError) as error:
        read_params(("a", int), path=path)
    assert str(error.value) == f"{path}: not found; run from the project's top folder"
    with pytest.raises(InputError) as error:
        read_params(("a", int), path=tmp_path)
    assert str(error.value) == f"{tmp_path}: is a folder, must be a file"


def test_a_byte_order_mark_is_no_harm(written: Write) -> None:
    assert read_params(("a", int), path=written("\ufeffa: 1\r\n")) == (1,)


def test_reading_settings_needs_no_large_library() -> None:
    slow = {"torch", "numpy", "scipy", "matplotlib", "pandas", "sklearn"}
    code = f"import sys, mnist_vae.settings; print({slow} & set(sys.modules))"
    loaded = subprocess.check_output(
        [sys.executable, "-c", code],
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert loaded == "set()\n"

"""The params reader: each type with what it takes and what it refuses, and any file at all."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.params import Range


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optics:
    """Settings of every kind that the reader knows."""

    name: str
    lenses: Annotated[int, Range(1, 8)]
    focus: Annotated[float, Range(0, above=True)]
    coating: Literal["none", "single"] = "none"
    filters: tuple[Annotated[int, Range(0, 9)], ...] = ()
    gain: Annotated[float, Range(0)] | None = None

    def __post_init__(self) -> None:
        if len(self.filters) > self.lenses:
            raise ValueError("more filters than lenses")


OPTICS = {"name": "wide", "lenses": 2, "focus": 0.5}


@pytest.fixture
def written(tmp_path: Path) -> Any:
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
        (3, int, 3),
        (-(2**70), int, -(2**70)),
        (0.5, float, 0.5),
        (3, float, 3.0),
        (10**308, float, 1e308),
        ("text", str, "text"),
        ("", str, ""),
        ("b", Literal["a", "b"], "b"),
        (None, int | None, None),
        (3, int | None, 3),
        ([], tuple[int, ...], ()),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ({}, dict[str, int], {}),
        ({"a": 1}, dict[str, int], {"a": 1}),
        ({"a": OPTICS}, dict[str, Optics], {"a": Optics(**OPTICS)}),
        (1, Annotated[int, Range(1, 3)], 1),
        (3, Annotated[int, Range(1, 3)], 3),
        (1e-300, Annotated[float, Range(0, above=True)], 1e-300),
        (2**32 - 1, params.Seed, 2**32 - 1),
        (0, params.Fraction, 0.0),
        (1, params.Fraction, 1.0),
        (OPTICS, Optics, Optics(**OPTICS)),
        (
            {**OPTICS, "filters": [0, 9], "gain": 0, "coating": "single"},
            Optics,
            Optics(**OPTICS, filters=(0, 9), gain=0.0, coating="single"),
        ),
        ({**OPTICS, "gain": None}, Optics, Optics(**OPTICS)),
    ],
)
def test_takes(value: Any, kind: Any, result: Any) -> None:
    found = params.check(value, kind, "key")
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (1, bool, "key: found 1, must be true or false"),
        ("true", bool, "key: found 'true', must be true or false"),
        (True, int, "key: found True, must be a whole number"),
        (3.0, int, "key: found 3.0, must be a whole number"),
        (None, int, "key: found nothing, must be a whole number"),
        (True, float, "key: found True, must be a finite number"),
        ("0.5", float, "key: found '0.5', must be a finite number"),
        (float("nan"), float, "key: found nan, must be a finite number"),
        (float("inf"), float, "key: found inf, must be a finite number"),
        (10**309, float, "key: found 1000"),
        (3, str, "key: found 3, must be text"),
        (b"raw", str, "key: found b'raw', must be text"),
        ("c", Literal["a", "b"], "key: found 'c', must be one of a, b"),
        (1, Literal["a", "b"], "key: found 1, must be one of a, b"),
        ("1", int | None, "key: found '1', must be a whole number"),
        (3, tuple[int, ...], "key: found 3, must be a list"),
        ("ab", tuple[str, ...], "key: found 'ab', must be a list"),
        (b"ab", tuple[int, ...], "key: found b'ab', must be a list"),
        ([1, "2"], tuple[int, ...], "key[1]: found '2', must be a whole number"),
        ([1, 2], tuple[int, str], "key[1]: found 2, must be text"),
        ([1], tuple[int, str], "key: found 1 values, must be 2"),
        ([1, "a", "b"], tuple[int, str], "key: found 3 values, must be 2"),
        ([1], dict[str, int], "key: found [1], must be a mapping of keys to values"),
        ({"a": "b"}, dict[str, int], "key.a: found 'b', must be a whole number"),
        ({1: 2}, dict[str, int], "key: the key 1 must be text"),
        (0, Annotated[int, Range(1, 3)], "key: found 0, must be from 1 to 3"),
        (4, Annotated[int, Range(1, 3)], "key: found 4, must be from 1 to 3"),
        (0, Annotated[float, Range(0, above=True)], "key: found 0.0, must be greater than 0"),
        (0, Annotated[float, Range(0, 2, above=True)], "key: found 0.0, must be above 0 to 2"),
        (-0.1, Annotated[float, Range(0)], "key: found -0.1, must be at least 0"),
        (2**32, params.Seed, "key: found 4294967296, must be from 0 to 4294967295"),
        (1.001, params.Fraction, "key: found 1.001, must be from 0 to 1"),
        (None, Optics, "key: found nothing, must be a mapping of keys to values"),
        ({**OPTICS, "lenses": 9}, Optics, "key.lenses: found 9, must be from 1 to 8"),
        ({**OPTICS, "filters": [10]}, Optics, "key.filters[0]: found 10, must be from 0 to 9"),
        ({**OPTICS, "gain": -1}, Optics, "key.gain: found -1.0, must be at least 0"),
        ({**OPTICS, "filters": [1, 2, 3]}, Optics, "key: more filters than lenses"),
        ({**OPTICS, "lense": 2}, Optics, "key.lense: unknown key; did you mean lenses?"),
        ({**OPTICS, "xyz": 2}, Optics, "key.xyz: unknown key; known keys: name, lenses, focus"),
        ({"name": "a", "lenses": 1}, Optics, "key.focus: missing; key needs name, lenses, focus"),
    ],
)
def test_refuses(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check(value, kind, "key")
    assert str(error.value).startswith(message)


def test_shows_little_of_a_long_value() -> None:
    with pytest.raises(InputError) as error:
        params.check("x" * 10_000, int, "key")
    assert len(str(error.value)) < 120


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
    ("key", "kind", "value"),
    [
        ("seed", int, 7),
        ("recipes.slow.epochs", int, 300),
        ("recipes.${recipe}", dict[str, int], {"epochs": 3}),
        ("recipes.${recipe}.epochs", int, 3),
    ],
)
def test_finds(written: Any, key: str, kind: Any, value: Any) -> None:
    assert params.load((key, kind), path=written(TREE)) == (value,)


def test_values_come_in_the_order_wanted(written: Any) -> None:
    wanted = ("seed", int), ("recipe", str), ("seed", float)
    assert params.load(*wanted, path=written(TREE)) == (7, "fast", 7.0)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sed", ": no key 'sed'; did you mean seed?"),
        ("zzz", ": no key 'zzz'; known keys: recipe, recipes, seed, wrong"),
        ("recipes.fats", ": recipes: no key 'fats'; did you mean fast?"),
        ("seed.x", ": seed: found 7, must be a mapping of keys to values"),
        ("recipes.${wrong}", ": wrong: found 3, must be text"),
        ("recipes.${missing}", ": no key 'missing'; known keys: recipe, recipes, seed, wrong"),
        ("seed", ": seed: found 7, must be text"),
    ],
)
def test_a_key_that_does_not_lead_to_the_value(written: Any, key: str, message: str) -> None:
    path = written(TREE)
    with pytest.raises(InputError) as error:
        params.load((key, str), path=path)
    assert str(error.value) == f"{path}{message}"


def test_a_recipe_that_does_not_exist(written: Any) -> None:
    path = written(TREE.replace("recipe: fast", "recipe: fsat"))
    with pytest.raises(InputError, match="recipes: no key 'fsat'; did you mean fast"):
        params.load(("recipes.${recipe}", dict[str, int]), path=path)


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("1e-3", "1.0e-3"),
        ("1E5", "1.0e+5"),
        ("-2e07", "-2.0e+7"),
        ("1.5e3", "1.5e+3"),
        ("2.e-4", "2.e-4"),
    ],
)
def test_the_advice_about_powers_of_ten_is_right(written: Any, text: str, advice: str) -> None:
    if text != advice:
        with pytest.raises(InputError) as error:
            params.load(("a", float), path=written(f"a: {text}"))
        assert str(error.value).endswith(f"(YAML reads {text} as text; write {advice})")
    assert params.load(("a", float), path=written(f"a: {advice}")) == (float(text),)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 30)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": found nothing, must be a mapping"),
        ("# nothing but a comment", ": found nothing, must be a mapping"),
        ("- 1\n- 2", ": found [1, 2], must be a mapping"),
        ("plain", ": found 'plain', must be a mapping"),
        ("1: 2", ": the key 1 must be text"),
        ("a: 1\n  b: 2", ": not valid YAML at line 2"),
        ("a: [1", ": not valid YAML at line 1"),
        ("a: 1\n---\na: 2", ": not valid YAML at line 2"),
        ("a: 1\nb: 2\na: 3", ": not valid YAML at line 3: a second key a"),
        ("m:\n  a: {x: 1, x: 1}", ": not valid YAML at line 2: a second key x"),
        pytest.param("[" * 10_000, ": not valid YAML: nested too deeply", id="deep list"),
        pytest.param("{a: " * 10_000, ": not valid YAML: nested too deeply", id="deep mapping"),
        ("a: &x [1]\nb: *x", ": not valid YAML at line 2: aliases such as *x are not read"),
        ("a: &x [*x]", ": not valid YAML at line 1: aliases such as *x are not read"),
        pytest.param(
            LAUGHS, ": not valid YAML at line 2: aliases such as *a0 are not read", id="laughs"
        ),
        pytest.param(
            MERGES, ": not valid YAML at line 2: aliases such as *a0 are not read", id="merges"
        ),
        ("a: !!int ''", ": not valid YAML"),
        ("a: !!bool maybe", ": not valid YAML"),
        ("a: !!timestamp soon", ": not valid YAML"),
        ("a: 2024-13-01", ": not valid YAML"),
        pytest.param("a: 1" + ":0" * 200 + ".5", ": not valid YAML", id="base 60"),
        pytest.param("a: " + "9" * 5000, ": not valid YAML", id="digits"),
        pytest.param("b: 0x" + "f" * 5000, ": not valid YAML", id="hexadecimal digits"),
        (b"\xff\xfe\x00a", ": not text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ": not text in UTF-8"),
        (b"a: \0", ": not valid YAML"),
    ],
)
def test_a_file_that_is_no_params_file(written: Any, content: str | bytes, message: str) -> None:
    path = written(content)
    with pytest.raises(InputError) as error:
        params.load(("a", int), path=path)
    assert str(error.value).startswith(f"{path}{message}")


@pytest.mark.parametrize("content", [LAUGHS, MERGES], ids=["laughs", "merges"])
def test_a_small_file_does_not_fill_the_memory(written: Any, content: str) -> None:
    path = written(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            params.load(("a29", int), path=path)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "tag",
    ["object/apply:pathlib.Path.touch", "object/new:pathlib.Path.touch", "name:os.system"],
)
def test_a_tag_cannot_run_code(written: Any, tmp_path: Path, tag: str) -> None:
    target = tmp_path / "touched"
    path = written(f"a: !!python/{tag} [!!python/object/apply:pathlib.PosixPath ['{target}']]\n")
    with pytest.raises(InputError, match="not valid YAML at line 1: could not determine"):
        params.load(("a", int), path=path)
    assert not target.exists()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found; run from the project's top folder"):
        params.load(("a", int), path=tmp_path / "params.yaml")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, must be a file"):
        params.load(("a", int), path=tmp_path)


def test_a_byte_order_mark_is_no_harm(written: Any) -> None:
    assert params.load(("a", int), path=written("\ufeffa: 1\r\n")) == (1,)

"""A small strict reader of params.yaml: a key and a type in, a checked value out.

Types are what dataclass fields are annotated with: ``bool``, ``int``, ``float``, ``str``,
``Literal[...]``, ``X | None``, ``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]``, other
dataclasses, and ``Annotated[int, Range(1, 100)]`` where only a part of the type is allowed.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from yaml.composer import ComposerError

from mnist_vae.errors import InputError

PARAMS = Path("params.yaml")


@dataclasses.dataclass(frozen=True)
class Range:
    """Bounds of a number, both included unless ``above`` excludes the lower one."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"{'greater than' if self.above else 'at least'} {self.low:.15g}"
        return f"{'above' if self.above else 'from'} {self.low:.15g} to {self.high:.15g}"


Seed = Annotated[int, Range(0, 2**32 - 1)]
Fraction = Annotated[float, Range(0, 1)]
Digit = Annotated[int, Range(0, 9)]


def load(*wanted: tuple[str, Any], path: Path = PARAMS) -> tuple[Any, ...]:
    """Read and check the values at the given keys of a params file.

    Each of ``wanted`` is a dotted key and the type to hold it to. ``${name}`` inside a key stands
    for the string at the key ``name``, as in dvc.yaml: ``recipes.${recipe}`` is the recipe chosen.

    Raises InputError, naming the key, for an unknown or missing key, a wrong type, a value out of
    range, or a file that is not YAML.
    """
    tree = _read(path)

    def name(key: str) -> str:
        return str(check(_find(tree, key, path), str, f"{path}: {key}"))

    values = []
    for key, kind in wanted:
        key = re.sub(r"\$\{(.*?)\}", lambda m: name(m[1]), key)
        values.append(check(_find(tree, key, path), kind, f"{path}: {key}"))
    return tuple(values)


def check(value: Any, kind: Any, where: str) -> Any:
    """Return ``value`` as the type ``kind``, or raise InputError that names ``where``."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        value = check(value, args[0], where)
        for bounds in args[1:]:
            if value not in bounds:
                raise InputError(f"{where}: found {_show(value)}, must be {bounds}")
        return value
    if origin is Literal:
        if not isinstance(value, str) or value not in args:
            raise InputError(f"{where}: found {_show(value)}, must be one of {', '.join(args)}")
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return check(value, next(a for a in args if a is not type(None)), where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where}: found {_show(value)}, must be a list")
        kinds = args[:1] * len(value) if args[-1] is ... else args
        if len(value) != len(kinds):
            raise InputError(f"{where}: found {len(value)} values, must be {len(kinds)}")
        found = zip(value, kinds, strict=True)
        return tuple(check(v, one, f"{where}[{i}]") for i, (v, one) in enumerate(found))
    if origin is dict:
        return {k: check(v, args[1], f"{where}.{k}") for k, v in _mapping(value, where).items()}
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, where)
    return _scalar(value, kind, where)


def _build(kind: Any, value: Any, where: str) -> Any:
    value = _mapping(value, where)
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            raise InputError(f"{where}.{key}: unknown key{_near(key, fields)}")
    for name, field in fields.items():
        optional = field.default is not dataclasses.MISSING
        if name not in value and not optional:
            raise InputError(f"{where}.{name}: missing; {where} needs {', '.join(fields)}")
    checked = {name: check(value[name], hints[name], f"{where}.{name}") for name in value}
    try:
        return kind(**checked)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _scalar(value: Any, kind: type, where: str) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is float and (whole or isinstance(value, float)):
        if abs(value) <= sys.float_info.max:
            return float(value)
    elif isinstance(value, kind) and (kind is not int or whole):
        return value
    names = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    hint = ""
    power = isinstance(value, str) and re.fullmatch(r"([-+]?\d+)(\.\d*)?[eE]([-+]?\d+)", value)
    if kind is float and power:
        written = f"{power[1]}{power[2] or '.0'}e{int(power[3]):+d}"
        hint = f" (YAML reads {value} as text; write {written})"
    raise InputError(f"{where}: found {_show(value)}, must be {names[kind]}{hint}")


class _Loader(yaml.SafeLoader):
    """Refuses aliases, with which a small file fills the memory, and keys given twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            problem = f"aliases such as *{event.anchor} are not read, write the values out"
            raise ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ComposerError(None, None, f"a second key {key.value}", key.start_mark)
                seen.add(key.value)
        return node


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        repr(tree)  # refuses whole numbers of thousands of digits, which nobody can be shown
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run from the project's top folder") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, must be a file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text in UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: not valid YAML: nested too deeply") from None
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        # The last five come from tags that do not fit, such as !!int "".
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise InputError(
            f"{path}: not valid YAML{line}: {getattr(error, 'problem', error)}"
        ) from None
    return _mapping(tree, str(path))


def _find(tree: dict[str, Any], key: str, path: Path) -> Any:
    node: Any = tree
    done: list[str] = []
    for part in key.split("."):
        node = _mapping(node, f"{path}: {'.'.join(done)}" if done else str(path))
        if part not in node:
            where = f"{path}: {'.'.join(done)}" if done else str(path)
            raise InputError(f"{where}: no key {part!r}{_near(part, node)}")
        node = node[part]
        done.append(part)
    return node


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: found {_show(value)}, must be a mapping of keys to values")
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"{where}: the key {_show(key)} must be text")
    return dict(value)


def _near(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known keys: {', '.join(known) or 'none'}"


def _show(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

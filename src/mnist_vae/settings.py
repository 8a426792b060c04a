"""Settings: read from params.yaml by key, checked by msgspec, refused in one line.

A section of params.yaml is a ``Settings`` declared beside the code that uses it. msgspec checks its
values; here are a strict reader of YAML and the words in which a user learns what is wrong.
"""

from __future__ import annotations

import difflib
import math
import re
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta
from yaml.composer import ComposerError

from mnist_vae.errors import InputError

Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Class = Annotated[int, Meta(ge=0, le=99)]

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "text",
    tuple: "a list",
    dict: "a mapping of keys to values",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: ``class Recipe(Settings, frozen=True, kw_only=True)``.

    A section says both words again: msgspec does not inherit ``kw_only``, mypy wants ``frozen``.
    Its ``__post_init__`` may raise ValueError, for values that do not go together.
    """


def read_params(*wanted: tuple[str, Any], path: Path = Path("params.yaml")) -> tuple[Any, ...]:
    """Read and check the values at the given keys of a params file.

    Each of ``wanted`` is a dotted key and the type to hold it to. ``${name}`` inside a key stands
    for the string at the key ``name``, as in dvc.yaml: ``recipes.${recipe}`` is the recipe chosen.

    Raises InputError, naming the key, for an unknown or missing key, a wrong type, a value out of
    range, or a file that is not YAML.
    """
    tree = _read_yaml(path)

    def read(key: str, kind: Any) -> Any:
        key = re.sub(r"\$\{(.*?)\}", lambda reference: read(reference[1], str), key)
        value, name = tree, str(path)
        for depth, part in enumerate(key.split(".")):
            section = check(value, dict[str, Any], name)
            if part not in section:
                raise InputError(f"{name}: no key {part!r}{_suggest(part, section)}")
            value, name = section[part], f"{name}{'.' if depth else ': '}{part}"
        return check(value, kind, name)

    return tuple(read(key, kind) for key, kind in wanted)


def check(value: Any, kind: Any, name: str) -> Any:
    """Return ``value`` as the type ``kind``, or raise InputError that names the key at fault.

    ``value`` is what YAML or JSON gave, and ``name`` the key that leads to it. ``kind`` may be a
    section, ``bool``, ``int``, ``float``, ``str``, ``Literal``, ``Annotated`` with a ``Meta``,
    ``X | None``, ``tuple[X, ...]``, ``tuple[X, Y]`` or ``dict[str, X]``.
    """
    for part in _parts(value, kind, name):  # first, so that an error names the innermost key
        check(*part)
    try:
        checked = msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # of a lone surrogate
        raise InputError(f"{name}: {_problem(value, kind, error)}") from None
    if kind is float and not math.isfinite(checked):
        raise InputError(f"{name}: found {value}, must be {_WORDS[float]}")
    return checked


def _parts(value: Any, kind: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    """What to check of a value before the whole: each part, its type and its name."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield value, arguments[0], name
    elif origin in (Union, types.UnionType) and value is not None:
        yield value, next(arm for arm in arguments if arm is not types.NoneType), name
    elif origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        for index, (item, item_kind) in enumerate(zip(value, kinds, strict=False)):
            yield item, item_kind, f"{name}[{index}]"
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield key, str, f"{name}: a key"
            yield item, arguments[1], f"{name}.{key}"
    elif isinstance(kind, type) and issubclass(kind, Settings):
        yield value, dict[str, Any], name  # before its keys are looked at
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        for key in value:
            if key not in fields:
                raise InputError(f"{name}.{key}: unknown key{_suggest(key, fields)}")
        for key, field in fields.items():
            if key in value:
                yield value[key], field.type, f"{name}.{key}"
            elif field.required:
                raise InputError(f"{name}.{key}: missing; {name} needs {', '.join(fields)}")


def _problem(value: Any, kind: Any, error: Exception) -> str:
    """Why a value whose parts are right is not of a type; ``error`` is msgspec's reason."""
    origin, arguments = get_origin(kind), get_args(kind)
    allowed = _WORDS.get(origin or kind)
    if origin is Annotated:
        value, allowed = msgspec.convert(value, arguments[0]), _range(arguments[1])
    elif origin is Literal:
        allowed = f"one of {', '.join(arguments)}"
    elif origin is tuple and isinstance(value, list | tuple):
        return f"found {len(value)} values, must be {len(arguments)}"
    return f"found {_show(value)}, must be {allowed}" if allowed else str(error)


def _range(bounds: msgspec.Meta) -> str | None:
    if bounds.gt is not None:
        return f"above {bounds.gt}" if bounds.le is None else f"above {bounds.gt} to {bounds.le}"
    if bounds.ge is not None:
        return f"at least {bounds.ge}" if bounds.le is None else f"from {bounds.ge} to {bounds.le}"
    return None  # a limit of another kind, such as min_length: msgspec's words must do


def _suggest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known keys: {', '.join(known) or 'none'}"


def _show(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _Loader(yaml.SafeLoader):
    """Reads plain values as YAML 1.2 does, which is how DVC reads them: ``1:30`` is text, not 90.

    Refuses aliases, with which a small file fills the memory, tags, and keys given twice.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            problem = f"aliases such as *{event.anchor} are not read, write the values out"
        elif event.tag:
            problem = f"tags such as {event.tag} are not read, leave them out"
        else:
            node: Any = super().compose_node(parent, index)
            keys = parent.value if isinstance(parent, yaml.MappingNode) and index is None else []
            if all(key.value != node.value for key, _ in keys):
                return node
            problem = f"a second key {node.value}"
        raise ComposerError(None, None, problem, event.start_mark)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number; 010 is ten."""
        digits = node.value.replace("_", "")
        return int(digits, 10 if digits.lstrip("+-").isdigit() else 0)


_PLAIN = {
    "null": "~|null|Null|NULL|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)",
    "float": r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
"""What a value without quotes is, in this order; anything else is text."""
_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1's
for _name, _pattern in _PLAIN.items():
    _tag = f"tag:yaml.org,2002:{_name}"
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), None)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _read_yaml(path: Path) -> Any:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        repr(tree)  # refuses whole numbers of thousands of digits, which nobody can be shown
        return tree
    except FileNotFoundError:
        problem = "not found; run from the project's top folder"
    except IsADirectoryError:
        problem = "is a folder, must be a file"
    except UnicodeDecodeError:
        problem = "not text in UTF-8"
    except RecursionError:
        problem = "not valid YAML: nested too deeply"
    except (yaml.YAMLError, ValueError) as error:  # the last: thousands of digits
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = f"not valid YAML{line}: {getattr(error, 'problem', error)}"
    raise InputError(f"{path}: {problem}")

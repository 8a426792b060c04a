"""What each stage says to params and files that do not fit: nothing is written.

Damaged, missing and misplaced files are in test_faults.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.host import MODEL, Host
from support.project import STAGES, edit, identities, restored

from mnist_vae.files import store

PARAMS, WEIGHTS = "params.yaml", f"models/{MODEL}.safetensors"
TEST, TRAIN = "data/test.safetensors", "data/train.safetensors"


def set_param(*keys: str, to: object) -> Callable[[Path], None]:
    def assign(tree: dict[str, Any]) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        tree[keys[-1]] = to

    return lambda project: edit(project / PARAMS, assign)


def swap_splits(project: Path) -> None:
    (project / TEST).write_bytes((project / TRAIN).read_bytes())


def widen_model(project: Path) -> None:
    """Make the weights those of a model with a wider latent, by what is said of them."""
    arrays, facts = store.read_arrays(project / WEIGHTS, "weights")
    facts["settings"]["latent_dim"] += 1
    store.write_arrays(project / WEIGHTS, "weights", arrays, **facts)


def leave_all(project: Path) -> None:
    """A wrong name is enough."""


BAD: dict[str, tuple[str, str, Callable[[Path], None], str]] = {
    "a misspelt key": (
        *("train", MODEL, set_param("models", MODEL, "latent_dims", to=3)),
        f"{PARAMS}: models.{MODEL}.latent_dims: unknown key; did you mean latent_dim?",
    ),
    "text in the place of a number": (
        *("train", MODEL, set_param("models", MODEL, "kl_weight", to="little")),
        f"{PARAMS}: models.{MODEL}.kl_weight: found 'little', must be a finite number",
    ),
    "out of range": (
        *("embed", MODEL, set_param("embed", "perplexity", to=1)),
        f"{PARAMS}: embed.perplexity: found 1.0, must be from 2 to 1000",
    ),
    "no such recipe": (
        *("train", MODEL, set_param("recipe", to="fats")),
        f"{PARAMS}: recipes: no key 'fats'; did you mean fast",
    ),
    "no such model": ("train", "vae9", leave_all, f"{PARAMS}: models: no key 'vae9'"),
    "an unusual name": ("train", "../x", leave_all, "MODEL: found '../x', must be letters, digits"),
    "no name": ("train", "", leave_all, "takes one argument, MODEL; found 0"),
    "the other split": ("encode", MODEL, swap_splits, f"{TEST}: made for split 'train'"),
    "weights that do not fit": (
        *("encode", MODEL, widen_model),
        f"{WEIGHTS}: weights do not fit the model: ",
    ),
}


ALL: dict[str, tuple[tuple[str, ...], object, str]] = {  # what the stage of all settings says
    "of a model": (("models", MODEL, "latent_dim"), 0, "latent_dim: found 0, must be from 1 to"),
    "of a model and the images": (("models", MODEL, "widths"), [8], "the model does not fit the"),
    "of a recipe not chosen": (("recipes", "notebook", "epochs"), 0, "epochs: found 0, must be"),
    "no such recipe": (("recipe",), "fats", "recipes: no key 'fats'; did you mean fast"),
    "pictures of no model": (("made", "vae9"), 50, "made.vae9: no model 'vae9', there are"),
    "a grid's recipe": (
        *(("study", "grids", "beta", "recipe"), "fats"),
        "study.grids.beta: no recipe 'fats', there are fast, notebook",
    ),
    "of a figure": (("figures", "dpi"), 5, "figures.dpi: found 5, must be from 50 to 300"),
    "a model that no path can hold": (
        *(("models", "vae 9"), {"kind": "ae", "latent_dim": 9}),
        "models: found the name 'vae 9', must begin with a letter or digit and go on with these, _",
    ),
    "a model elsewhere": (
        *(("models", "../x"), {"kind": "ae", "latent_dim": 9}),
        "models: found the name '../x', must begin with a letter or digit",
    ),
    "a grid that no command can hold": (
        ("study", "grids", "a b"),
        {"recipe": "fast", "dims": [2], "seeds": [0], "models": {"ae": {"kind": "ae"}}},
        "study.grids: found the name 'a b', must begin with a letter or digit",
    ),
    "no such data set": (("data", "dataset"), "mnits", "data.dataset: datasets/mnits: not found; "),
    "of the study": (("study", "measure", "samples"), 0, "study.measure.samples: found 0"),
}


@pytest.mark.parametrize("name", ALL)
def test_a_mistake_in_any_section_is_found_before_all_else(
    host: Host, project: Path, name: str
) -> None:
    keys, value, message = ALL[name]
    with restored(project / PARAMS):
        set_param(*keys, to=value)(project)
        before = identities(project)
        ended = host.run(project, "settings")
        assert identities(project) == before
    line = rf"settings\.py: error: {PARAMS}: [^\n]*{re.escape(message)}[^\n]*\n"
    assert re.fullmatch(line, ended.err), ended.err
    assert ended.code == 1


def test_every_section_is_checked(project: Path) -> None:
    sections = {key.split(".")[0] for key in STAGES["settings"]["params"]}
    tree = yaml.safe_load((project / PARAMS).read_text())
    assert sections - {"recipes"} | {"recipes", "recipe"} == tree.keys()
    assert {key for key in STAGES["settings"]["params"] if key.startswith("study.")} == {
        f"study.{key}" for key in tree["study"]
    }


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_nothing_is_written(host: Host, project: Path, name: str) -> None:
    stage, model, change, message = BAD[name]
    with restored(*(project / file for file in (PARAMS, WEIGHTS, TEST))):
        change(project)
        before = identities(project)
        ended = host.run(project, stage, model=model)
        assert identities(project) == before
    line = rf"{stage}\.py: error: {re.escape(message)}[^\n]*\n"
    assert re.fullmatch(line, ended.err), ended.err
    assert ended.code == 1


def test_good_input_passes(host: Host, project: Path) -> None:
    before = identities(project)
    ended = host.run(project, "encode")
    assert (ended.code, ended.err) == (0, "")
    changed = {path.parent.name for path, new in identities(project).items() if before[path] != new}
    assert changed == {"latents", "images"}


# --- Elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_in_another_folder_says_where_it_has_to_run(
    host: Host, tmp_path: Path, stage: str
) -> None:
    ended = host.run(tmp_path, stage)
    script = STAGES[stage]["cmd"].split()[1].removeprefix("stages/")
    line = f"{script}: error: params.yaml: not found; run from the project's top folder\n"
    assert (ended.code, ended.err) == (1, line)
    assert list(tmp_path.iterdir()) == []

"""The command line, as a person types it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.models import write_model, write_priors
from support.project import ROOT, environment

from mnist_vae import load
from mnist_vae.__main__ import main
from mnist_vae.api.model import priors_of
from mnist_vae.errors import InputError
from mnist_vae.nets.vae import VAE

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run: three pictures and an array of five images."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "five.npz", images=IMAGES[:2], test_images=IMAGES[2:])
    (tmp_path / "pictures").mkdir()
    for index, image in enumerate(IMAGES[:3]):
        Image.fromarray(image).save(tmp_path / f"pictures/{index}.png")
    return tmp_path


@pytest.fixture(autouse=True)
def network(folder: Path) -> VAE:
    """The network of the model that commands take unless they are told."""
    return write_model(folder / "models/vae16.safetensors")


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_pictures_folders_and_arrays_are_encoded_in_order() -> None:
    main(["encode", "pictures", "five.npz", "pictures/2.png", "-o", "out/z.npz"])
    with np.load("out/z.npz") as z:
        found = dict(z)
    expected = load("models/vae16.safetensors").encode(IMAGES[[0, 1, 2, 0, 1, 2, 3, 4, 2]])
    assert found.keys() == {"mean", "logvar", "names"}
    np.testing.assert_allclose(found["mean"], expected.mean, atol=1e-6)
    assert expected.logvar is not None
    np.testing.assert_allclose(found["logvar"], expected.logvar, atol=1e-6)
    assert found["names"][[0, 3, 5, 8]].tolist() == [
        *("pictures/0.png", "five.npz:images[0]", "five.npz:test_images[0]", "pictures/2.png")
    ]


def test_what_was_encoded_is_decoded_to_a_sheet_or_to_files() -> None:
    main(["encode", "five.npz", "-o", "z.npz"])
    main(["decode", "z.npz", "-o", "sheet.png"])
    main(["decode", "z.npz", "-o", "out"])
    assert sorted(path.name for path in Path("out").iterdir()) == [f"{i}.png" for i in range(5)]
    sheet = pixels("sheet.png")
    assert sheet.shape == (2 * 28 + 2, 3 * 28 + 2 * 2)
    model = load("models/vae16.safetensors")
    decoded = np.rint(255 * model.decode(model.encode(IMAGES).mean)).astype(np.uint8)[:, 0]
    for index, image in enumerate(decoded):
        y, x = 30 * (index // 3), 30 * (index % 3)
        np.testing.assert_array_equal(pixels(f"out/{index}.png"), image)
        np.testing.assert_array_equal(sheet[y : y + 28, x : x + 28], image)
    assert (sheet[30:, 60:] == 255).all()  # where no sixth image is


def test_samples_come_from_the_prior_that_is_asked_for(network: VAE) -> None:
    path = Path("models/vae16.safetensors")
    write_priors(priors_of(path)[0], network)
    for asked, kwargs in (
        (["--seed", "3"], {"seed": 3}),
        (["--digit", "7"], {"digit": 7}),
        (["--label", "dog"], {"label": "dog"}),
        (["--prior", "mixture"], {"prior": "mixture"}),
    ):
        main(["sample", "-n", "1", *asked, "-o", "one.png"])
        expected = np.rint(255 * load(path).sample(1, **kwargs)[0, 0])
        np.testing.assert_array_equal(pixels("one.png"), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_another_model_decides_size_and_colours(channels: int) -> None:
    path = Path("models/other.safetensors")
    write_model(path, size=12, channels=channels)
    main(["sample", "-m", str(path), "-n", "2", "-o", "two.png"])
    assert pixels("two.png").shape == (12, 26, *([3] if channels == 3 else []))
    main(["encode", "-m", str(path), "pictures", "five.npz", "-o", "z.npz"])


def test_scores_begin_with_what_the_model_knows_least(capsys: pytest.CaptureFixture[str]) -> None:
    main(["score", "five.npz"])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "squared_error\telbo\timage"
    score = load("models/vae16.safetensors").score(IMAGES)
    assert score.elbo is not None
    names = ["five.npz:images[0]", "five.npz:images[1]"]
    names += [f"five.npz:test_images[{i}]" for i in range(3)]
    assert lines == [
        f"{score.squared_error[i]:.2f}\t{score.elbo[i]:.1f}\t{names[i]}"
        for i in np.argsort(score.elbo)
    ]
    write_model(Path("ae.safetensors"), kind="ae", kl_weight=None)
    main(["score", "-m", "ae.safetensors", "five.npz"])
    errors = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert errors[0] == "squared_error"
    assert errors[1:] == sorted(errors[1:], key=float, reverse=True)


AUDIT = ["audit", "--weight", "1", "--pixels", "784", "--latent-dim", "16"]


def test_the_audit_reads_the_notebooks_loss(capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            *AUDIT,
            *["--over-latents", "mean", "--batch-size", "512", "--error", "6.286", "--kl", "8"],
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "per image          squared error + 0.0001221 · KL, both summed",
        "variance implied   6.1e-05",
        "variance shown     0.00802",
        "calibrated weight  131.4 in place of 1",
        "KL is 130 times weaker than this decoder's error calls for: nearly an autoencoder, with "
        "little to draw its latents to the prior.",
    ]


def test_a_cross_entropy_has_no_variance(capsys: pytest.CaptureFixture[str]) -> None:
    main([*AUDIT, *["--over-pixels", "mean", "--loss", "cross-entropy"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "per image          BCE + 784 · KL, both summed"
    assert lines[1] == "calibrated weight  0.001276 in place of 1"


KL_PAGE = (ROOT / "docs/kl.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^    \$ mnist-vae (.*)\n((?:    (?!\$).*\n)+)", KL_PAGE, re.MULTILINE)


def test_the_page_shows_commands() -> None:
    assert len(SHOWN) == KL_PAGE.count("$ mnist-vae") == 3


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_the_page_shows_what_the_command_prints(
    command: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(command.split())
    assert capsys.readouterr().out == textwrap.dedent(output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("encode nowhere.png -o z.npz", "nowhere.png: not found"),
        ("encode bad.png -o z.npz", "bad.png: not an image in PNG"),
        ("encode bad.npz -o z.npz", "bad.npz: damaged, or not an .npz of plain arrays"),
        ("encode empty -o z.npz", "empty: no images found"),
        ("encode labels.npz -o z.npz", "labels.npz: no images found"),
        ("encode -m bad.png five.npz -o z.npz", "bad.png: damaged"),
        ("encode -m no five.npz -o z.npz", "no: not found"),
        ("decode nowhere.npz -o z.png", "nowhere.npz: not found"),
        ("decode bad.npz -o z.png", "bad.npz: damaged"),
        ("decode five.npz -o z.png", "five.npz: holds 'images'; known arrays: mean, logvar, names"),
        (
            "decode wide.npz -o z.png",
            r"wide.npz: mean is float64 \(2, 4\), must be floats \[N, 3\]",
        ),
        ("decode nan.npz -o z.png", "nan.npz: mean holds a NaN or an infinity, must be"),
        (
            "decode large.npz -o z.png",
            r"large.npz: mean holds 1e\+38, must be -1e\+09 to 1e\+09$",
        ),
        ("decode nameless.npz -o z.png", "nameless.npz: lacks the array mean"),
        ("sample -o z.jpg", "z.jpg: must end in .png"),
        ("sample -n 0 -o z.png", "-n: found 0, must be at least 1"),
        ("sample --digit 7 -o z.png", "prior is 'classes', this model has standard"),
        ("audit --weight 1 --pixels 0 --latent-dim 2 --error 5", "pixels is 0"),
        ("audit --weight 1 --pixels 9 --latent-dim 2", "the error is needed"),
    ],
)
def test_what_is_wrong_takes_a_line_and_leaves_nothing(
    folder: Path, arguments: str, message: str
) -> None:
    for name in ("bad.png", "bad.npz"):
        (folder / name).write_bytes(b"bad")
    (folder / "empty").mkdir()
    np.savez(folder / "labels.npz", labels=np.arange(3))
    np.savez(folder / "wide.npz", mean=np.zeros((2, 4)))
    np.savez(folder / "nan.npz", mean=np.full((2, 3), np.nan))
    np.savez(folder / "large.npz", mean=np.full((2, 3), 1e38))
    np.savez(folder / "nameless.npz", names=np.array(["a"]))
    with pytest.raises(InputError, match=message) as caught:
        main(arguments.split())
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("z.*"))


@pytest.mark.parametrize("arguments", ["", "paint", "sample --seed -1 -o z.png", "audit"])
def test_argparse_refuses_the_rest(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: mnist-vae")


def test_the_module_runs_as_the_command_does() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mnist_vae", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment(ROOT))

    done = run(*AUDIT, "--error", "6")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search("^KL is 65 times stronger", done.stdout, re.MULTILINE)
    done = run("encode", "nowhere.png", "-o", "z.npz")
    assert (done.returncode, done.stderr) == (1, "mnist-vae: error: nowhere.png: not found\n")


def test_an_audit_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mnist_vae.__main__ import main; "
        f"main({[*AUDIT, '--error', '6']}); print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(ROOT)
    )
    assert done.stdout.splitlines()[-1] == "False False", done.stderr

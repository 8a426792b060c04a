"""The numbers in texts against the files that they come from, in a small project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quotes import differences, write

TEXT = """\
# Results

With torch 2.15.0, `vae16` has an error of 6.33 on
average, 1,234 images a second (12.5%). See [the page](a_1.5.md); `0.5` is code.

    so is 0.75

| `2 threads, float32` | 6.33 ± 0.07 |

The study has 98.2 nats, a rate of 0.5 gives 7.25.
"""
QUOTES = """\
README.md:
  - has an error of {vae16.distortion.squared_error:.2f} on average,
    {speed.rows.0.a_second:,} images
  - (12.5%)
  - "| {speed.2 threads, float32.mean:.2f} ± {speed.2 threads, float32.sd:.2f} |"
  - The study has {study.main.vae.16.kl.mean:.1f} nats
  - a rate of 0.5 gives {speed.rate 0.5.mean:.2f}
"""
SUMMARY = "model,latent_dim,metric,seeds,mean\nae,2,kl,5,1.0\nvae,2,kl,5,2.0\nvae,16,kl,5,98.205\n"
SPEED = {"rows": [{"a_second": 1234}], "2 threads, float32": {"mean": 6.331, "sd": 0.069}}
SPEED |= {"rate 0": {"mean": 1.5}, "rate 0.5": {"mean": 7.25}}  # a key with a dot


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "README.md": TEXT,
        "docs/quotes.yaml": QUOTES,
        "reports/speed.json": json.dumps(SPEED),
        "reports/study/main/summary.csv": SUMMARY,
        "reports/metrics/vae16.json": json.dumps({"distortion": {"squared_error": 6.3289}}),
        "reports/metrics/vae16.samples.json": json.dumps({"samples": {}}),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_right_numbers_pass_and_are_left_alone(project: Path) -> None:
    assert list(differences(project)) == []
    write(project)
    assert (project / "README.md").read_text() == TEXT


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("README.md", "6.33 on", "6.23 on", "README.md:3: 6.23 is 6.33 by vae16.distortion."),
        ("README.md", "1,234", "1,235", "README.md:3: 1,235 is 1,234 by speed.rows.0.a_second"),
        ("README.md", "± 0.07", "± 0.09", "README.md:8: 0.09 is 0.07 by speed.2 threads, float32"),
        ("README.md", "12.5%", "12.4%", "README.md: lacks '(12.5%)', which docs/quotes.yaml lists"),
        ("README.md", "See", "All in 1.6 s. See", "README.md:4: 1.6 is in no piece of docs/quo"),
        ("README.md", "See", "Half, 50%. See", "README.md:4: 50 is in no piece of docs/quotes"),
        ("reports/speed.json", "6.331", "6.451", "README.md:8: 6.33 is 6.45 by speed.2 threads"),
        ("reports/study/main/summary.csv", "98.205", "97.2", "98.2 is 97.2 by study.main.vae.16."),
        ("reports/speed.json", "7.25", "7.35", "7.25 is 7.35 by speed.rate 0.5.mean"),
        ("docs/quotes.yaml", "rate 0.5.", "rate 0.4.", "no such number: '4'"),
        ("docs/quotes.yaml", "a_second", "b_second", "no such number: 'b_second'"),
        ("docs/quotes.yaml", "rows.0", "rows.1", "no such number: list index out of range"),
    ],
)
def test_a_wrong_number_is_named(project: Path, file: str, old: str, new: str, line: str) -> None:
    change(project / file, old, new)
    faults = list(differences(project))
    assert faults
    assert line in faults[0]


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("reports/speed.json", "{", "reports/speed.json: damaged: Expecting"),
        ("docs/quotes.yaml", "[", "cannot be read: while parsing"),
        ("README.md", None, "README.md'"),
    ],
)
def test_what_cannot_be_read_is_named(
    project: Path, file: str, text: str | None, line: str
) -> None:
    (project / file).write_text(text) if text else (project / file).unlink()
    (fault,) = differences(project)
    assert line in fault


def test_numbers_are_written_anew_and_nothing_else(project: Path) -> None:
    text = TEXT.replace("6.33 on", "7.1 on").replace("6.33 ±", "66.00 ±").replace("1,234", "9")
    (project / "README.md").write_text(text)
    write(project)
    assert (project / "README.md").read_text() == TEXT

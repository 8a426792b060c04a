"""What stands on the page: sections, the audit, figures, provenance; whatever models are called."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from matplotlib.figure import Figure
from support.pages import DATA, ERRORS, MODELS, Reader, compose, measured, metrics_of

from mnist_vae.errors import InputError
from mnist_vae.figures import style
from mnist_vae.measure import audit
from mnist_vae.measure.catalog import METRICS, SAMPLED
from mnist_vae.report import html, markdown, pictures, provenance
from mnist_vae.report.document import DefinitionList, Fold, Page, Table
from mnist_vae.report.tables import row_name


def titles(page: Page) -> list[str]:
    return [section.title for section in page.sections]


def test_every_number_is_defined() -> None:
    sections = {section.title: section.blocks for section in compose(measured()).sections}
    (fold,) = sections["How each number is made"]
    assert isinstance(fold, Fold)
    (definitions,) = fold.blocks
    assert isinstance(definitions, DefinitionList)
    rows = [row_name(metric) for metrics in METRICS.values() for metric in metrics]
    rows += map(row_name, SAMPLED)
    assert [name for name, _ in definitions.entries] == [*rows, "The classifier"]


def test_samples_stand_beside_real_images_and_reconstructions() -> None:
    sections = {section.title: section.blocks for section in compose(measured()).sections}
    (fold,) = sections["Samples"]
    assert isinstance(fold, Fold)
    _, table = fold.blocks
    assert isinstance(table, Table)
    assert table.head == ["", *map(row_name, SAMPLED)]
    rows = {name: [row[0].text for row in group] for name, group in table.groups.items()}
    fitted = ["Gaussian", "mixture", "mixture of each class", "reconstructions"]
    assert rows == {
        "": ["real images"],
        "vae16": ["N(0, I)", *fitted],
        "vae2": ["N(0, I)", *fitted],
        "ae16": fitted,
        "ae2": fitted,
        "sigma16": ["N(0, I)", *fitted],
    }
    assert [cell.text for cell in table.groups[""][0]][:3] == [
        "real images",
        "0.400 ± 0.10",
        "2.30",
    ]
    of_classes = [cell.text for cell in table.groups["vae16"][3]]
    assert of_classes[1:] == ["6.00", "2.20", "96.0", "90.0", "70.0", "1.50", "0.500", "97.0"]


def test_the_audit_is_what_the_audit_module_says_of_the_same_model() -> None:
    written = markdown.render(compose(measured("vae16", "vae2", "sigma16")))
    for name in ("vae16", "vae2"):
        expected = audit.audit_gaussian(
            variance=0.5,
            kl_weight=MODELS[name]["kl_weight"],
            mean_squared_error=1.01 * ERRORS[name] / 784,
            rate=100.0,
        )
        seen = "The classifier reads 96.0% of its samples from N(0, I) with a probability above"
        assert f"- **{name}**: {expected.sentence} {seen} 0.9, and 98.0% of real" in written
    bernoulli = {"rate": {"kl": 20.0}, "audit": {"beta": 1.0, "ratio": 1.0}}
    written = markdown.render(compose({"b": bernoulli}))
    assert audit.audit_bernoulli(kl_weight=1.0, rate=20.0).sentence in written
    assert "Is the KL too weak or too strong?" not in titles(compose(measured("ae16", "ae2")))


def test_what_cannot_make_a_page_is_named() -> None:
    with pytest.raises(InputError, match=r"params\.yaml: models: found none"):
        compose({})
    metrics = measured("vae2")
    metrics["vae2"]["audit"]["beta"] = -1.0
    with pytest.raises(InputError, match=r"metrics/vae2\.json: audit: kl_weight is -1"):
        compose(metrics)


def test_old_or_empty_metrics_still_make_a_page() -> None:
    page = compose({"vae16": {"test": {"squared_error": 6.0}}, "new": {}})
    assert "This run cannot say" in markdown.render(page)
    assert Reader(html.render(page)).text


def test_all_figures_of_the_models_are_shown_once_and_no_others() -> None:
    names = (*pictures.CAPTIONS, "extra")
    drawn = [f"figures/{model}/{name}.png" for model in ("vae16", "ae2") for name in names]
    drawn += [f"compared/{name}.png" for name in pictures.COMPARED]
    strangers = ["figures/gone/samples.png", "figures/vae16x/samples.png"]
    sizes = dict.fromkeys([*drawn, *strangers], (8, 4))
    page = compose(measured("vae16", "ae2"), sizes)
    drawn.remove("figures/ae2/originals.png")  # the same images once more
    for written in (markdown.render(page), html.render(page)):
        for path in drawn:
            assert written.count(f'src="{path}"') == 1
        assert not any(path in written for path in strangers)


def test_models_stand_in_an_order_that_compares() -> None:
    page = compose(measured("vae16", "vae2", "ae16", "ae2", "sigma16"))
    (models,) = (b for b in page.sections[0].blocks if isinstance(b, DefinitionList))
    names = [name for name, _ in models.entries]
    assert names == ["ae16", "vae16", "sigma16", "ae2", "vae2"]
    sections = {section.title: section.blocks for section in page.sections}
    (first,) = (block for block in sections["Models compared"] if isinstance(block, Table))
    assert first.head == ["", *names]


def test_the_first_screen_asks_answers_and_says_what_the_models_are() -> None:
    page = compose(measured(), {"compared/answer.png": (8, 4)})
    written = markdown.render(page._replace(sections=page.sections[:1]))
    assert "> At 16 dimensions the squared error" in written
    assert 'src="compared/answer.png"' in written
    assert "- **ae16**: a plain autoencoder of 16 latent dimensions." in written
    assert "The notebook, of which this page speaks, is" in written


def test_what_is_no_png_has_no_size() -> None:
    data = style.png(Figure((6, 4)), 10)
    assert pictures.png_size("a.png", data) == (60, 40)
    for damaged in (b"", data[:20], b"GIF89a" + data[6:]):
        with pytest.raises(InputError, match=r"a\.png: not a PNG"):
            pictures.png_size("a.png", damaged)


def test_what_the_page_says_of_itself() -> None:
    metrics = measured()
    for each in metrics.values():
        each["device"] = "NVIDIA <H100>"
    written = markdown.render(compose(metrics))
    for text in ("not the FID", "can be negative", "from one seed", "- **Machine**: abc"):
        assert text in written
    assert r"- **Trained on**: NVIDIA \<H100\>" in written
    assert "```\nrecipe: fast\n" in written
    assert "**Trained on**" not in markdown.render(compose(measured()))


def test_versions_are_those_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "torch").write_text("2.15.0\n")
    (tmp_path / "numpy").write_text("2.4.6 or 2.5.5\n")
    assert provenance.versions(tmp_path) == "numpy 2.4.6 or 2.5.5, torch 2.15.0"


def test_hostile_names_and_values_change_no_structure() -> None:
    def tags(name: str, value: str) -> list[str]:
        metrics = {"vae16": metrics_of("vae16"), name: metrics_of("ae16")}
        metrics[name]["distortion"]["psnr"] = value
        sizes = dict.fromkeys([f"figures/{name}/samples.png", f"figures/{name}/odd.png"], (8, 4))
        reader = Reader(html.render(compose(metrics, sizes)))
        assert name in reader.text
        assert value in reader.text
        return reader.tags

    hostile = tags('"><script>alert(1)</script>', "<img src=x onerror=alert(1)>")
    assert hostile == tags("plain", "text")


def test_images_without_labels_have_no_classes_in_any_text() -> None:
    sizes = dict.fromkeys([f"figures/vae2/{name}.png" for name in pictures.CAPTIONS], (8, 4))
    data = msgspec.structs.replace(DATA, classes=())
    titled = {section.title: section for section in compose(measured("vae2"), sizes, data).sections}
    for title in ("Between latents", "Maps of the latents"):
        page = Page("", [titled[title]])
        assert "class" not in markdown.render(page)

"""The page in a browser: it computes what torch computes, and does what hands and keys ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.browser import needs_chromium
from support.chromium import Browser, Tab
from support.explorer import apart, make_model, make_split, write_page
from support.pages import Reader
from support.project import ROOT, images_of

from mnist_vae.explorer import small
from mnist_vae.nets import weights

pytestmark = needs_chromium
PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  return Array.from(copy.getImageData(0, 0, width, height).data);
}"""
HASH = f"(canvas) => ({PIXELS})(canvas).reduce((sum, n) => (Math.imul(sum, 31) + n) | 0, 7)"
HOSTILE = "<img src=x onerror=boom()>"


def pixels(tab: Tab, selector: str) -> int:
    """A number that tells what a canvas shows from all else."""
    return int(tab.evaluate(f"({HASH})(document.querySelector({json.dumps(selector)}))"))


def values(tab: Tab, selector: str) -> np.ndarray:
    """What a canvas shows, [H, W], in shades of red."""
    read = f"({PIXELS})(document.querySelector({json.dumps(selector)}))"
    shown = np.array(tab.evaluate(read)).reshape(-1, 4)
    side = int(len(shown) ** 0.5)
    assert (shown[:, 3] == 255).all()
    return shown[:, 0].reshape(side, side)


def text(tab: Tab, selector: str = "body") -> str:
    return str(tab.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))


@pytest.fixture(scope="module")
def explorer(project: Path) -> Path:
    """The page that the stage wrote about two small models."""
    return project / "reports/explorer.html"


@pytest.fixture
def tab(browser: Browser, explorer: Path) -> Iterator[Tab]:
    """The page as it is opened; in the end nothing was said or asked for."""
    tab = browser.open(explorer)
    yield tab
    assert tab.complaints() == []
    assert tab.requests() == []
    tab.call("Page.close")


def test_it_computes_what_torch_computes(tab: Tab, project: Path) -> None:
    for name in ("vae2", "ae2"):
        network, _ = weights.load(project / f"models/{name}.safetensors", name)
        pixel, mean = apart(tab, name, network, images_of("test")["images"][:100])
        assert pixel < 1 / 255
        assert mean < 1e-3


def test_the_models_of_this_folder_are_on_its_page(browser: Browser) -> None:
    written = ROOT / "reports/explorer.html"
    files = sorted((ROOT / "models").glob("*.safetensors"))
    if not files or not written.is_file():
        pytest.skip("no trained models here: make reproduce makes them")
    tab = browser.open(written)
    for file in files:
        network, facts = weights.load(file)
        if f'"name":{json.dumps(facts.model)}' not in written.read_text():
            continue  # of an experiment
        if (facts.image_size, facts.channels) == (28, 1):
            pixel, mean = apart(tab, facts.model, network, images_of("test")["images"][:100])
            assert pixel < 1 / 255
            assert mean < 1e-3
    assert tab.complaints() == []
    assert tab.requests() == []
    assert written.stat().st_size < 6_500_000


def test_dragging_moves_the_dots_of_all_planes(tab: Tab) -> None:
    first = ".plane-view:nth-child(1)", ".plane-view:nth-child(2)"
    before = [pixels(tab, f"{view} .picture") for view in first]
    tab.drag(f"{first[0]} .plane", (0.5, 0.5), (0.2, 0.3))
    after = [pixels(tab, f"{view} .picture") for view in first]
    assert all(a != b for a, b in zip(before, after, strict=True))
    tab.evaluate("[...document.querySelectorAll('#planes .tick input')].at(-1).click()")
    tab.drag(f"{first[0]} .plane", (0.5, 0.5), (0.8, 0.7))
    assert pixels(tab, f"{first[1]} .picture") == after[1]
    assert pixels(tab, f"{first[0]} .picture") != after[0]


def test_arrow_keys_move_the_dot(tab: Tab) -> None:
    before = text(tab, ".plane-view .figures")
    tab.evaluate("document.querySelector('.plane').focus()")
    tab.press("ArrowLeft")
    x, y = (float(value.replace("−", "-")) for value in before.split(", "))
    nx, ny = (float(v.replace("−", "-")) for v in text(tab, ".plane-view .figures").split(", "))
    assert nx < x
    assert ny == y


def test_circles_and_pictures_are_drawn_when_asked_for(tab: Tab) -> None:
    tab.frames()
    plane = ".plane-view:nth-child(2) .plane"  # the VAE's
    with_circles = pixels(tab, plane)
    tab.evaluate("document.querySelector('#planes .tick input').click()")
    tab.frames()
    without = pixels(tab, plane)
    assert with_circles != without
    tab.evaluate("document.querySelectorAll('#planes .choice button')[1].click()")
    tab.frames()
    assert pixels(tab, plane) != without


def test_a_stroke_changes_what_every_model_sees_and_draws(tab: Tab) -> None:
    shown = [".seen .picture", *(f".answer:nth-child({n}) .rebuilt .picture" for n in (1, 2))]
    before = [pixels(tab, canvas) for canvas in shown]
    near = pixels(tab, ".near .picture")
    tab.drag(".pad", (0.5, 0.2), (0.5, 0.4), (0.5, 0.8))
    after = [pixels(tab, canvas) for canvas in shown]
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert pixels(tab, ".near .picture") != near
    tab.drag(".pad", (0.2, 0.5), (0.8, 0.5), touch=True)
    assert pixels(tab, ".seen .picture") != after[0]
    tab.evaluate("document.querySelector('.desk button').click()")
    tab.frames()
    assert not values(tab, ".seen .picture").any()


def test_a_drawing_gets_the_size_and_the_middle_of_mnist(tab: Tab) -> None:
    """A small bar in a corner becomes one of 20 pixels about the middle."""
    tab.drag(".pad", (0.1, 0.1), (0.1, 0.3))
    tab.frames()
    inked = values(tab, ".seen .picture") > 60
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    assert (rows[0], rows[-1]) == (4, 23)
    assert columns[0] + columns[-1] == 27


def test_arrow_keys_go_from_image_to_image_in_both_maps(tab: Tab) -> None:
    card = [f".card figure:nth-child({n}) .picture" for n in (1, 2, 3)]
    before = [pixels(tab, canvas) for canvas in card]
    maps = [f".map-side:nth-child({n}) .map" for n in (1, 2)]
    drawn = [pixels(tab, canvas) for canvas in maps]
    tab.evaluate("document.querySelector('.map').focus()")
    tab.press("ArrowRight")
    tab.press("ArrowUp")
    assert all(a != pixels(tab, c) for a, c in zip(before, card, strict=True))
    assert all(a != pixels(tab, c) for a, c in zip(drawn, maps, strict=True))


def test_pointing_and_tapping_show_the_image_there(tab: Tab) -> None:
    card, seen = ".card .picture", []
    seen.append(pixels(tab, card))
    places = [
        tab.evaluate(
            f"(() => {{ const m = explorer.models[0], b = document.querySelector('.map');"
            f"const r = b.getBoundingClientRect(), [x, y] = explorer.mapped(0, {point});"
            "return [x / r.width, y / r.height] })()"
        )
        for point in (37, 90)
    ]
    tab.hover(".map", *places[0])
    seen.append(pixels(tab, card))
    tab.drag(".map", tuple(places[1]), touch=True)
    seen.append(pixels(tab, card))
    assert seen[0] != seen[1] != seen[2]
    assert seen[0] != seen[2]


def test_maps_zoom_move_and_blend(tab: Tab) -> None:
    drawn = [pixels(tab, ".map")]
    tab.evaluate("document.querySelector('.zoom button').click()")
    tab.frames()
    drawn.append(pixels(tab, ".map"))
    tab.drag(".map", (0.5, 0.5), (0.6, 0.4))
    drawn.append(pixels(tab, ".map"))
    tab.evaluate(
        "(() => { const blend = document.querySelector('#map input'); blend.value = 0.5;"
        "blend.dispatchEvent(new Event('input')) })()"
    )
    tab.frames()
    drawn.append(pixels(tab, ".map"))
    assert all(a != b for n, a in enumerate(drawn) for b in drawn[:n])


def test_the_legend_shows_one_class_alone_and_all_again(tab: Tab) -> None:
    tab.frames()
    every = pixels(tab, ".map")
    tab.evaluate("document.querySelectorAll('#map .legend button')[3].click()")
    tab.frames()
    pressed = "document.querySelectorAll('.legend button[aria-pressed=true]').length"
    assert tab.evaluate(pressed) == 2  # here and under the planes
    assert pixels(tab, ".map") != every
    tab.evaluate("document.querySelectorAll('#planes .legend button')[3].click()")
    tab.frames()
    assert tab.evaluate(pressed) == 0
    assert pixels(tab, ".map") == every


def test_sliders_and_samples_change_the_image(tab: Tab) -> None:
    image = ".dial-image .picture"
    seen = [pixels(tab, image)]
    tab.evaluate(
        "(() => { const s = document.querySelector('.slider input'); s.value = 3;"
        "s.dispatchEvent(new Event('input')) })()"
    )
    seen.append(pixels(tab, image))
    assert text(tab, ".slider output") == "3.0"
    tab.evaluate("document.querySelector('.prior .thumb').click()")
    seen.append(pixels(tab, image))
    assert seen[2] == pixels(tab, ".prior .thumb .picture")
    assert seen[0] != seen[1] != seen[2]
    assert "N(0, I)" not in text(tab, "#dials")  # the first model is an autoencoder
    tab.evaluate("[...document.querySelectorAll('#dials .choice button')].at(-1).click()")
    assert "N(0, I)" in text(tab, "#dials")


def test_samples_of_a_class_come_from_its_components_alone(tab: Tab) -> None:
    apart = tab.evaluate(
        """(() => {
          const prior = explorer.models[0].priors.find((p) => p.labels);
          const label = prior.labels[0];
          const own = { ...prior, means: prior.means.map((m, i) =>
            prior.labels[Math.floor(i / prior.dim)] === label ? 1e6 : -1e6) };
          return Array.from({length: 200}, () => explorer.draw(own, label)[0]);
        })()"""
    )
    assert min(apart) > 9e5


def test_draws_have_the_mean_and_the_covariance_of_their_prior(tab: Tab) -> None:
    draws = tab.evaluate(
        """Array.from({length: 20000}, () => Array.from(explorer.draw({
          weights: [1], means: Float32Array.of(3, -1), factors: Float32Array.of(2, 1, 0.5),
          labels: null, dim: 2 })))"""
    )
    found = np.array(draws)
    np.testing.assert_allclose(found.mean(0), [3, -1], atol=0.1)
    np.testing.assert_allclose(np.cov(found.T), np.array([[4, 2], [2, 1.25]]), atol=0.2)


def test_a_walk_begins_and_ends_at_its_images(tab: Tab) -> None:
    tab.evaluate("document.querySelector('.pick .thumb').click()")
    steps = [pixels(tab, f".steps .picture:nth-child({n})") for n in (1, 5, 9)]
    now = ".walk-now .picture"
    for value, step in zip((0, 0.5, 1), steps, strict=True):
        tab.evaluate(
            f"(() => {{ const p = document.querySelector('.ends input'); p.value = {value};"
            "p.dispatchEvent(new Event('input')) })()"
        )
        assert pixels(tab, now) == step


@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_its_window_and_names_what_can_be_pressed(
    browser: Browser, explorer: Path, width: int
) -> None:
    tab = browser.open(explorer, width, dark=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = "[...document.querySelectorAll('button, select, input, canvas')].filter((e) => "
    unnamed += (
        "!(e.innerText?.trim() || e.getAttribute('aria-label') || e.title || e.closest('label')))"
    )
    assert tab.evaluate(f"{unnamed}.length") == 0
    assert tab.complaints() == []
    tab.call("Page.close")


def test_its_policy_lets_nothing_else_run(browser: Browser, explorer: Path, tmp_path: Path) -> None:
    planted = tmp_path / "explorer.html"
    written = explorer.read_text()
    attack = "<script>window.boom = 1</script><style>h1 { color: rgb(1, 2, 3) }</style>"
    attack += "<img src='https://example.com/x.png'>"
    planted.write_text(written.replace("<main>", f"<main>{attack}"))
    tab = browser.open(planted)
    assert tab.evaluate("window.boom === undefined")
    assert tab.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(1, 2, 3)"
    assert (
        tab.evaluate("fetch('https://example.com').then(() => 'sent', () => 'refused')")
        == "refused"
    )
    said = " ".join(tab.complaints())
    assert said.count("Content Security Policy") >= 3
    assert "unsafe" not in re.search("<meta http-equiv[^>]*>", written)[0]  # type: ignore[index]
    tab.call("Page.close")


def test_without_scripts_it_shows_still_figures(browser: Browser, explorer: Path) -> None:
    reader = Reader(explorer.read_text())
    figures = [address for tag, address in reader.attributes("src") if tag == "img"]
    assert figures
    for address in figures:
        assert (explorer.parent / address).is_file()
    assert not {"iframe", "form", "object", "embed", "base"} & set(reader.tags)


@pytest.mark.parametrize("classes", [(HOSTILE, "</script><script>boom()</script>", "c"), ()])
def test_any_name_is_text_and_any_models_make_a_page(
    browser: Browser, tmp_path: Path, classes: tuple[str, ...]
) -> None:
    test = make_split(classes, size=12, channels=3, dataset=f"of {HOSTILE}")
    models = [
        make_model(test, HOSTILE, 20),
        make_model(test, "</script><b>", 2, "ae"),
        make_model(test, "one", 1),
    ]
    tab = browser.open(write_page(tmp_path / "page.html", test, models), 390)
    shown = text(tab)
    for name in (*classes, *(model.name for model in models), test.dataset):
        assert name in shown
    assert tab.evaluate("document.querySelectorAll('main img, main b, main script').length") == 0
    for model in models:
        pixel, mean = apart(tab, model.name, model.network, test.images)
        assert pixel < 1 / 255
        assert mean < 1e-3
    for n in range(len(models)):
        tab.evaluate(f"document.querySelectorAll('#dials .choice button')[{n}].click()")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert (tab.complaints(), tab.requests()) == ([], [])
    tab.call("Page.close")


def test_one_model_without_a_plane_is_enough(browser: Browser, tmp_path: Path) -> None:
    test = make_split()
    tab = browser.open(write_page(tmp_path / "page.html", test, [make_model(test, "m", 3)]))
    assert tab.evaluate("document.getElementById('planes')") is None
    assert tab.evaluate("document.querySelectorAll('.map').length") == 1
    assert (tab.complaints(), tab.requests()) == ([], [])
    tab.call("Page.close")


def test_the_small_form_stands_in_another_page(
    browser: Browser, project: Path, tmp_path: Path
) -> None:
    play = small.read(project / "reports/play.json")
    assert play
    policy = f"default-src 'none'; style-src {play.style_source}; script-src {play.script_source}"
    (tmp_path / "index.html").write_text(
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>t</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{play.style}</style></head><body>{play.markup}<script>{play.script}</script>"
        "</body></html>"
    )
    tab = browser.open(tmp_path / "index.html", 390, ready="!!document.querySelector('.plane')")
    before = pixels(tab, ".picture")
    tab.drag(".plane", (0.5, 0.5), (0.2, 0.3))
    assert pixels(tab, ".picture") != before
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert (tab.complaints(), tab.requests()) == ([], [])

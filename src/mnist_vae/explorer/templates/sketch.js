// Draw an image, and see what each model makes of it.

function sketch(page, root) {
  const { size } = page;
  const side = 280;
  const pad = make("canvas", {
    class: "pad",
    width: side,
    height: side,
    role: "img",
    "aria-label": "Draw here with mouse or finger. The button beneath puts a test image here.",
  });
  const ink = pad.getContext("2d", { willReadFrequently: true });
  const seen = picture(page, "What the models see");
  const rows = page.models.map((model) => sketchRow(page, model));
  const hint = make("p", { class: "hint" }, "Draw here");
  let fresh = true; // until somebody draws, the pad shows an example

  function clear() {
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, side, side);
  }

  function look(pixels, said) {
    show(seen, pixels, page);
    for (const row of rows) row.look(pixels);
    read.textContent = [said, reading(page, pixels)].filter(Boolean).join("; it ");
  }

  const update = everyFrame(() => look(page.normalise(ink, side), ""));

  let last = null;
  function stroke(event) {
    const box = pad.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map(
      (value) => (value / box.width) * side,
    );
    ink.strokeStyle = "#fff";
    ink.lineWidth = side / 12;
    ink.lineCap = ink.lineJoin = "round";
    ink.beginPath();
    ink.moveTo(...(last ?? [x, y]));
    ink.lineTo(x, y);
    ink.stroke();
    last = [x, y];
    update();
  }
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    if (fresh) clear();
    fresh = false;
    hint.hidden = true;
    last = null;
    stroke(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) stroke(event);
  });

  function example(point) {
    fresh = true;
    hint.hidden = false;
    ink.imageSmoothingEnabled = false;
    page.thumbnail(ink, point, 0, 0, side);
    const name = page.classes[page.labels[point]];
    look(page.image(point), name === undefined ? "A test image" : `A test image of ${name}`);
  }

  const read = make("p", { class: "readout", "aria-live": "polite" });
  root.append(
    make(
      "div",
      { class: "sketch" },
      make(
        "div",
        { class: "desk" },
        make("div", { class: "paper" }, pad, hint),
        make(
          "div",
          { class: "controls" },
          make("button", { type: "button", onclick: () => {
            clear();
            hint.hidden = false;
            update();
          } }, "Clear"),
          make("button", { type: "button", onclick: () => example(page.random()) },
            "A test image"),
        ),
        make("div", { class: "seen" }, seen, read),
      ),
      make("div", { class: "answers" }, ...rows.map((row) => row.element)),
    ),
  );
  clear();
  example(0);
}

/** What one model says of an image: picture, posterior, place on its map, nearest test images. */
function sketchRow(page, model) {
  const image = picture(page, `Reconstruction by ${model.name}`);
  const says = make("p", { class: "readout" });
  const bars = make("canvas", { class: "bars", role: "img", "aria-label": "Its posterior" });
  const mini = make("canvas", { class: "mini", role: "img", "aria-label": "Its place on the map" });
  const near = Array.from({ length: 6 }, (_, n) => picture(page, `Nearest test image, ${n + 1}`));
  let place = null;
  const scatter = new Scatter(mini, page, page.labels, {
    over: (context) => place && mark(context, ...scatter.toPixels(...place), 5),
  });
  scatter.place(...model.plane);
  let posterior = null;
  new ResizeObserver(() => posterior && drawPosterior(bars, model, posterior)).observe(bars);
  page.watch(() => posterior && drawPosterior(bars, model, posterior));

  return {
    element: make(
      "article",
      { class: "answer" },
      make("div", { class: "answer-head" },
        make("h3", {}, model.name, make("span", {}, model.about)), says),
      make(
        "div",
        { class: "answer-parts" },
        make("figure", { class: "rebuilt" }, image, make("figcaption", {}, "Drawn again")),
        make("figure", {}, mini, make("figcaption", {}, "Place on its map")),
        make("figure", {}, bars, make("figcaption", {}, model.kind === "vae"
          ? "Posterior, ± 2 deviations"
          : "Its numbers")),
        make("figure", {}, make("div", { class: "near" }, ...near),
          make("figcaption", {}, "Nearest test images")),
      ),
    ),
    look(pixels) {
      posterior = model.encode(pixels);
      const decoded = model.decode(posterior.mean);
      show(image, decoded, page);
      let error = 0;
      for (let i = 0; i < pixels.length; i++) error += (pixels[i] - decoded[i]) ** 2;
      says.replaceChildren(
        make("span", { class: "figures" }, `squared error ${decimal(error, 1)}`),
        make("span", {}, reading(page, decoded)),
      );
      const nearest = model.nearest(posterior.mean, near.length);
      near.forEach((canvas, n) => {
        canvas.hidden = n >= nearest.length;
        if (!canvas.hidden) show(canvas, page.image(nearest[n]), page);
      });
      const [xs, ys] = model.plane;
      const middle = (values) => nearest.reduce((sum, p) => sum + values[p], 0) / nearest.length;
      place = model.dim === 2 ? [...posterior.mean] : [middle(xs), middle(ys)];
      scatter.redraw();
      drawPosterior(bars, model, posterior);
    },
  };
}

/** Mean and deviation in each dimension, in units of its spread, the most used dimension first. */
function drawPosterior(canvas, model, { mean, logvar }) {
  const { width, height } = canvas.getBoundingClientRect();
  if (!width) return;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { ink, line } = inkOf(canvas);
  const y = (value) => height / 2 - (Math.max(-3.9, Math.min(3.9, value)) / 4) * (height / 2);
  context.fillStyle = line;
  for (const value of [-2, 0, 2]) context.fillRect(0, Math.round(y(value)), width, 1);
  const step = width / model.dim;
  const thick = Math.max(1, Math.min(10, step * 0.5));
  model.order.forEach((d, n) => {
    const at = (z) => y((z - model.centre[d]) / model.spread[d]);
    const x = (n + 0.5) * step;
    context.fillStyle = ink;
    if (logvar) {
      const two = 2 * Math.exp(logvar[d] / 2);
      const [top, bottom] = [at(mean[d] + two), at(mean[d] - two)];
      context.globalAlpha = 0.35;
      context.fillRect(x - thick / 2, top, thick, Math.max(1, bottom - top));
      context.globalAlpha = 1;
    }
    context.beginPath();
    context.arc(x, at(mean[d]), Math.max(1.2, thick / 2.6), 0, 2 * Math.PI);
    context.fill();
  });
}

/**
 * What was drawn as an image of the data set. MNIST's digits fill a box of 20 of 28 pixels and have
 * their centre of mass in the middle (LeCun et al. 1998), so `centred` does that first. Each pixel
 * is the mean of what lies below it, which blurs edges as scanning did.
 */
function normaliser({ size, channels }, centred) {
  return (ink, side) => {
    const { data } = ink.getImageData(0, 0, side, side);
    const dark = (x, y) => data[4 * (y * side + x)];
    let [left, top, right, bottom, mass, mx, my] = [side, side, 0, 0, 0, 0, 0];
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const value = dark(x, y);
        if (!value) continue;
        [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
        [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
        [mass, mx, my] = [mass + value, mx + value * (x + 0.5), my + value * (y + 0.5)];
      }
    }
    const pixels = new Float32Array(size * size * channels);
    if (!mass) return pixels;
    const box = (20 / 28) * size;
    const scale = centred ? Math.max(right - left, bottom - top) / box : side / size;
    const [x0, y0] = centred ? [mx / mass - (scale * size) / 2, my / mass - (scale * size) / 2] : [0, 0];
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        let [sum, count] = [0, 0];
        const steps = Math.max(2, Math.ceil(scale));
        for (let a = 0; a < steps; a++) {
          for (let b = 0; b < steps; b++) {
            const x = Math.floor(x0 + (column + (b + 0.5) / steps) * scale);
            const y = Math.floor(y0 + (row + (a + 0.5) / steps) * scale);
            if (x >= 0 && y >= 0 && x < side && y < side) sum += dark(x, y);
            count++;
          }
        }
        pixels.fill(sum / count / 255, (row * size + column) * channels,
          (row * size + column + 1) * channels);
      }
    }
    return pixels;
  };
}

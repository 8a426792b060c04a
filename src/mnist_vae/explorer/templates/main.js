// The whole page: test images and maps for all views, then the views.

const page = readPage(JSON.parse(document.getElementById("data").textContent));
page.labels = bytes(page.points.labels);

const sheet = new Image();
sheet.src = page.points.sprite;

/** Put a test image onto a context, its left upper corner at x, y, so many pixels wide. */
page.thumbnail = (context, point, x, y, width) => {
  const { size } = page;
  const column = point % page.points.columns;
  const row = Math.floor(point / page.points.columns);
  context.drawImage(sheet, column * size, row * size, size, size, x, y, width, width);
};

/** The pixels of a test image, in the 16 shades that the page keeps. */
page.image = (point) => {
  const { size, channels } = page;
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  page.thumbnail(context, point, 0, 0, size);
  const { data } = context.getImageData(0, 0, size, size);
  const pixels = new Float32Array(page.pixels);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = data[4 * Math.floor(i / channels) + (i % channels)] / 255;
  }
  return pixels;
};

/** Any test image, or any of a class. */
page.random = (label = null) => {
  const open = [...page.labels.keys()].filter((p) => label === null || page.labels[p] === label);
  return open[Math.floor(Math.random() * open.length)] ?? 0;
};

// Digits are drawn to MNIST's rules, all else is taken as it is drawn.
page.normalise = normaliser(page, page.dataset === "MNIST");

for (const model of page.models) {
  model.priors = model.priors.map(readPrior);
  model.plane = columns(model.map);
  const codes = model.latents ? columns(model.latents) : model.plane;
  model.axes = aligned(columns(model.pca), model.plane);
  model.latent = (point) => Float32Array.from(codes, (values) => values[point]);
  model.nearest = (latent, count) => nearest(codes, latent, count);
}

/** Both axes turned and scaled to the size of a map, so that one can become the other. */
function aligned(axes, map) {
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const size = (pair) =>
    Math.sqrt(pair.reduce((sum, values) => {
      const middle = mean(values);
      return sum + mean(values.map((v) => (v - middle) ** 2));
    }, 0));
  const scale = size(map) / (size(axes) || 1);
  return axes.map((values, d) => {
    const [own, other] = [mean(values), mean(map[d])];
    const agrees = values.reduce((sum, v, p) => sum + (v - own) * (map[d][p] - other), 0);
    const sign = agrees < 0 ? -scale : scale;
    return values.map((v) => other + sign * (v - own));
  });
}

/** The test images whose latents lie nearest to one, the nearest first. */
function nearest(codes, latent, count) {
  const away = new Float32Array(codes[0].length);
  codes.forEach((values, d) => {
    for (let p = 0; p < away.length; p++) away[p] += (values[p] - latent[d]) ** 2;
  });
  const best = [];
  for (let p = 0; p < away.length; p++) {
    if (best.length === count && away[p] >= away[best[count - 1]]) continue;
    const at = best.findIndex((other) => away[p] < away[other]);
    best.splice(at < 0 ? best.length : at, 0, p);
    best.length = Math.min(best.length, count);
  }
  return best;
}

window.explorer = Object.assign(page, { draw }); // for the console, and for tests

sheet.decode().then(() => {
  for (const part of document.querySelectorAll("nav, section")) part.hidden = false;
  const views = { planes, sketch, map: maps, dials, between };
  for (const [name, view] of Object.entries(views)) {
    const root = document.getElementById(name);
    if (root) view(page, root);
  }
  document.documentElement.dataset.ready = "true";
});

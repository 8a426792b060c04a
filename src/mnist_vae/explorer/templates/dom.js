// What all views share: elements whose text is always text, images on canvases, classes, models.

/** An element; what starts with "on" among its properties is called at that event. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A canvas for an image of the data set; `show` fills it. */
function picture(page, label, kind = "") {
  const { size } = page;
  const properties = { class: `picture ${kind}`, width: size, height: size };
  return make("canvas", { ...properties, role: "img", "aria-label": label });
}

/** Put pixels [H, W, C] from 0 to 1 onto a canvas of `picture`. */
function show(canvas, pixels, page) {
  const { size, channels } = page;
  const image = new ImageData(size, size);
  for (let pixel = 0; pixel < size * size; pixel++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * pixel + c] = Math.round(255 * pixels[pixel * channels + (c % channels)]);
    }
    image.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Call once before the next frame, however often it is asked for. */
function everyFrame(call) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      call();
    });
  };
}

/** A function that is made when it is first called. */
function later(build) {
  let built = null;
  return (...given) => (built ??= build())(...given);
}

/** A choice of a few, as a row of buttons. */
function choice(label, options, chosen, choose) {
  const buttons = options.map(([value, text]) =>
    make("button", { type: "button", "aria-pressed": value === chosen }, text),
  );
  buttons.forEach((button, n) => {
    button.setAttribute("aria-pressed", String(options[n][0] === chosen));
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      choose(options[n][0]);
    });
  });
  return make("span", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

/** A box to tick. */
function tick(text, ticked, change) {
  const box = make("input", { type: "checkbox", onchange: () => change(box.checked) });
  box.checked = ticked;
  return make("label", { class: "tick" }, box, text);
}

/** Buttons of the classes: one shows its class alone, and again all of them. */
function legend(page) {
  const buttons = page.classes.map((name, label) => {
    const dot = make("span", { class: "dot" });
    dot.style.background = page.colours[label];
    return make("button", { type: "button", onclick: () => page.isolate(label) }, dot, name);
  });
  const mark = () =>
    buttons.forEach((button, label) => {
      button.setAttribute("aria-pressed", String(page.isolated === label));
    });
  page.watch(mark);
  mark();
  const about = "Classes: press one to see it alone";
  return make("div", { class: "legend", role: "group", "aria-label": about }, ...buttons);
}

/** How the classifier reads pixels, as text; nothing where there is none. */
function reading(page, pixels) {
  if (!page.classify) return "";
  const odds = softmax(page.classify(pixels));
  const label = odds.indexOf(Math.max(...odds));
  return `reads as ${page.classes[label]}, ${Math.round(100 * odds[label])}%`;
}

/** A number with a true minus sign, and none before zero. */
function decimal(value, places = 2) {
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** The page's data with what is computed from it: networks, and who watches which class is shown. */
function readPage(data) {
  const watchers = [];
  const page = {
    ...data,
    pixels: data.size * data.size * data.channels,
    classify: data.classifier && later(() => network(data.classifier)),
    isolated: null,
    watch: (call) => watchers.push(call),
    isolate(label) {
      page.isolated = page.isolated === label ? null : label;
      for (const call of watchers) call();
    },
  };
  page.models = data.models.map((model) => ({
    ...model,
    decode: later(() => network(model.decoder)),
    encode: model.encoder && later(() => encoder(model)),
  }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const call of watchers) call();
  });
  return page;
}

/** The columns [D][N] of packed numbers [D, N]. */
function columns(packed) {
  const values = unpack(packed);
  const [rows, count] = packed.shape;
  return Array.from({ length: rows }, (_, d) => values.subarray(d * count, (d + 1) * count));
}

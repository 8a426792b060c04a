// The maps of the test images under two models: zoom, move, point at an image.

function maps(page, root) {
  const { models } = page;
  const state = { blend: 0, point: -1 };
  const original = picture(page, "The test image");
  const title = make("p", { class: "readout" });
  const views = [0, Math.min(1, models.length - 1)].slice(0, Math.min(2, models.length));
  const sides = views.map((first) => mapSide(page, state, first, choosePoint));
  const blend = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0,
    "aria-label": "From the map to PCA",
    oninput: () => {
      state.blend = Number(blend.value);
      for (const side of sides) side.place(true);
    } });

  function choosePoint(point) {
    if (point === state.point) return;
    state.point = point;
    const pixels = page.image(point);
    show(original, pixels, page);
    const name = page.classes[page.labels[point]];
    title.replaceChildren(
      make("strong", {}, name === undefined ? "Test image" : name),
      make("span", {}, reading(page, pixels)),
    );
    for (const side of sides) side.look(pixels, point);
  }

  root.append(
    make("div", { class: "controls" },
      make("label", { class: "blend" }, make("span", {}, models[0].method), blend, make("span", {}, "PCA")),
    ),
    make("div", { class: `maps of-${sides.length}` },
      ...sides.map((side) => side.element),
      make("div", { class: "card" },
        make("figure", {}, original, make("figcaption", {}, title)),
        ...sides.map((side) => side.card),
      ),
    ),
  );
  if (page.classes.length) root.append(legend(page));
  choosePoint(0);
  page.mapped = (side, point) => sides[side].pixelsOf(point);
}

/** One map with the choice of its model, and its part of the card. */
function mapSide(page, state, first, choosePoint) {
  let model = page.models[first];
  const name = make("strong");
  const rebuilt = picture(page, "Its reconstruction");
  const says = make("span");
  const method = make("span", { class: "figures" });
  const select = make("select", { "aria-label": "Model of this map", onchange: () => {
    model = page.models[select.selectedIndex];
    place(false);
    if (state.point >= 0) look(page.image(state.point), state.point);
  } }, ...page.models.map((m) => make("option", {}, `${m.name}: ${m.about}`)));
  select.selectedIndex = first;
  const canvas = make("canvas", { class: "map", tabindex: 0, role: "application",
    "aria-label": "Map of test images. Arrow keys go from image to image, + and − zoom, 0 resets." });
  const scatter = new Scatter(canvas, page, page.labels, {
    over(context) {
      if (state.point < 0) return;
      mark(context, ...scatter.toPixels(scatter.xs[state.point], scatter.ys[state.point]));
    },
  });
  const zoom = (factor, ...at) => {
    scatter.zoomBy(factor, ...at);
    canvas.style.touchAction = scatter.zoom > 1.01 ? "none" : "pan-y";
  };
  const button = (text, label, call) =>
    make("button", { type: "button", "aria-label": label, title: label, onclick: call }, text);

  function place(kept) {
    const [from, to] = [model.plane, model.axes];
    const t = state.blend;
    const mixed = from.map((values, d) => values.map((v, p) => v + t * (to[d][p] - v)));
    scatter.place(...mixed, kept);
    if (kept) {
      const { x, y } = scatter.frame;
      scatter.frame = { x, y, half: fit(...mixed).half };
    }
    method.textContent = model.method;
  }

  function look(pixels, point) {
    const decoded = model.decode(model.latent(point));
    show(rebuilt, decoded, page);
    name.textContent = model.name;
    says.textContent = reading(page, decoded);
    scatter.redraw();
  }

  function reset() {
    zoom(1 / scatter.zoom);
    scatter.frame = fit(scatter.xs, scatter.ys);
    scatter.redraw();
  }

  // One pointer moves, two zoom; a mouse that is not pressed points.
  const held = new Map();
  let dragged = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, scatter.at(event));
    dragged = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = scatter.at(event);
    if (!held.has(event.pointerId)) {
      const point = scatter.nearest(...at, 24);
      if (point >= 0) choosePoint(point);
      return;
    }
    const before = held.get(event.pointerId);
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    held.set(event.pointerId, at);
    dragged += Math.abs(dx) + Math.abs(dy);
    const { frame, unit } = scatter;
    scatter.frame = { ...frame, x: frame.x - dx / unit / held.size,
      y: frame.y + dy / unit / held.size };
    if (held.size === 2) {
      const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const gap = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) + 1;
      zoom(gap(at) / gap(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    }
    scatter.redraw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      held.delete(event.pointerId);
      if (end === "pointercancel" || dragged > 6) return;
      const point = scatter.nearest(...scatter.at(event), 40);
      if (point >= 0) choosePoint(point);
    });
  }
  canvas.addEventListener("wheel", (event) => {
    // A page that scrolls past must not be held up: a map zooms once it was clicked, or with Ctrl.
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...scatter.at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key in ways) choosePoint(step(...ways[event.key]));
    else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "0") reset();
    else return;
    event.preventDefault();
  });

  /** The point nearest to the marked one, of those that lie in a direction. */
  function step(dx, dy) {
    const { xs, ys, groups } = scatter;
    const here = Math.max(0, state.point);
    let [best, least] = [here, Infinity];
    groups.forEach((group, label) => {
      if (page.isolated !== null && page.isolated !== label) return;
      for (const point of group) {
        const [x, y] = [xs[point] - xs[here], ys[point] - ys[here]];
        const along = x * dx + y * dy;
        const aside = Math.abs(x * dy) + Math.abs(y * dx);
        if (along <= 0 || aside > along) continue;
        // A step of some size: the very next point is often hidden below this one.
        const away = Math.abs(Math.hypot(x, y) - scatter.frame.half / 25 / scatter.zoom);
        if (away < least) [best, least] = [point, away];
      }
    });
    return best;
  }

  place(false);
  return {
    place,
    look,
    pixelsOf: (point) => scatter.toPixels(scatter.xs[point], scatter.ys[point]),
    element: make("div", { class: "map-side" },
      make("div", { class: "map-head" }, select, method),
      make("div", { class: "map-box" }, canvas,
        make("div", { class: "zoom" },
          button("+", "Zoom in", () => zoom(1.5)),
          button("−", "Zoom out", () => zoom(1 / 1.5)),
          button("⟲", "Show all", reset),
        ),
      ),
    ),
    card: make("figure", {}, rebuilt,
      make("figcaption", {}, make("p", { class: "readout" }, name, says))),
  };
}

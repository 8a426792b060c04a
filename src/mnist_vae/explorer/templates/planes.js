// The latent planes of models with two dimensions: move the dot, see what it decodes to.

function planes(page, root) {
  const flat = page.models.filter((model) => model.dim === 2);
  const state = { pictures: false, circles: true, together: true, touched: false };
  const views = flat.map((model) => plane(page, model, state));
  const redraw = () => views.forEach((view) => view.scatter.redraw());

  // Places are fractions of the frame, so that one hand can move all dots.
  function move(view, u, v) {
    for (const each of state.together ? views : [view]) each.move(u, v);
  }
  for (const view of views) {
    const { canvas } = view.scatter;
    const follow = (event) => {
      state.touched = true;
      const [px, py] = view.scatter.at(event);
      move(view, (2 * px) / view.scatter.width - 1, 1 - (2 * py) / view.scatter.height);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) follow(event);
    });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      state.touched = true;
      const far = event.shiftKey ? 0.1 : 0.02;
      move(view, view.u + far * step[0], view.v + far * step[1]);
    });
  }

  const controls = make(
    "div",
    { class: "controls" },
    choice("What the planes show", [[false, "Points"], [true, "Pictures"]], false, (value) => {
      state.pictures = value;
      redraw();
    }),
  );
  if (flat.some((model) => model.kind === "vae")) {
    controls.append(
      tick("Circles of the prior", true, (value) => {
        state.circles = value;
        redraw();
      }),
    );
  }
  if (flat.length > 1) {
    controls.append(tick("Move together", true, (value) => (state.together = value)));
  }
  root.append(make("div", { class: "planes" }, ...views.map((view) => view.element)), controls);
  if (page.classes.length) root.append(legend(page));

  // Until somebody takes the dot it wanders, to show that it can be moved.
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const begin = performance.now();
  function wander(now) {
    const t = (now - begin) / 1000;
    if (state.touched || t > 25) return;
    for (const view of views) view.move(0.62 * Math.cos(0.5 * t + 0.4), 0.62 * Math.sin(0.8 * t));
    requestAnimationFrame(wander);
  }
  for (const view of views) view.move(0.35, 0.2);
  if (!still) requestAnimationFrame(wander);
  return views;
}

/** One plane with its picture and what is said of it. */
function plane(page, model, state) {
  const canvas = make("canvas", {
    class: "plane",
    tabindex: 0,
    role: "application",
    "aria-label": `The latent plane of ${model.name}. Arrow keys move the dot.`,
  });
  const image = picture(page, `What ${model.name} decodes the dot to`, "large");
  const where = make("span", { class: "figures" });
  const says = make("span");
  const tiles = { across: null, canvas: null, done: 0 };
  const view = {
    model,
    u: 0,
    v: 0,
    element: make(
      "figure",
      { class: "plane-view" },
      make("figcaption", {}, make("strong", {}, model.name), ` ${model.about}`),
      make(
        "div",
        { class: "beside" },
        canvas,
        make("div", { class: "result" }, image, make("p", { class: "readout" }, where, says)),
      ),
    ),
    scatter: new Scatter(canvas, page, page.labels, { under, over }),
    move,
  };
  view.scatter.place(...model.plane);

  /** Where the dot is in the latent plane. */
  function latent() {
    const { x, y, half } = view.scatter.frame;
    return [x + view.u * half, y + view.v * half];
  }

  function move(u, v) {
    view.u = Math.min(1, Math.max(-1, u));
    view.v = Math.min(1, Math.max(-1, v));
    const z = latent();
    const pixels = model.decode(Float32Array.from(z));
    show(image, pixels, page);
    where.textContent = `${z.map((value) => decimal(value)).join(", ")}`;
    says.textContent = reading(page, pixels);
    view.scatter.redraw();
  }

  function under(context, { width, height }) {
    if (!state.pictures) return false;
    paintTiles();
    context.imageSmoothingEnabled = true;
    context.drawImage(tiles.canvas, 0, 0, width, height);
    return true;
  }

  /** Decode a grid of the plane, a few rows in each frame. */
  function paintTiles() {
    const { size } = page;
    tiles.across ??= view.scatter.width < 260 ? 10 : 16;
    const { across } = tiles;
    tiles.canvas ??= make("canvas", { width: across * size, height: across * size });
    if (tiles.done === across) return;
    const { x, y, half } = view.scatter.frame;
    const one = make("canvas", { width: size, height: size });
    const until = performance.now() + 12;
    while (tiles.done < across && performance.now() < until) {
      for (let column = 0; column < across; column++) {
        const [u, v] = [column, across - 1 - tiles.done].map((n) => (2 * n + 1) / across - 1);
        show(one, model.decode(Float32Array.of(x + u * half, y + v * half)), page);
        tiles.canvas.getContext("2d").drawImage(one, column * size, tiles.done * size);
      }
      tiles.done++;
    }
    if (tiles.done < across) view.scatter.redraw();
  }

  function over(context, scatter) {
    if (state.circles && model.kind === "vae") {
      context.strokeStyle = state.pictures ? "#ffffffb0" : inkOf(canvas).ink;
      context.lineWidth = 1.2;
      context.setLineDash([4, 4]);
      const [cx, cy] = scatter.toPixels(0, 0);
      for (const radius of [1, 2, 3]) {
        context.beginPath();
        context.arc(cx, cy, radius * scatter.unit, 0, 2 * Math.PI);
        context.stroke();
      }
      context.setLineDash([]);
    }
    mark(context, ...scatter.toPixels(...latent()));
  }
  return view;
}

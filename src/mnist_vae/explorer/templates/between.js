// From one test image to another, in a straight line through the latents of each model.

const STEPS = 9;

function between(page, root) {
  const ends = [page.random(), page.random()];
  const position = make("input", { type: "range", min: 0, max: 1, step: 0.005, value: 0.5,
    "aria-label": "From the first image to the second", oninput: () => slide() });
  const picks = ends.map((_, n) => pick(n));
  const rows = page.models.map((model) => {
    const current = picture(page, `Between the two, by ${model.name}`);
    const steps = Array.from({ length: STEPS }, () => picture(page, "A step between the two"));
    const element = make("div", { class: "walk" },
      make("div", { class: "walk-now" }, current),
      make("p", { class: "note" }, make("strong", {}, model.name), ` ${model.about}`),
      make("div", { class: "strip steps" }, ...steps));
    return { model, current, steps, element };
  });

  function mixed([a, b], t) {
    return a.map((value, d) => value + t * (b[d] - value));
  }

  function slide() {
    const t = Number(position.value);
    for (const { model, current, codes } of rows) show(current, model.decode(mixed(codes, t)), page);
  }

  function start() {
    const images = ends.map((point) => page.image(point));
    picks.forEach(({ canvas }, n) => show(canvas, images[n], page));
    for (const row of rows) {
      row.codes = images.map((pixels) => row.model.encode(pixels).mean);
      row.steps.forEach((canvas, n) => {
        show(canvas, row.model.decode(mixed(row.codes, n / (STEPS - 1))), page);
      });
    }
    slide();
  }

  function pick(n) {
    const canvas = picture(page, n ? "The second image" : "The first image");
    let label = null;
    const another = () => {
      ends[n] = page.random(label);
      start();
    };
    const parts = [make("button", { type: "button", class: "thumb", title: "Another image",
      onclick: another }, canvas)];
    if (page.classes.length) {
      const select = make("select", { "aria-label": "Class of this image", onchange: () => {
        label = select.selectedIndex ? select.selectedIndex - 1 : null;
        another();
      } }, make("option", {}, "any"), ...page.classes.map((name) => make("option", {}, name)));
      parts.push(select);
    } else {
      parts.push(make("button", { type: "button", onclick: another }, "Another"));
    }
    return { canvas, element: make("div", { class: "pick" }, ...parts) };
  }

  root.append(
    make("div", { class: "ends" }, picks[0].element,
      make("label", { class: "blend" }, position), picks[1].element),
    ...rows.map((row) => row.element),
  );
  start();
}

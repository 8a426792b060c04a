// One model: a slider for each dimension of its latent, and samples from its priors.

const FIRST = 16; // sliders that are shown at once
const SAMPLES = 10;

function dials(page, root) {
  const place = make("div");
  const open = (model) => place.replaceChildren(dialsOf(page, model));
  const names = page.models.map((model) => [model, model.name]);
  root.append(
    make("div", { class: "controls" }, choice("Model", names, page.models[0], open)),
    place,
  );
  open(page.models[0]);
}

function dialsOf(page, model) {
  const { dim, order, centre, spread, used } = model;
  const latent = Float32Array.from(centre);
  const image = picture(page, `What ${model.name} decodes the sliders to`, "large");
  const says = make("p", { class: "readout", "aria-live": "polite" });
  const sliders = order.map((d) => {
    const value = make("output", { class: "figures" });
    const input = make("input", { type: "range", min: -4, max: 4, step: 0.05,
      "aria-label": `Dimension ${d}, in units of its spread`,
      oninput: () => {
        latent[d] = centre[d] + Number(input.value) * spread[d];
        look();
      } });
    const unit = model.kind === "vae" ? `${decimal(used[d])} nats` : `variance ${decimal(used[d])}`;
    const show = () => {
      const units = (latent[d] - centre[d]) / spread[d];
      input.value = units;
      value.textContent = decimal(units, 1);
    };
    const name = make("span", { class: "dim", title: unit }, `z${d}`);
    const share = make("span", { class: "share", title: unit });
    share.style.setProperty("--share", used[order[0]] > 0 ? used[d] / used[order[0]] : 0);
    return { show, element: make("label", { class: "slider" }, name, share, input, value) };
  });

  function look() {
    const pixels = model.decode(latent);
    show(image, pixels, page);
    says.textContent = reading(page, pixels);
    for (const slider of sliders) slider.show();
  }

  function set(values) {
    latent.set(values);
    look();
  }

  const parts = sliders.map((slider) => slider.element);
  const more = parts.length > FIRST
    ? [make("details", {}, make("summary", {}, `${parts.length - FIRST} more`),
        make("div", { class: "sliders" }, ...parts.slice(FIRST)))]
    : [];
  const of = model.kind === "vae" ? "rate" : "variance";
  const element = make("div", { class: "dials" },
    make("div", { class: "dial-image" }, image, says,
      make("div", { class: "controls" },
        make("button", { type: "button", onclick: () => set(centre) }, "Mean"),
        make("button", { type: "button",
          onclick: () => set(model.encode(page.image(page.random())).mean) }, "A test image"),
      )),
    make("div", { class: "dial-sliders" },
      make("p", { class: "note" }, make("strong", {}, model.name), ` ${model.about}. `,
        dim > 1 ? `Sorted by ${of}, which the bars show.` : ""),
      make("div", { class: "sliders" }, ...parts.slice(0, FIRST)), ...more),
    make("div", { class: "samples" },
      make("h3", {}, "Samples"),
      make("p", { class: "note" }, "Press one to put it on the sliders."),
      ...model.priors.map((prior) => samplesOf(page, model, prior, set))),
  );
  look();
  return element;
}

/** A row of images that are decoded from draws of one prior. */
function samplesOf(page, model, prior, set) {
  let label = null;
  const row = make("div", { class: "strip" });
  function again() {
    row.replaceChildren(...Array.from({ length: SAMPLES }, () => {
      const latent = draw(prior, label);
      const canvas = picture(page, "A sample");
      show(canvas, model.decode(latent), page);
      return make("button", { type: "button", class: "thumb", title: "Put on the sliders",
        onclick: () => set(latent) }, canvas);
    }));
  }
  const head = [make("span", {}, prior.label)];
  if (prior.labels) {
    const present = [...new Set(prior.labels)];
    const select = make("select", { "aria-label": "Class", onchange: () => {
      label = select.selectedIndex ? present[select.selectedIndex - 1] : null;
      again();
    } }, make("option", {}, "any class"),
      ...present.map((k) => make("option", {}, page.classes[k] ?? String(k))));
    head.push(select);
  }
  head.push(make("button", { type: "button", onclick: again }, "Draw again"));
  again();
  return make("div", { class: "prior" }, make("div", { class: "prior-head" }, ...head), row);
}

// A canvas of points in the plane, coloured by class, that can be moved and zoomed.

class Scatter {
  /**
   * `labels` say which class each point is of; `over(context, scatter)` draws on top of the points,
   * `under` below them, where it may return true to leave them out.
   */
  constructor(canvas, page, labels, { over = () => {}, under = () => false } = {}) {
    Object.assign(this, { canvas, page, over, under });
    this.context = canvas.getContext("2d");
    this.groups = page.classes.map(() => []);
    if (!this.groups.length) this.groups.push([]);
    labels.forEach((label, point) => this.groups[label].push(point));
    this.zoom = 1;
    this.width = this.height = 0;
    this.redraw = everyFrame(() => this.draw());
    page.watch(this.redraw);
    new ResizeObserver(() => this.measure()).observe(canvas);
  }

  /** Show points at these places; the frame is fitted to them unless it is `kept`. */
  place(xs, ys, kept = false) {
    Object.assign(this, { xs, ys });
    if (!kept) this.frame = fit(xs, ys);
    this.redraw();
  }

  measure() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    Object.assign(this, { width, height });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  /** Pixels of a unit. */
  get unit() {
    return (this.zoom * Math.min(this.width, this.height)) / 2 / this.frame.half;
  }

  toPixels(x, y) {
    const { width, height, unit, frame } = this;
    return [width / 2 + (x - frame.x) * unit, height / 2 - (y - frame.y) * unit];
  }

  toPoint(px, py) {
    const { width, height, unit, frame } = this;
    return [frame.x + (px - width / 2) / unit, frame.y - (py - height / 2) / unit];
  }

  /** The place of a pointer's event. */
  at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** The point nearest to a pixel, or -1 if none is within `reach` pixels. */
  nearest(px, py, reach = Infinity) {
    const [x, y] = this.toPoint(px, py);
    let [best, least] = [-1, (reach / this.unit) ** 2];
    this.groups.forEach((group, label) => {
      if (this.page.isolated !== null && this.page.isolated !== label) return;
      for (const point of group) {
        const away = (this.xs[point] - x) ** 2 + (this.ys[point] - y) ** 2;
        if (away < least) [best, least] = [point, away];
      }
    });
    return best;
  }

  /** Zoom by a factor, so that what is at a pixel stays there. */
  zoomBy(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = this.toPoint(px, py);
    this.zoom = Math.min(60, Math.max(0.6, this.zoom * factor));
    const [now, then] = this.toPoint(px, py);
    this.frame = { ...this.frame, x: this.frame.x + x - now, y: this.frame.y + y - then };
    this.redraw();
  }

  draw() {
    if (!this.xs || !this.width) return;
    const { context, width, height, unit, frame, page, xs, ys } = this;
    const ratio = this.canvas.width / width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!this.under(context, this)) {
      const radius = Math.sqrt((width * height) / xs.length) * 0.18 * this.zoom ** 0.4;
      const r = Math.min(4, Math.max(0.8, radius));
      const [left, top] = [width / 2 - frame.x * unit, height / 2 + frame.y * unit];
      this.groups.forEach((group, label) => {
        const hidden = page.isolated !== null && page.isolated !== label;
        context.globalAlpha = hidden ? 0.06 : 0.62;
        context.fillStyle = page.colours[label] ?? "#6b7f90";
        context.beginPath();
        for (const point of group) {
          const x = left + xs[point] * unit;
          const y = top - ys[point] * unit;
          if (x < -r || y < -r || x > width + r || y > height + r) continue;
          if (r < 1.5) context.rect(x - r, y - r, 2 * r, 2 * r);
          else {
            context.moveTo(x + r, y);
            context.arc(x, y, r, 0, 2 * Math.PI);
          }
        }
        context.fill();
      });
      context.globalAlpha = 1;
    }
    this.over(context, this);
  }
}

/** The square about the middle 99% of points in either direction: its centre, and half its side. */
function fit(xs, ys) {
  const [[x, across], [y, up]] = [xs, ys].map((values) => {
    const sorted = Float32Array.from(values).sort();
    const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
    return [(at(0.005) + at(0.995)) / 2, (at(0.995) - at(0.005)) / 2];
  });
  return { x, y, half: 1.08 * Math.max(across, up, 1e-6) };
}

/** A dot that shows on any ground. */
function mark(context, x, y, radius = 7) {
  for (const [r, colour] of [
    [radius + 2.5, "#000"],
    [radius + 1, "#fff"],
    [radius - 1, "#e4002b"],
  ]) {
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  }
}

/** Colours of text and lines that the page's style sets. */
function inkOf(element) {
  const style = getComputedStyle(element);
  return { ink: style.color, line: style.borderTopColor };
}

// The networks of the page: what torch computes, as plain loops over typed arrays.
//
// Images are flat Float32Arrays [H, W, C] of pixels from 0 to 1, latents flat arrays [D]. Channels
// come last, so that the innermost loops run over numbers that lie side by side.

/** The bytes that base64 stands for. */
function bytes(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let i = 0; i < found.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

/** The numbers of an array: whole ones of 8 or 16 bits, times the scale of their row. */
function unpack({ shape, bits, data, scale }) {
  const raw = bytes(data).buffer;
  const whole = bits === 8 ? new Int8Array(raw) : new Int16Array(raw);
  const scales = new Float32Array(bytes(scale).buffer);
  const values = new Float32Array(whole.length);
  const row = whole.length / shape[0];
  for (let i = 0; i < whole.length; i++) values[i] = whole[i] * scales[Math.floor(i / row)];
  return values;
}

// --- Layers: each kind gives a function from its input to its output -----------------------------

const LAYERS = {
  relu: () => (x) => x.map((value) => Math.max(value, 0)),

  sigmoid: () => (x) => x.map((value) => 1 / (1 + Math.exp(-value))),

  /** y = W x + b. */
  linear(layer) {
    const weight = unpack(layer.weight);
    const bias = unpack(layer.bias);
    const [outputs, inputs] = layer.weight.shape;
    return (x) => {
      const y = new Float32Array(outputs);
      for (let o = 0; o < outputs; o++) {
        let sum = bias[o];
        for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * x[i];
        y[o] = sum;
      }
      return y;
    };
  },

  /** A convolution: each output pixel gathers from the input below its kernel. */
  gather(layer) {
    const { large, small, tap } = overlaps(layer, layer.before, layer.after);
    return convolution(layer, large, small, tap, (row, column) => [column, row]);
  },

  /** A transposed convolution: each input pixel spreads over the output below its kernel. */
  spread(layer) {
    const { large, small, tap } = overlaps(layer, layer.after, layer.before);
    return convolution(layer, small, large, tap, (row, column) => [row, column]);
  },
};

/**
 * Where a kernel joins a large map to a small one, as three lists of the same length: a pixel of
 * each, and the number of the kernel between them. What lies in the padding is left out.
 */
function overlaps({ kernel, stride, padding }, largeSize, smallSize) {
  const [large, small, tap] = [[], [], []];
  for (let row = 0; row < smallSize; row++) {
    for (let column = 0; column < smallSize; column++) {
      for (let k = 0; k < kernel * kernel; k++) {
        const y = row * stride + Math.floor(k / kernel) - padding;
        const x = column * stride + (k % kernel) - padding;
        if (y < 0 || x < 0 || y >= largeSize || x >= largeSize) continue;
        large.push(y * largeSize + x);
        small.push(row * smallSize + column);
        tap.push(k);
      }
    }
  }
  const lists = { large, small, tap };
  for (const name in lists) lists[name] = Int32Array.from(lists[name]);
  return lists;
}

/**
 * The function that carries pixels `from` the input `to` the output, each through a tap of the
 * kernel. `order` says which input and output a row and column of the weight stand for.
 */
function convolution(layer, from, to, tap, order) {
  const { inputs, outputs, kernel, after } = layer;
  const bias = unpack(layer.bias);
  const packed = unpack(layer.weight);
  const [rows, columns] = layer.weight.shape;
  const taps = kernel * kernel;
  const weight = new Float32Array(packed.length); // [taps, inputs, outputs]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [i, o] = order(row, column);
      for (let k = 0; k < taps; k++) {
        weight[(k * inputs + i) * outputs + o] = packed[(row * columns + column) * taps + k];
      }
    }
  }
  return (x) => {
    const y = new Float32Array(after * after * outputs);
    for (let pixel = 0; pixel < y.length; pixel += outputs) y.set(bias, pixel);
    for (let n = 0; n < tap.length; n++) {
      const target = to[n] * outputs;
      for (let i = 0; i < inputs; i++) {
        const value = x[from[n] * inputs + i];
        if (value === 0) continue; // black, or cut by a ReLU
        const at = (tap[n] * inputs + i) * outputs;
        for (let o = 0; o < outputs; o++) y[target + o] += weight[at + o] * value;
      }
    }
    return y;
  };
}

// --- Networks ------------------------------------------------------------------------------------

/** The function that layers compute, one after another. */
function network(layers) {
  const steps = layers.map((layer) => LAYERS[layer.op](layer));
  return (x) => steps.reduce((value, step) => step(value), x);
}

/** What an image becomes: `mean` and `logvar` of its posterior; no `logvar` of an autoencoder. */
function encoder({ encoder: layers, mean, logvar }) {
  const [body, toMean, toLogvar] = [layers, mean, logvar].map((part) => part && network(part));
  return (pixels) => {
    const hidden = body(pixels);
    return { mean: toMean(hidden), logvar: toLogvar ? toLogvar(hidden) : null };
  };
}

/** Logits as probabilities. */
function softmax(logits) {
  const most = Math.max(...logits);
  const odds = Array.from(logits, (value) => Math.exp(value - most));
  const sum = odds.reduce((a, b) => a + b, 0);
  return odds.map((value) => value / sum);
}

// --- Draws ---------------------------------------------------------------------------------------

/** A standard normal number (Box & Muller 1958). */
function normal() {
  const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
  return radius * Math.cos(2 * Math.PI * Math.random());
}

/**
 * A latent from a prior, a mixture of Gaussians: a component by its weight, then its mean and its
 * factor times standard normal numbers. Of the class `label` alone if that is given.
 */
function draw(prior, label = null) {
  const { weights, means, factors, labels, dim } = prior;
  const open = weights.map((weight, k) => (label === null || labels[k] === label ? weight : 0));
  let left = Math.random() * open.reduce((a, b) => a + b, 0);
  let k = open.findIndex((weight) => (left -= weight) < 0);
  if (k < 0) k = open.findLastIndex((weight) => weight > 0);
  const noise = Array.from({ length: dim }, normal);
  const latent = means.slice(k * dim, (k + 1) * dim);
  const triangle = (dim * (dim + 1)) / 2; // a factor is lower triangular, and kept row by row
  for (let row = 0, at = k * triangle; row < dim; row++) {
    for (let column = 0; column <= row; column++) latent[row] += factors[at++] * noise[column];
  }
  return latent;
}

/** What `draw` takes, of a prior as the page holds it. */
function readPrior({ name, label, weights, means, factors, labels }) {
  return {
    name,
    label,
    weights: Array.from(weights),
    means: unpack(means),
    factors: unpack(factors),
    labels,
    dim: means.shape[1],
  };
}

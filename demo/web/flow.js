// From noise to a log-mel: the numbers of tts_fm/runtime/flow.py, tts_fm/audio/spectrum.py and tts_fm/duration.py once more.

/** What torch.randn draws on a CPU after manual_seed(seed), `count` a multiple of 16: 24 bits of a Mersenne Twister each. */
export function noise(seed, count) {
  const state = new Uint32Array(624);
  state[0] = seed >>> 0;
  for (let i = 1; i < 624; i++) {
    state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }
  let index = 624;
  const next = () => {
    if (index === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      index = 0;
    }
    let y = state[index++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const drawn = Float32Array.from({ length: count }, () => (next() & 0xffffff) / 2 ** 24);
  for (let i = 0; i < count; i += 16) {
    for (let j = i; j < i + 8; j++) {
      const radius = Math.sqrt(-2 * Math.log(1 - drawn[j]));
      const angle = 2 * Math.PI * drawn[j + 8];
      drawn[j] = radius * Math.cos(angle);
      drawn[j + 8] = radius * Math.sin(angle);
    }
  }
  return drawn;
}

/** Whole numbers in proportion to `weights` that sum to `total`; the largest remainders are rounded up. */
export function apportion(weights, total) {
  const clipped = weights.map((weight) => Math.max(weight, 0));
  const whole = clipped.reduce((a, b) => a + b, 0);
  const shares = clipped.map((weight) => (whole === 0 ? total / weights.length : (weight / whole) * total));
  const counts = shares.map(Math.floor);
  const left = total - counts.reduce((a, b) => a + b, 0);
  const order = [...shares.keys()].sort((a, b) => counts[a] - shares[a] - (counts[b] - shares[b]));
  for (const i of order.slice(0, left)) counts[i] += 1;
  return counts;
}

/** `mel` (n * c numbers) with mean and covariance of its loud frames moved towards those of `prompt`. */
export function like(mel, prompt, c, strength) {
  const spoken = loud(mel, c);
  const heard = loud(prompt, c);
  strength *= Math.min(1, spoken.length / 150);
  if (strength === 0 || spoken.length < 2 || heard.length < 2) return mel;
  const [from, to] = [mean(spoken, c), mean(heard, c)];
  const move = transport(covariance(spoken, from, c), covariance(heard, to, c), c);
  const moved = new Float32Array(mel.length);
  for (let start = 0; start < mel.length; start += c) {
    for (let j = 0; j < c; j++) {
      let sum = to[j];
      for (let i = 0; i < c; i++) sum += (mel[start + i] - from[i]) * move[i * c + j];
      moved[start + j] = mel[start + j] + strength * (sum - mel[start + j]);
    }
  }
  return moved;
}

function loud(mel, c) {
  const frames = [];
  for (let start = 0; start < mel.length; start += c) frames.push(mel.subarray(start, start + c));
  const levels = frames.map((frame) => frame.reduce((a, b) => a + b, 0) / c);
  const sorted = [...levels].sort((a, b) => a - b);
  const at = (sorted.length - 1) * (1 - 0.65);
  const low = Math.floor(at);
  const quantile = sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
  return frames.filter((_, i) => levels[i] > quantile);
}

function mean(frames, c) {
  return Float64Array.from({ length: c }, (_, i) => frames.reduce((sum, frame) => sum + frame[i], 0) / frames.length);
}

/** The covariance between channels, half of what lies beside the diagonal left out. */
function covariance(frames, centre, c) {
  const matrix = new Float64Array(c * c);
  for (const frame of frames) {
    for (let i = 0; i < c; i++) {
      for (let j = 0; j < c; j++) matrix[i * c + j] += (frame[i] - centre[i]) * (frame[j] - centre[j]);
    }
  }
  return matrix.map((value, at) => {
    const isDiagonal = at % (c + 1) === 0;
    return (value / (frames.length - 1)) * (isDiagonal ? 1 : 0.5) + (isDiagonal ? 1e-4 : 0);
  });
}

/** The symmetric A with A a A = b, its stretches between 0.5 and 2. */
export function transport(a, b, c) {
  const root = changed(a, c, (value) => Math.sqrt(Math.max(value, 1e-8)));
  const inverse = changed(a, c, (value) => 1 / Math.sqrt(Math.max(value, 1e-8)));
  const middle = changed(product(product(root, b, c), root, c), c, (value) => Math.sqrt(Math.max(value, 1e-8)));
  return changed(product(product(inverse, middle, c), inverse, c), c, (value) => Math.min(Math.max(value, 0.5), 2));
}

function product(a, b, c) {
  const out = new Float64Array(c * c);
  for (let i = 0; i < c; i++) {
    for (let k = 0; k < c; k++) {
      for (let j = 0; j < c; j++) out[i * c + j] += a[i * c + k] * b[k * c + j];
    }
  }
  return out;
}

/** A symmetric matrix with its eigenvalues changed, which Jacobi's rotations find. */
function changed(matrix, c, change) {
  const a = Float64Array.from(matrix, (_, at) => (matrix[at] + matrix[(at % c) * c + Math.floor(at / c)]) / 2);
  const vectors = Float64Array.from(a, (_, at) => (at % (c + 1) === 0 ? 1 : 0));
  for (let sweep = 0; sweep < 30; sweep++) {
    let beside = 0;
    for (let p = 0; p < c; p++) {
      for (let q = p + 1; q < c; q++) beside += a[p * c + q] ** 2;
    }
    if (beside < 1e-22) break;
    for (let p = 0; p < c; p++) {
      for (let q = p + 1; q < c; q++) rotate(a, vectors, c, p, q);
    }
  }
  const scaled = vectors.map((value, at) => value * change(a[(at % c) * (c + 1)]));
  return product(scaled, vectors.map((_, at) => vectors[(at % c) * c + Math.floor(at / c)]), c);
}

function rotate(a, vectors, c, p, q) {
  if (Math.abs(a[p * c + q]) < 1e-300) return;
  const theta = (a[q * c + q] - a[p * c + p]) / (2 * a[p * c + q]);
  const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cos = 1 / Math.hypot(tangent, 1);
  const sin = tangent * cos;
  for (let k = 0; k < c; k++) {
    const [x, y] = [a[k * c + p], a[k * c + q]];
    a[k * c + p] = cos * x - sin * y;
    a[k * c + q] = sin * x + cos * y;
  }
  for (let k = 0; k < c; k++) {
    const [x, y] = [a[p * c + k], a[q * c + k]];
    a[p * c + k] = cos * x - sin * y;
    a[q * c + k] = sin * x + cos * y;
    const [u, v] = [vectors[k * c + p], vectors[k * c + q]];
    vectors[k * c + p] = cos * u - sin * v;
    vectors[k * c + q] = sin * u + cos * v;
  }
}

// A text in, samples out, with what `tts-fm export onnx` wrote: tts_fm/runtime/speaker.py once more, in the browser.
import { apportion, like, noise } from "./flow.js";
import { read } from "./reading.js";

const PUNCTUATION = /(\s*[;:,.!?…—"()]+\s*)/;
const FORMAT = 6; // of model.json, as tts_fm/runtime/manifest.py writes it

/** Read the model; `load(name)` gives a file's bytes, `ort` is onnxruntime-web, `phonemize(text, language)` espeak-ng. */
export async function load(loadFile, ort, phonemize, onProgress = () => {}) {
  const about = JSON.parse(new TextDecoder().decode(await loadFile("model.json")));
  if (about.format !== FORMAT) {
    throw new Error(
      `The model has format ${about.format}, this page reads ${FORMAT}; export it anew: tts-fm export onnx default demo/web/model`,
    );
  }
  const sessions = {};
  const options = { extra: { session: { disable_quant_qdq: "1" } } };
  for (const name of ["raised", "velocity", "sound", "prepared", "text"]) {
    onProgress(`loading ${name}`);
    sessions[name] = await ort.InferenceSession.create(await loadFile(`${name}.onnx`), options);
  }
  const voices = {};
  for (const [name, voice] of Object.entries(about.voices)) {
    voices[name] = { ...voice, mel: new Float32Array((await loadFile(voice.mel)).slice().buffer) };
  }
  return new Speaker(about, sessions, voices, ort, phonemize);
}

class Speaker {
  constructor(about, sessions, voices, ort, phonemize) {
    Object.assign(this, { about, sessions, voices, ort, phonemize });
    this.ids = new Map(about.symbols.map((symbol, i) => [symbol, i]));
  }

  /** Return samples and what was said: `{samples, sampleRate, frames, tokens, text}`, the text as it was read. */
  async speak(text, { voice = "default", seed = 0, speed = 1, onProgress = () => {} } = {}) {
    const entry = this.voices[voice];
    const { sample_rate: rate, n_mels: c } = this.about;
    text = this.about.language.startsWith("en") ? read(text) : text;
    const pieces = text.split(/\n[^\S\n]*\n/).flatMap((paragraph) => cut(paragraph, entry.longest_piece));
    if (pieces.length === 0) throw new Error("There is nothing to speak; write at least one word.");
    const parts = [];
    const tokens = [];
    let frames = 0;
    for (const [i, piece] of pieces.entries()) {
      onProgress(`speaking ${i + 1} of ${pieces.length}`);
      const said = await this.tokens(piece.text);
      const mel = await this.mel(said, entry, seed + i, speed);
      const { raised } = await this.sessions.raised.run({ mel: this.tensor(mel, [1, mel.length / c, c]) });
      const { samples } = await this.sessions.sound.run({ raised });
      const loud = samples.data.map((sample) => sample * entry.gain);
      const isLast = i === pieces.length - 1;
      fade(loud, Math.round(0.01 * rate), i > 0, !isLast);
      parts.push(loud);
      const pause = piece.isEnd ? this.about.paragraph_pause : this.about.pause;
      if (!isLast) parts.push(new Float32Array(Math.round(pause * rate)));
      tokens.push(said);
      frames += mel.length / c;
    }
    const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    return { samples, sampleRate: rate, frames, tokens, text };
  }

  /** Return phonemes and punctuation, one token a character. */
  async tokens(text) {
    const parts = text.split(PUNCTUATION).filter((part) => part !== "");
    const said = parts.map(async (part) =>
      PUNCTUATION.test(part) ? part : (await this.phonemize(part, this.about.language)).join(" "),
    );
    return ["^", ...(await Promise.all(said)).join("").trim(), "$"];
  }

  /** Return the log-mel of one piece, its prompt left away. */
  async mel(tokens, voice, seed, speed) {
    const { about, ort } = this;
    const c = about.n_mels;
    const given = voice.mel.length / c;
    const ids = tokens.map((token) => this.ids.get(token) ?? 0);
    const predicted = (await this.sessions.text.run({ token_ids: this.integers(ids) })).frames.data;
    const length = Math.round((predicted.reduce((a, b) => a + b, 0) * voice.pace) / speed);
    const measured = apportion([...predicted], Math.max(about.floor_frames, length));
    measured[0] = Math.min(measured[0], about.leading_frames);
    const target = withPauses(measured, tokens, about.sample_rate / about.hop_length / speed, about.mark_pauses);
    const n = given + target.reduce((a, b) => a + b, 0);
    const padded = Math.ceil(n / about.patch) * about.patch;
    const isPrompt = Uint8Array.from({ length: padded }, (_, i) => (i < given ? 1 : 0));
    const isValid = Uint8Array.from({ length: padded }, (_, i) => (i < n ? 1 : 0));
    const prompt = new Float32Array(padded * c);
    prompt.set(voice.mel);
    const tokenIds = this.integers([about.filler, ...ids]);
    const { encoded } = await this.sessions.text.run({ token_ids: tokenIds });
    const prepared = await this.sessions.prepared.run({
      encoded,
      token_ids: tokenIds,
      token_frames: this.integers([given, ...target]),
      prompt_mel: this.tensor(prompt, [1, padded, c]),
      is_prompt: new ort.Tensor("bool", isPrompt, [1, padded]),
      is_valid: new ort.Tensor("bool", isValid, [1, padded]),
      ...(voice.heard.length > 0 && { heard: this.tensor(Float32Array.from(voice.heard), [1, voice.heard.length]) }),
    });
    const rows = about.guidance > 0 ? 2 : 1;
    const first = (tensor) =>
      this.tensor(tensor.data.slice(0, (tensor.data.length / 2) * rows), [rows, ...tensor.dims.slice(1)]);
    const constant = {
      input: first(prepared.input),
      voice: first(prepared.voice),
      is_valid: new ort.Tensor("bool", repeated(isValid, rows), [rows, padded]),
    };
    const x0 = new Float32Array(padded * c);
    x0.set(noise(seed, n * c).map((value) => about.temperature * value));
    const sigma = (t) => 1 - (1 - about.sigma_min) * t;
    const onPath = (x1, i, t) => sigma(t) * x0[i] + t * x1[i];
    const x = x0.slice();
    const integrate = async (times) => {
      for (let step = 0; step + 1 < times.length; step++) {
        const [t, until] = [Math.fround(times[step]), Math.fround(times[step + 1])];
        if (about.follows_prompt) for (let i = 0; i < given * c; i++) x[i] = onPath(prompt, i, t);
        const { velocity } = await this.sessions.velocity.run({
          ...constant,
          x_t: this.tensor(repeated(x, rows), [rows, padded, c]),
          t: this.tensor(Float32Array.of(t), [1]),
          until: this.tensor(Float32Array.of(about.is_leaping ? until : t), [1]),
        });
        const v = velocity.data;
        for (let i = 0; i < x.length; i++) {
          const guided = rows === 1 ? v[i] : v[i] + about.guidance * (v[i] - v[x.length + i]);
          x[i] += (until - t) * guided;
        }
      }
    };
    await integrate(about.times.slice(0, -1));
    const before = x.slice();
    await integrate(about.times.slice(-2));
    const [s, t] = about.times.slice(-2);
    if (t < 1) {
      // Where the path through both of them ends.
      const scale = sigma(s) * t - sigma(t) * s;
      for (let i = 0; i < x.length; i++) x[i] = (sigma(s) * x[i] - sigma(t) * before[i]) / scale;
    }
    x.set(prompt.subarray(0, given * c));
    x.set(like(x.subarray(given * c, n * c), prompt.subarray(0, given * c), c, about.match_prompt), given * c);
    if (about.settling.length > 1) {
      const from = Math.fround(about.settling[0]);
      for (let i = 0; i < x.length; i++) x[i] = onPath(x, i, from);
      await integrate(about.settling);
    }
    return x.slice(given * c, n * c).map((value) => value * about.mel_std + about.mel_mean);
  }

  tensor(data, dims) {
    return new this.ort.Tensor("float32", data, dims);
  }

  integers(values) {
    return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  }
}

function repeated(values, rows) {
  const out = new values.constructor(values.length * rows);
  for (let row = 0; row < rows; row++) out.set(values, row * values.length);
  return out;
}

/** Give marks inside the text the pause of a reader: `pauses` has the least and the most seconds of each kind. */
export function withPauses(frames, tokens, rate, pauses) {
  const last = tokens.findLastIndex((token) => /\p{L}/u.test(token));
  const bounds = (token) => Object.entries(pauses).find(([marks]) => marks.includes(token))?.[1];
  return frames.map((count, i) => {
    if (i >= last || !bounds(tokens[i]) || (i > 0 && bounds(tokens[i - 1]))) return count;
    const [least, most] = bounds(tokens[i]);
    return Math.min(Math.max(count, Math.round(least * rate)), Math.round(most * rate));
  });
}

/** Fade the inner edges with half a raised cosine, so that a silence begins and ends without a jump. */
function fade(samples, length, isRising, isFalling) {
  const n = Math.min(length, Math.floor(samples.length / 2));
  for (let i = 0; i < n; i++) {
    const weight = (1 - Math.cos((Math.PI * (i + 1)) / (n + 1))) / 2;
    if (isRising) samples[i] *= weight;
    if (isFalling) samples[samples.length - 1 - i] *= weight;
  }
}

/** Cut a paragraph at the ends of its sentences into pieces `{text, isEnd}` of at most `most` characters; longer sentences at spaces. */
export function cut(paragraph, most) {
  const sentences = paragraph.replace(/\s+/g, " ").trim().match(/[^.!?…]+[.!?…]*["')]*\s*|[.!?…]+/g) ?? [];
  const pieces = [];
  for (const sentence of sentences) {
    for (const part of sentence.length > most ? sentence.match(new RegExp(`.{1,${most}}(\\s|$)`, "g")) ?? [] : [sentence]) {
      if (pieces.length > 0 && (pieces.at(-1) + part).length <= most) pieces[pieces.length - 1] += part;
      else pieces.push(part);
    }
  }
  const spoken = pieces.map((piece) => piece.trim()).filter((piece) => /[\p{L}\p{N}]/u.test(piece));
  return spoken.map((text, i) => ({ text, isEnd: i === spoken.length - 1 }));
}

/** Return a 16-bit WAV whose comment says that a machine spoke. */
export function wav(samples, sampleRate, facts) {
  const comment = new TextEncoder().encode(JSON.stringify(facts));
  const info = comment.length + 1 + ((comment.length + 1) % 2);
  const size = 44 + 2 * samples.length + 20 + info;
  const view = new DataView(new ArrayBuffer(size));
  let at = 0;
  const word = (text) => [...text].forEach((letter) => view.setUint8(at++, letter.charCodeAt(0)));
  const long = (value) => view.setUint32((at += 4) - 4, value, true);
  const short = (value) => view.setInt16((at += 2) - 2, value, true);
  word("RIFF"), long(size - 8), word("WAVEfmt "), long(16), short(1), short(1);
  long(sampleRate), long(2 * sampleRate), short(2), short(16), word("data"), long(2 * samples.length);
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  for (const sample of samples) short(Math.round((sample / peak) * 32767));
  word("LIST"), long(12 + info), word("INFOICMT"), long(info);
  new Uint8Array(view.buffer).set(comment, at);
  return new Blob([view.buffer], { type: "audio/wav" });
}

// The page: loads the model once, speaks what is written, plays it and offers it as a file.
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { phonemize } from "./node_modules/phonemizer/dist/phonemizer.js";
import { load, wav } from "./speaker.js";

const at = (id) => document.getElementById(id);
const say = (line, isError = false) => {
  at("state").textContent = line;
  at("state").className = isError ? "error" : "";
};

async function file(name) {
  const answer = await fetch(`model/${name}`);
  if (!answer.ok) throw new Error(`model/${name} is missing; write it by: tts-fm export onnx default demo/web/model`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function speak(speaker) {
  at("speak").disabled = true;
  try {
    const [seed, speed] = [Number(at("seed").value), Number(at("speed").value)];
    const began = performance.now();
    const spoken = await speaker.speak(at("text").value, { seed, speed, onProgress: say });
    const seconds = spoken.samples.length / spoken.sampleRate;
    const facts = { software: "tts-fm", is_generated: "True", model: speaker.about.name, seed, text: at("text").value };
    const url = URL.createObjectURL(wav(spoken.samples, spoken.sampleRate, facts));
    URL.revokeObjectURL(at("audio").src);
    at("audio").src = at("file").href = url;
    at("made").hidden = false;
    at("read").textContent = spoken.text === at("text").value ? "" : `Read as: ${spoken.text}`;
    const factor = (performance.now() - began) / 1000 / seconds;
    say(`${seconds.toFixed(2)} s of speech, ${spoken.frames} frames (real-time factor ${factor.toFixed(2)})`);
    at("audio").play().catch(() => {}); // some browsers wait for another click
  } catch (error) {
    say(error.message, true);
  }
  at("speak").disabled = false;
}

ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
try {
  const speaker = await load(file, ort, phonemize, say);
  at("speak").addEventListener("click", () => speak(speaker));
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !at("speak").disabled) speak(speaker);
  });
  at("speak").disabled = false;
  say("Ready.");
} catch (error) {
  say(error.message, true);
}

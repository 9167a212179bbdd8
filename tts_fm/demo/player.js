// Plays the pieces of a speech as they come, one after the other without a seam, and lights up the word that is heard: of
// these pieces, or of the whole sound, which an element of its own plays as often as one likes.
const live = element.querySelector(".live");
const pause = element.querySelector("button");
const clock = element.querySelector(".clock");
const list = element.querySelector(".words");
let run = null; // which speech this is
let context = null; // plays the pieces; null where nothing is played
let fetching = Promise.resolve();
let taken = 0; // pieces
let queued = []; // where each piece lies: {at: second of the context, start: second of the speech, seconds}
let isWhole = false; // no more pieces will come
let words = [];
let lit = null;
let isFollowing = false;

function samplesOf(wav) { // 16-bit mono, of which the length may not be told
  const view = new DataView(wav);
  let at = 12;
  while (view.getUint32(at, false) !== 0x64617461) at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) & 1);
  const values = new Int16Array(wav.slice(at + 8, at + 8 + 2 * Math.floor((wav.byteLength - at - 8) / 2)));
  return Float32Array.from(values, (value) => value / 32768);
}

async function play(piece, rate, ours) {
  const response = await fetch(piece.sound.url);
  const samples = samplesOf(await response.arrayBuffer());
  if (context === null || run !== ours || samples.length === 0) return;
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(samples, 0);
  const last = queued.at(-1);
  const soonest = context.currentTime + 0.03;
  const at = last === undefined ? soonest : Math.max(last.at + last.seconds, soonest);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start(at);
  queued.push({ at, start: piece.start, seconds: buffer.duration });
}

function silence() {
  if (context !== null) context.close();
  context = null;
  live.hidden = true;
}

function begin(value) {
  silence();
  run = value.run;
  [taken, queued, words, isWhole] = [0, [], [], false];
  list.replaceChildren();
  if (!value.rate) return;
  context = new AudioContext({ sampleRate: value.rate });
  context.resume();
  pause.textContent = "Pause";
  beginToFollow();
}

function show(all) {
  for (const [text, start, end] of all.slice(words.length)) {
    const word = document.createElement("span");
    const when = document.createElement("small");
    word.tabIndex = 0;
    word.title = `${start.toFixed(2)} to ${end.toFixed(2)} s`;
    when.textContent = start.toFixed(2);
    word.append(text, when);
    word.addEventListener("click", () => seek(start));
    word.addEventListener("keydown", (event) => event.key === "Enter" && seek(start));
    list.append(word, " ");
    words.push({ word, start, end });
  }
}

function sound() {
  return document.querySelector(`#${props.sound} audio`);
}

function seek(start) {
  const whole = sound();
  if (whole === null || !isWhole) return;
  whole.currentTime = start + 0.001; // times are shown to a hundredth, and one that is rounded down is the word before
  whole.play();
}

function light(second) {
  const here = words.findLast(({ start }) => start <= second);
  const now = here !== undefined && second < here.end + 0.1 ? here.word : null;
  if (now === lit) return;
  if (lit !== null) lit.classList.remove("heard");
  if (now !== null) now.classList.add("heard");
  lit = now;
}

function beginToFollow() {
  if (!isFollowing) requestAnimationFrame(follow);
  isFollowing = true;
}

function follow() {
  const whole = sound();
  if (context !== null) {
    const now = context.currentTime - (context.outputLatency || 0);
    const piece = queued.findLast(({ at }) => at <= now);
    const last = queued.at(-1);
    if (isWhole && taken === queued.length && last !== undefined && now > last.at + last.seconds) silence();
    live.hidden = context === null || queued.length === 0;
    const second = piece === undefined ? 0 : piece.start + Math.min(now - piece.at, piece.seconds);
    clock.textContent = `${second.toFixed(1)} s`;
    light(context === null || piece === undefined ? -1 : second);
  } else if (whole !== null && !whole.paused) light(whole.currentTime);
  else {
    light(-1);
    isFollowing = false;
    return;
  }
  requestAnimationFrame(follow);
}

watch("value", () => {
  const value = props.value;
  if (!value) return;
  if (value.run !== run) begin(value);
  show(value.words);
  isWhole = value.is_whole;
  for (const piece of value.pieces.slice(taken)) {
    fetching = fetching.then(() => play(piece, value.rate, value.run)).catch(silence);
    taken += 1;
  }
});

pause.addEventListener("click", async () => {
  const isPlaying = context.state === "running";
  await (isPlaying ? context.suspend() : context.resume());
  pause.textContent = isPlaying ? "Go on" : "Pause";
});
document.addEventListener("play", (event) => { // of the whole sound; it does not bubble
  if (event.target !== sound()) return;
  silence();
  beginToFollow();
}, true);
document.addEventListener("click", (event) => event.target.closest(`#${props.cancel}`) && silence());

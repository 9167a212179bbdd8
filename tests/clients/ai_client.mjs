// Vercel's AI SDK with its OpenAI provider: a sound, and an error.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, key, modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const load = async name => import(pathToFileURL(require.resolve(name)).href);
const ai = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");

const generateSpeech = ai.generateSpeech ?? ai.experimental_generateSpeech;
const openai = createOpenAI({ baseURL: url, apiKey: key });
const text = "Hello there. And this is one more sentence.";
const { audio } = await generateSpeech({ model: openai.speech("gpt-4o-mini-tts"), text });
let error = "";
try {
  await generateSpeech({ model: openai.speech("gpt-9"), text, maxRetries: 0 });
} catch (failure) {
  error = failure.message;
}
console.log(JSON.stringify({ mediaType: audio.mediaType, sound: audio.base64, error }));

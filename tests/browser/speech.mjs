// The microphone of the tests: a WAV file of the repository's recording, which Chromium plays instead of a device.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pcm, wavOf } from "./wav.mjs";

export const SAMPLE_RATE = 16_000;
export const RECORDING = "tests/testkit/assets/two-voices.mka";

/** Chromium plays the file from getUserMedia on, so what lies before the connection is lost: 2 s of silence. */
const LEAD_SECONDS = 2;
const SPEECH_SECONDS = 15;

/** Writes the file into `folder`. Returns its path, samples and duration. */
export function microphone(root, decode, folder) {
  const bytes = execFileSync(decode, [join(root, RECORDING)], { maxBuffer: 1 << 27, stdio: ["ignore", "pipe", "ignore"] });
  const speech = pcm(bytes).subarray(0, SPEECH_SECONDS * SAMPLE_RATE);
  const samples = new Int16Array(LEAD_SECONDS * SAMPLE_RATE + speech.length);
  samples.set(speech, LEAD_SECONDS * SAMPLE_RATE);
  const path = join(folder, "microphone.wav");
  writeFileSync(path, wavOf(samples, SAMPLE_RATE));
  return { path, samples, seconds: samples.length / SAMPLE_RATE };
}

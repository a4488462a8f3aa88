// The microphones of the tests: WAV files of the repository's recording, which Chromium plays
// instead of a device.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pcm, readWav, wavOf } from "./wav.mjs";

export const SAMPLE_RATE = 16_000;
export const RECORDING = "tests/testkit/assets/two-voices.mka";

/**
 * Chromium plays a file from getUserMedia on, so what lies before the connection is lost: 2 s of
 * silence.
 */
export const LEAD_SECONDS = 2;

/**
 * The turns of the recording: where each begins and ends in seconds, and its words
 * (make-recording.sh).
 */
export const TURNS = [
  {
    from: 0,
    to: 9.5,
    text:
      "Good morning, and welcome to the little chapel by the river. Every word that is spoken here today will be " +
      "heard in many languages, a moment after it is said.",
  },
  {
    from: 9.5,
    to: 17.6,
    text:
      "Thank you. I listen from the other side of the mountains, where the snow came early this year, and I would " +
      "not miss a single sentence.",
  },
  {
    from: 17.6,
    to: 29.5,
    text:
      "Then let us begin with a question. When a voice travels so far, what must arrive? The sound, surely; but also " +
      "the pauses, and the order in which things were meant.",
  },
  { from: 29.5, to: 36.3, text: "Well said. Now close the window, put the kettle on, and tell me the story from the start." },
];

/** The samples of the recording, and its turns: {samples, text}. */
export function recording(root, decode) {
  const bytes = execFileSync(decode, [join(root, RECORDING)], { maxBuffer: 1 << 27, stdio: ["ignore", "pipe", "ignore"] });
  const samples = pcm(bytes);
  const at = (seconds) => Math.round(seconds * SAMPLE_RATE);
  return { samples, turns: TURNS.map(({ from, to, text }) => ({ samples: samples.subarray(at(from), at(to)), text })) };
}

/**
 * The read sentences of the sample media (SHARED_MEDIA, or ../shared/media), as tests/speech uses
 * them: {samples, text}; undefined if they are absent.
 */
export function sentences(root) {
  const folder = join(process.env.SHARED_MEDIA ?? join(root, "../shared/media"), "speech");
  const transcription = join(folder, "transcription.txt");
  if (!existsSync(transcription)) {
    return undefined;
  }
  const lines = [...readFileSync(transcription, "utf8").matchAll(/^<s> (.*) <\/s> \((.*)\)$/gm)];
  return lines.map(([, text, name]) => ({ samples: readWav(readFileSync(join(folder, `${name}.wav`))).samples, text }));
}

/**
 * Writes pieces of speech, one after the other, after `leadSeconds` of silence as a WAV file.
 * Returns its path, samples, duration and text. `name` is the file's.
 */
export function microphone(folder, name, speech, leadSeconds = LEAD_SECONDS) {
  const pieces = [new Int16Array(Math.round(leadSeconds * SAMPLE_RATE)), ...speech.map(({ samples }) => samples)];
  const all = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of pieces) {
    all.set(piece, end);
    end += piece.length;
  }
  const path = join(folder, `${name}-microphone.wav`);
  writeFileSync(path, wavOf(all, SAMPLE_RATE));
  return { path, samples: all, seconds: all.length / SAMPLE_RATE, text: speech.map(({ text }) => text).join(" ") };
}

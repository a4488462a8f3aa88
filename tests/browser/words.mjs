// The word errors of audio, by the recogniser and the counting rule of tests/speech/words.py.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { finite } from "./figures.mjs";
import { Slots } from "./slots.mjs";
import { LEAD_SECONDS, SAMPLE_RATE } from "./speech.mjs";
import { wavOf } from "./wav.mjs";

/** Recognisers that run at a time: each is busy on one processor. */
const RECOGNISERS = 2;

/** The exit code of tests/speech/words.py if the recogniser is not installed. */
const ABSENT = 69;

export class Words {
  #root;
  #slots = new Slots(RECOGNISERS);
  #counted = new Map();
  /** Whether words were to be compared and there is no recogniser. */
  isAbsent = false;

  constructor(root) {
    this.#root = root;
  }

  /**
   * Compares the word errors of delivered audio with those of its source, the microphone. A share
   * of `most` of the words may be wrong in the delivered audio only. The words that were spoken
   * before the connection, `skippedMs` of the source, are missing in both. Returns null figures
   * without a recogniser.
   */
  async compare({ voice, skippedMs, delivered, most }) {
    const paths = [source(voice, skippedMs), delivered.path];
    const [before, after] = await Promise.all(paths.map((path) => this.#errorsOf(path, voice.text)));
    if (before === undefined || after === undefined) {
      this.isAbsent = true;
      return { wordErrors: null, words: null, problems: [] };
    }
    const { words, errors: wordErrors, text } = after;
    const isWorse = !(wordErrors - before.errors <= most * words);
    return {
      wordErrors,
      words,
      sourceErrors: before.errors,
      problems: [isWorse && `${wordErrors} of ${words} words are wrong, ${before.errors} in the source: ${text}`],
    };
  }

  /** The word errors of a WAV file, which is recognised once. */
  #errorsOf(path, spoken) {
    const count = () => this.#slots.take(1).then((free) => errorsOf(this.#root, path, spoken).finally(free));
    const errors = this.#counted.get(path) ?? count();
    this.#counted.set(path, errors);
    return errors;
  }
}

/** The WAV file of a microphone from `skippedMs` on; the whole file if that is silence. */
function source({ path, samples }, skippedMs) {
  if (skippedMs <= LEAD_SECONDS * 1_000) {
    return path;
  }
  const rest = path.replace(/\.wav$/, `-from-${skippedMs}.wav`);
  writeFileSync(rest, wavOf(samples.slice((skippedMs * SAMPLE_RATE) / 1_000), SAMPLE_RATE));
  return rest;
}

/** The word errors of a WAV file: {words, errors, text}; undefined if there is no recogniser. */
async function errorsOf(root, path, spoken) {
  const python = join(root, ".venv/bin/python");
  const given = ["tests/speech/words.py", "--spoken", spoken, path];
  const child = spawn(python, given, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const code = await new Promise((resolve) => child.once("error", () => resolve(ABSENT)).once("close", resolve));
  if (code === ABSENT) {
    return undefined;
  }
  if (code !== 0) {
    throw new Error(`tests/speech/words.py ended with ${code}`);
  }
  const { words, errors, text } = JSON.parse(output);
  return { ...finite({ words, errors }), text };
}

// The words of audio, by the recogniser of tests/speech/words.py, and how many of them are wrong.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
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
  #known = new Map();
  /** Whether words were to be compared and there is no recogniser. */
  isAbsent = false;

  constructor(root) {
    this.#root = root;
  }

  /**
   * Compares the words of delivered audio, and of the microphone that it comes from, with the spoken text: a share of
   * `most` may be wrong in the delivered audio only. What was spoken before the connection, `skippedMs` of the source, is
   * missing in both. Returns null figures without a recogniser.
   */
  async compare({ voice, skippedMs, heard, most }) {
    const spoken = wordsIn(voice.text);
    const [before, after] = await Promise.all([this.#of(source(voice, skippedMs)), this.#of(heard.path)]);
    if (before === undefined || after === undefined) {
      this.isAbsent = true;
      return { wordErrors: null, words: null, problems: [] };
    }
    const [least, found] = [wordErrors(spoken, before), wordErrors(spoken, after)];
    const isWorse = !(found - least <= most * spoken.length);
    return {
      wordErrors: found,
      words: spoken.length,
      sourceErrors: least,
      problems: [isWorse && `${found} of ${spoken.length} words are wrong, ${least} in the source: ${after.join(" ")}`],
    };
  }

  /** The words of a WAV file, which is recognised once. */
  #of(path) {
    const words = this.#known.get(path) ?? this.#slots.take(1).then((free) => wordsOf(this.#root, path).finally(free));
    this.#known.set(path, words);
    return words;
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

/** The words of a WAV file; undefined if there is no recogniser. */
async function wordsOf(root, path) {
  const child = spawn(join(root, ".venv/bin/python"), ["tests/speech/words.py", path], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const code = await new Promise((resolve) => child.once("error", () => resolve(ABSENT)).once("close", resolve));
  if (code === ABSENT) {
    return undefined;
  }
  if (code !== 0) {
    throw new Error(`tests/speech/words.py ended with ${code}`);
  }
  const lines = output.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return wordsIn(lines.map(({ text }) => text).join(" "));
}

/** The words of a text, without punctuation and capitals. */
export function wordsIn(text) {
  return text.toLowerCase().match(/[a-z0-9']+/g) ?? [];
}

/** How many words of `spoken` are wrong, missing or too many in `heard`. */
export function wordErrors(spoken, heard) {
  let row = heard.map((_, index) => index + 1);
  row.unshift(0);
  spoken.forEach((word, line) => {
    let above = row[0];
    row[0] = line + 1;
    heard.forEach((other, index) => {
      const best = Math.min(above + (word === other ? 0 : 1), row[index] + 1, row[index + 1] + 1);
      above = row[index + 1];
      row[index + 1] = best;
    });
  });
  return row.at(-1);
}

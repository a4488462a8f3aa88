// The speaker begins as soon as the page says "live": the first word is in the audio, from its
// first sound on. The session takes a warm pair, so that the page is live as early as it can be.
import { readFileSync } from "node:fs";
import { pause } from "../cloud.mjs";
import { compare } from "../compare.mjs";
import { collectDelivered } from "../delivered.mjs";
import { joined, resembles } from "../limits.mjs";
import { speakingWhenLive } from "../measure.mjs";
import { SpeakerPage } from "../speaker-page.mjs";
import { SAMPLE_RATE } from "../speech.mjs";

/**
 * Less than the shortest time in which a speaker reacts to the page: reactions take twice as long
 * and more.
 */
const REACTION_MS = 50;

/** The pause before the last turn; not part of the sentence. */
const PAUSE_SECONDS = 0.45;

/** Silence that is put before the sentence for the comparison: the audio begins before it. */
const BEFORE_SECONDS = 3;

export const firstWord = {
  name: "first word after connecting",
  async run(tools) {
    const { cloud: startCloud, microphone, turns, output, release } = tools;
    const cloud = await startCloud(["--ingestion-fragment-ms", "2000", "--parameter", "WarmPairs=1"]);
    const pair = await cloud.warmPair();
    const sentence = { ...turns[3], samples: turns[3].samples.subarray(PAUSE_SECONDS * SAMPLE_RATE) };
    const voice = microphone("first-word", [sentence], 0);
    const page = await SpeakerPage.open(tools, cloud, {
      scripts: [speakingWhenLive(readFileSync(voice.path), REACTION_MS)],
      flags: ["--autoplay-policy=no-user-gesture-required"],
    });
    await page.start();
    const sessionId = await page.live();
    if (sessionId !== pair) {
      throw new Error(`session ${sessionId} has not taken the warm pair ${pair}`);
    }
    await pause((voice.seconds + 0.5) * 1_000);
    await page.stop(release);
    const joining = await page.joining();
    await page.close();
    return { voice, delivered: await collectDelivered(cloud, sessionId, output, "first-word"), joining };
  },
  check({ voice, delivered, joining }) {
    const padded = new Int16Array(BEFORE_SECONDS * SAMPLE_RATE + voice.samples.length);
    padded.set(voice.samples, BEFORE_SECONDS * SAMPLE_RATE);
    const measured = compare(padded, delivered.samples, SAMPLE_RATE, BEFORE_SECONDS + 1);
    const missingMs = Math.max(0, measured.skippedMs - BEFORE_SECONDS * 1_000);
    return {
      ...joining,
      ...measured,
      problems: [
        joined(joining),
        resembles(measured),
        measured.gapMs > 0 && `gaps of ${measured.gapMs} ms`,
        missingMs > 0 && `the first ${missingMs} ms of the first word are missing`,
      ],
    };
  },
};

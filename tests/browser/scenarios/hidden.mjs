// The page is in a tab behind another one: its video slows down, and the sound goes on.
import { pause } from "../cloud.mjs";
import { against, collectDelivered } from "../delivered.mjs";
import { inPlace, joined, resembles, within } from "../limits.mjs";
import { SpeakerPage } from "../speaker-page.mjs";

/** Frames of the page's canvas: 5 a second in front, 1 a second behind. */
const FRAMES_PER_SECOND = { least: 0.5, most: 2 };

const HIDDEN_AFTER_SECONDS = 2;

export const hidden = {
  name: "page in a hidden tab",
  async run(tools) {
    const { cloud: startCloud, microphone, turns, output, release } = tools;
    const cloud = await startCloud(["--ingestion-fragment-ms", "2000"]);
    const voice = microphone("hidden", turns.slice(3));
    const page = await SpeakerPage.open(tools, cloud, { microphone: voice });
    await page.start();
    const sessionId = await page.live();
    await pause(HIDDEN_AFTER_SECONDS * 1_000);
    await page.hide();
    const before = await page.framesSent();
    await pause((voice.seconds - HIDDEN_AFTER_SECONDS) * 1_000);
    const after = await page.framesSent();
    const joining = await page.joining();
    await page.stop(release);
    await page.close();
    const rate = (1_000 * (after.frames - before.frames)) / (after.at - before.at);
    return { voice, rate, joining, delivered: await collectDelivered(cloud, sessionId, output, "hidden") };
  },
  check({ voice, rate, joining, delivered }) {
    const measured = against(voice.samples, delivered.samples);
    return {
      ...joining,
      ...measured,
      rate,
      problems: [
        joined(joining),
        within("the rate of frames behind another tab, in tenths,", 10 * rate, 10 * FRAMES_PER_SECOND.least, 10 * FRAMES_PER_SECOND.most),
        resembles(measured),
        inPlace(measured.lags),
        measured.gapMs > 0 && `gaps of ${measured.gapMs} ms`,
        delivered.filledMs + delivered.skippedMs > 0 && `${delivered.filledMs} ms were filled, ${delivered.skippedMs} ms skipped`,
      ],
    };
  },
};

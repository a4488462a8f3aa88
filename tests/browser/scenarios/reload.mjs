// The page is reloaded in the middle of a sentence: the speech until then arrives, and the next
// session is whole.
import { pause } from "../cloud.mjs";
import { beginning, collectDelivered, PER_MS } from "../delivered.mjs";
import { inPlace, joined, resembles, within } from "../limits.mjs";
import { PACKET_MS, PACKETS_AROUND, SpeakerPage } from "../speaker-page.mjs";

/** In the middle of "Every word that is spoken here today will be heard in many languages". */
const RELOAD_AT_SECONDS = 7;

/** Duration of the second session's speech. */
const AGAIN_SECONDS = 6;

export const reload = {
  name: "page reloaded in a sentence",
  async run(tools) {
    const { cloud: startCloud, microphone, turns, output, release } = tools;
    const cloud = await startCloud(["--ingestion-fragment-ms", "2000"]);
    const voice = microphone("reload", turns.slice(0, 1));
    const page = await SpeakerPage.open(tools, cloud, { microphone: voice });
    await page.start();
    const first = await page.live();
    await pause(RELOAD_AT_SECONDS * 1_000);
    const joining = await page.joining();
    const sent = await page.reload();
    await page.start();
    const second = await page.live();
    await pause(AGAIN_SECONDS * 1_000);
    await page.stop(release);
    const again = await page.joining();
    await page.close();
    const before = await collectDelivered(cloud, first, output, "reload-before");
    return { voice, sent, joining, again, before, after: await collectDelivered(cloud, second, output, "reload-after") };
  },
  check({ voice, sent, joining, again, before, after }) {
    const deliveredMs = before.samples.length / PER_MS;
    const measured = beginning(voice.samples, before.samples);
    const whole = beginning(voice.samples, after.samples);
    const sentMs = sent * PACKET_MS;
    return {
      joinMs: Math.max(joining.joinMs, again.joinMs),
      envelope: Math.min(measured.envelope, whole.envelope),
      gapMs: measured.gapMs + whole.gapMs,
      sentMs,
      deliveredMs,
      problems: [
        joined(joining),
        joined(again),
        resembles(measured),
        resembles(whole),
        inPlace(measured.lags),
        inPlace(whole.lags),
        measured.gapMs + whole.gapMs > 0 && `gaps of ${measured.gapMs} ms before the reload and ${whole.gapMs} ms after it`,
        within("the audio before the reload in ms", deliveredMs, sentMs - PACKETS_AROUND * PACKET_MS, sentMs + PACKETS_AROUND * PACKET_MS),
      ],
    };
  },
};

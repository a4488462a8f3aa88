// A second page speaks into the same session: the newest master replaces the first, and the first
// page reports `reconnecting`.
import { pause } from "../cloud.mjs";
import { locate } from "../compare.mjs";
import { against, beginning, collectDelivered } from "../delivered.mjs";
import { inPlace, joined, resembles } from "../limits.mjs";
import { sameSession } from "../measure.mjs";
import { SpeakerPage } from "../speaker-page.mjs";
import { LEAD_SECONDS, SAMPLE_RATE } from "../speech.mjs";

const KEY = "5f0c1f0e-6f1b-4b5e-9a53-2f4d1a1f7a11";

/** In the middle of the first voice's second sentence. */
const TAKEN_OVER_AT_SECONDS = 6;

export const takeover = {
  name: "second master takes over",
  browsers: 2,
  async run(tools) {
    const { cloud: startCloud, microphone, turns, output, release } = tools;
    const cloud = await startCloud(["--ingestion-fragment-ms", "2000"]);
    const [one, other] = [microphone("master-1", turns.slice(0, 1)), microphone("master-2", turns.slice(3))];
    const open = (voice) => SpeakerPage.open(tools, cloud, { microphone: voice, scripts: [sameSession(KEY)] });
    const [first, second] = await Promise.all([open(one), open(other)]);
    await first.start();
    const sessionId = await first.live();
    await pause(TAKEN_OVER_AT_SECONDS * 1_000);
    await second.start();
    // A page that has lost its channel connects again, and would take it back: its browser is gone
    // by then.
    await first.until(`document.getElementById("status").value.includes("reconnecting")`);
    const shown = await first.log();
    await first.close();
    const isSame = (await second.live()) === sessionId;
    await pause(other.seconds * 1_000);
    const status = await second.status();
    await second.stop(release);
    const joining = await second.joining();
    await second.close();
    return { one, other, shown, status, isSame, joining, delivered: await collectDelivered(cloud, sessionId, output, "takeover") };
  },
  check({ one, other, shown, status, isSame, joining, delivered }) {
    const speech = other.samples.subarray(LEAD_SECONDS * SAMPLE_RATE);
    const place = locate(speech, delivered.samples, SAMPLE_RATE);
    const before = delivered.samples.subarray(0, (TAKEN_OVER_AT_SECONDS - 0.5) * SAMPLE_RATE);
    const after = delivered.samples.subarray(Math.round(place.seconds * SAMPLE_RATE));
    const [first, second] = [beginning(one.samples, before), against(speech, after)];
    return {
      ...joining,
      envelope: Math.min(first.envelope, second.envelope),
      gapMs: first.gapMs + second.gapMs,
      place,
      problems: [
        !isSame && "the second page opened another session",
        joined(joining),
        !status.endsWith(": live") && `the second page's status was ${status}`,
        !shown.some((line) => line.endsWith("signaling closed")) && `the first page's log: ${shown.join("; ")}`,
        resembles(first),
        resembles(second),
        inPlace(first.lags),
        inPlace(second.lags),
        first.gapMs + second.gapMs > 0 && `gaps of ${first.gapMs} ms before and ${second.gapMs} ms after`,
      ],
    };
  },
};

// A second page speaks into the same session: the newest master wins, and the first page says that its media is lost.
import { pause } from "../cloud.mjs";
import { locate } from "../compare.mjs";
import { against, beginning, delivered } from "../delivered.mjs";
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
    // A page that has lost its channel connects again, and would take it back: its browser is gone by then.
    await first.until(`document.getElementById("status").value.includes("reconnecting")`);
    const said = { statuses: await first.statuses(), log: await first.log() };
    await first.close();
    const same = await second.live();
    await pause(other.seconds * 1_000);
    const status = await second.status();
    await second.stop();
    const joining = await second.joining();
    await second.close();
    release();
    return { one, other, said, status, sameSession: same === sessionId, joining, heard: await delivered(cloud, sessionId, output, "takeover") };
  },
  judge({ one, other, said, status, sameSession: isSame, joining, heard }) {
    const speech = other.samples.subarray(LEAD_SECONDS * SAMPLE_RATE);
    const place = locate(speech, heard.samples, SAMPLE_RATE);
    const [before, after] = [heard.samples.subarray(0, (TAKEN_OVER_AT_SECONDS - 0.5) * SAMPLE_RATE), heard.samples.subarray(Math.round(place.seconds * SAMPLE_RATE))];
    const until = beginning(one.samples, before);
    const rest = against(speech, after);
    return {
      ...joining,
      envelope: Math.min(until.envelope, rest.envelope),
      gapMs: until.gapMs + rest.gapMs,
      said, status, place,
      problems: [
        !isSame && "the second page opened another session",
        joined(joining),
        resembles(until),
        resembles(rest),
        inPlace(until.lags),
        inPlace(rest.lags),
        until.gapMs + rest.gapMs > 0 && `gaps of ${until.gapMs} ms before and ${rest.gapMs} ms after`,
        !said.log.some((line) => line.includes("signaling closed")) && `the first page did not say it: ${said.log}`,
      ],
    };
  },
};

// A storage session lasts an hour: the service ends it, or the page joins again before.
import { pause, until } from "../cloud.mjs";
import { aroundGap, delivered, MAX_ARRIVAL_MS } from "../delivered.mjs";
import { inPlace, joined, resembles, within } from "../limits.mjs";
import { CLOCK } from "../measure.mjs";
import { SpeakerPage } from "../speaker-page.mjs";

/** The page joins again after 50 to 55 minutes. */
const RENEWAL_MS = 55 * 60 * 1_000;

/** The gaps that a page's status names: {count, ms}. */
function shownGaps(status) {
  const [, count = 0, seconds = 0] = status.match(/gaps: (\d+), ([\d.]+) s/) ?? [];
  return { count: Number(count), ms: Number(seconds) * 1_000 };
}

/**
 * From the first "live" on: when media stopped, for how long, and how much of that programs waited for a processor.
 * undefined if media did not stop and go on.
 */
function gapOf(statuses, machine) {
  const [first, again] = statuses.filter(({ text }) => text.includes(": live"));
  const stopped = statuses.find(({ text }) => text.includes("reconnecting"));
  if (stopped === undefined || again === undefined) {
    return undefined;
  }
  const waitedMs = Math.round(machine.waitedMs(stopped.at, again.at));
  return { fromMs: stopped.at - first.at, ms: again.at - stopped.at, waitedMs };
}

async function spoken(tools, name, { options, pick, scripts, meanwhile }) {
  const { cloud: startCloud, microphone, turns, output, release } = tools;
  const cloud = await startCloud(options);
  const voice = microphone(name, pick(turns));
  const page = await SpeakerPage.open(tools, cloud, { microphone: voice, scripts });
  await page.start();
  const sessionId = await page.live();
  const joining = await page.joining();
  await Promise.all([pause(voice.seconds * 1_000), meanwhile(page, cloud, sessionId)]);
  const said = { status: await page.status(), statuses: await page.statuses() };
  const gap = gapOf(said.statuses, tools.machine);
  await page.stop();
  await page.close();
  release();
  return { voice, said, gap, joining, heard: await delivered(cloud, sessionId, output, name) };
}

function judged({ voice, said, gap, joining, heard }, mostMs) {
  const shown = shownGaps(said.status);
  if (shown.count !== 1 || gap === undefined) {
    return { ...joining, problems: [`the page shows ${shown.count} gaps: ${said.statuses.map(({ text }) => text).join("; ")}`] };
  }
  const measured = aroundGap(voice.samples, heard.samples, gap);
  const arrivalMs = MAX_ARRIVAL_MS + gap.waitedMs;
  const missingMs = heard.filledMs + heard.skippedMs;
  return {
    ...joining,
    ...measured,
    gap, shown, missingMs, runs: heard.runs,
    gapMs: Math.round(missingMs),
    problems: [
      joined(joining),
      shown.ms - gap.waitedMs > mostMs &&
        `the page shows a gap of ${shown.ms} ms, of which programs waited ${gap.waitedMs} ms for a processor`,
      within("the gap in the audio in ms", missingMs, gap.ms - arrivalMs, gap.ms + arrivalMs),
      within("the place of the second connection in ms", measured.arrivalMs, -arrivalMs, arrivalMs),
      resembles(measured),
      inPlace(measured.lags[0]),
      inPlace(measured.lags[1]),
      measured.gapMs > 0 && `further gaps of ${measured.gapMs} ms`,
    ],
  };
}

export const theHour = {
  name: "session ended by the service after an hour",
  run: (tools) =>
    spoken(tools, "hour", {
      // An hour in 24 s, and so a run of the consumer in 6 s.
      options: ["--ingestion-fragment-ms", "2000", "--time-scale", "150"],
      pick: (turns) => turns.slice(0, 3),
      meanwhile: async () => undefined,
    }),
  judge: (evidence) => judged(evidence, 2_500),
};

export const renewal = {
  name: "session renewed before the hour",
  run: (tools) =>
    spoken(tools, "renewal", {
      options: ["--ingestion-fragment-ms", "2000"],
      pick: (turns) => turns.slice(2, 3),
      scripts: [CLOCK],
      meanwhile: async (page, cloud, sessionId) => {
        // First signaling alone ends: media goes on without it.
        await pause(2_000);
        await cloud.call("DELETE", `/_local/signaling/session-${sessionId}`);
        await until("signaling to be open again", async () => {
          const { body } = await cloud.call("GET", "/_local/signaling");
          return JSON.stringify(body).includes("session-");
        });
        await pause(1_500);
        await page.value(`passTime(${RENEWAL_MS})`);
      },
    }),
  judge: (evidence) => judged(evidence, 300),
};

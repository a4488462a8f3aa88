// A storage session lasts an hour: the service ends it, or the page joins again before.
import { pause, until } from "../cloud.mjs";
import { aroundGap, collectDelivered, MAX_ARRIVAL_MS, PER_MS } from "../delivered.mjs";
import { inPlace, joined, resembles, within } from "../limits.mjs";
import { CLOCK } from "../measure.mjs";
import { PACKET_MS, PACKETS_AROUND, SpeakerPage } from "../speaker-page.mjs";

const HOUR_MS = 60 * 60 * 1_000;

/** The speed of the cloud's clock. */
const TIME_SCALE = 150;

/** The page joins again after 50 to 55 minutes. */
const RENEWAL_MS = 55 * 60 * 1_000;

/** Duration of the speech after the interruption. A comparison needs whole seconds of speech. */
const AFTER_SECONDS = 5;

/** Whether the status was "live" a second time. */
const LIVE_AGAIN = `measured.statuses.filter(({ text }) => text.includes(": live")).length >= 2`;

/** The gaps that a page's status names: {count, ms}. */
function shownGaps(status) {
  const [, count = 0, seconds = 0] = status.match(/gaps: (\d+), ([\d.]+) s/) ?? [];
  return { count: Number(count), ms: Number(seconds) * 1_000 };
}

/**
 * From the first "live" on: when media stopped, for how long, and how much of that programs waited
 * for a processor. undefined if media did not stop and go on.
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

/**
 * Speaks into a session whose media is interrupted once by `meanwhile`. Speech goes on until
 * `AFTER_SECONDS` after media is live again, however long the interruption was.
 */
async function runSession(tools, name, { options, scripts, meanwhile }) {
  const { cloud: startCloud, microphone, turns, output, release } = tools;
  const cloud = await startCloud(options);
  const voice = microphone(name, [...turns, ...turns]);
  const page = await SpeakerPage.open(tools, cloud, { microphone: voice, scripts });
  await page.start();
  const sessionId = await page.live();
  const joining = await page.joining();
  await meanwhile(page, cloud, sessionId);
  await page.until(LIVE_AGAIN);
  await pause(AFTER_SECONDS * 1_000);
  const shown = { status: await page.status(), statuses: await page.statuses() };
  const gap = gapOf(shown.statuses, tools.machine);
  const sent = await page.stop(release);
  await page.close();
  const delivered = await collectDelivered(cloud, sessionId, output, name);
  return { voice, shown, gap, sent, joining, delivered };
}

function checked({ voice, shown, gap, sent, joining, delivered }, mostMs) {
  const gaps = shownGaps(shown.status);
  if (gaps.count !== 1 || gap === undefined) {
    const texts = shown.statuses.map(({ text }) => text).join("; ");
    return { ...joining, problems: [`the page shows ${gaps.count} gaps: ${texts}`] };
  }
  const measured = aroundGap(voice.samples, delivered.samples, gap);
  const arrivalMs = MAX_ARRIVAL_MS + gap.waitedMs;
  const missingMs = delivered.filledMs + delivered.skippedMs;
  const [sentMs, afterMs] = [sent * PACKET_MS, delivered.samples.length / PER_MS - gap.fromMs - gap.ms];
  const aroundMs = arrivalMs + PACKETS_AROUND * PACKET_MS;
  return {
    ...joining,
    ...measured,
    gap,
    gaps,
    missingMs,
    sentMs,
    afterMs,
    runs: delivered.runs,
    gapMs: Math.round(missingMs),
    problems: [
      joined(joining),
      gaps.ms - gap.waitedMs > mostMs &&
        `the page shows a gap of ${gaps.ms} ms, of which programs waited ${gap.waitedMs} ms for a processor`,
      within("the gap in the audio in ms", missingMs, gap.ms - arrivalMs, gap.ms + arrivalMs),
      within("the place of the second connection in ms", measured.arrivalMs, -arrivalMs, arrivalMs),
      within("the audio of the second connection in ms", afterMs, sentMs - aroundMs, sentMs + aroundMs),
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
    runSession(tools, "hour", {
      // An hour in 24 s, and so a run of the consumer in 6 s.
      options: ["--ingestion-fragment-ms", "2000", "--time-scale", String(TIME_SCALE)],
      meanwhile: () => pause(HOUR_MS / TIME_SCALE),
    }),
  check: (evidence) => checked(evidence, 2_500),
};

export const renewal = {
  name: "session renewed before the hour",
  run: (tools) =>
    runSession(tools, "renewal", {
      options: ["--ingestion-fragment-ms", "2000"],
      scripts: [CLOCK],
      meanwhile: async (page, cloud, sessionId) => {
        // First signaling alone ends: media goes on without it.
        await pause(2_000);
        await cloud.call("DELETE", `/_local/signaling/session-${sessionId}`);
        await until("signaling to be open again", async () => {
          const { body } = await cloud.call("GET", "/_local/signaling");
          return JSON.stringify(body).includes("session-");
        });
        await pause(2_000);
        await page.value(`passTime(${RENEWAL_MS})`);
      },
    }),
  check: (evidence) => checked(evidence, 300),
};

// The network between browser and service loses packets: which ones, and so how much time, is known.
import { pause } from "../cloud.mjs";
import { against, delivered, MAX_SILENCE_MS } from "../delivered.mjs";
import { inPlace, joined, resembles, within } from "../limits.mjs";
import { through } from "../measure.mjs";
import { SpeakerPage } from "../speaker-page.mjs";
import { losses } from "../wire.mjs";

/** The comparison counts whole frames of 20 ms; one may be cut at each end of a gap. */
const FRAME_MS = 20;

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Speaks a turn through a wire, on which `disturb` acts once media flows. */
async function spoken(tools, name, turn, disturb) {
  const { cloud: startCloud, wire: startWire, microphone, turns, output, release } = tools;
  const cloud = await startCloud(["--ingestion-fragment-ms", "2000"]);
  const voice = microphone(name, [turns[turn]]);
  const wire = await startWire();
  const page = await SpeakerPage.open(tools, cloud, { microphone: voice, scripts: [through(wire)] });
  await page.start();
  const sessionId = await page.live();
  await Promise.all([pause(voice.seconds * 1_000), disturb(wire)]);
  const status = await page.status();
  await page.stop();
  const joining = await page.joining();
  await page.close();
  release();
  const heard = await delivered(cloud, sessionId, output, name);
  return { voice, heard, status, joining, connections: wire.connections };
}

/** The part of a judgement that both scenarios share. */
function judged({ voice, heard, status, joining, connections }) {
  const [packets = []] = connections;
  const lost = losses(packets);
  const measured = against(voice.samples, heard.samples, lost);
  const longMs = sum(lost.filter(({ ms }) => ms > 120).map(({ ms }) => ms));
  return {
    lost,
    longMs,
    measured,
    problems: [
      joined(joining),
      !status.endsWith(": live") && `the status was ${status}`,
      connections.length !== 1 && `${connections.length} connections`,
      resembles(measured),
      inPlace(measured.lags),
      measured.gapMs > 2 * FRAME_MS && `gaps of ${measured.gapMs} ms beside those of the network`,
    ],
  };
}

const CUT_MS = 5_000;

export const networkCut = {
  name: "network cut for 5 s",
  run: (tools) =>
    spoken(tools, "network-cut", 2, async (wire) => {
      await pause(3_500);
      wire.isCut = true;
      await pause(CUT_MS);
      wire.isCut = false;
    }),
  judge(evidence) {
    const { lost, longMs, measured, problems } = judged(evidence);
    const { heard, joining } = evidence;
    return {
      ...joining,
      ...measured,
      gapMs: longMs,
      problems: [
        ...problems,
        lost.length !== 1 && `${lost.length} losses`,
        within("the loss in ms", longMs, CUT_MS - 500, CUT_MS + 500),
        within("the skipped time in ms", heard.skippedMs, longMs - MAX_SILENCE_MS, longMs),
      ],
    };
  },
};

/** One packet of twenty, and once ten in a row. */
const isLost = (index) => index >= 25 && (index % 20 === 0 || (index >= 330 && index < 340));

export const packetLoss = {
  name: "packet loss, 5 %",
  run: (tools) =>
    spoken(tools, "packet-loss", 0, async (wire) => {
      wire.loses = (_, index) => isLost(index);
    }),
  judge(evidence) {
    const { lost, longMs, measured, problems } = judged(evidence);
    const { heard, joining, connections } = evidence;
    const share = sum(lost.map(({ ms }) => ms)) / 20 / connections[0].length;
    return {
      ...joining,
      ...measured,
      gapMs: longMs,
      lost,
      problems: [
        ...problems,
        within("the lost share in %", share * 100, 5, 8),
        within("the filled time in ms", heard.filledMs, longMs - MAX_SILENCE_MS, longMs),
        heard.skippedMs > 0 && `${heard.skippedMs} ms were skipped`,
      ],
    };
  },
};

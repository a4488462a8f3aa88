// The network between browser and service loses packets: which ones, and so how much time, is
// known.
import { pause } from "../cloud.mjs";
import { against, collectDelivered, MAX_CONCEALED_MS, MAX_SILENCE_MS } from "../delivered.mjs";
import { inPlace, joined, resembles, within } from "../limits.mjs";
import { through } from "../measure.mjs";
import { PACKET_MS, SpeakerPage } from "../speaker-page.mjs";
import { losses } from "../wire.mjs";

/** The comparison counts whole frames of 20 ms; one may be cut at each end of a gap. */
const FRAME_MS = 20;

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Speaks a turn through a wire, on which `disturb` acts once media flows. */
async function runSession(tools, name, turn, disturb) {
  const { cloud: startCloud, wire: startWire, microphone, turns, output, release } = tools;
  const cloud = await startCloud(["--ingestion-fragment-ms", "2000"]);
  const voice = microphone(name, [turns[turn]]);
  const wire = await startWire();
  const page = await SpeakerPage.open(tools, cloud, { microphone: voice, scripts: [through(wire)] });
  await page.start();
  const sessionId = await page.live();
  await Promise.all([pause(voice.seconds * 1_000), disturb(wire)]);
  const status = await page.status();
  await page.stop(release);
  const joining = await page.joining();
  await page.close();
  const delivered = await collectDelivered(cloud, sessionId, output, name);
  return { voice, delivered, status, joining, connections: wire.connections };
}

/** The checks that both scenarios share. */
function checked({ voice, delivered, status, joining, connections }) {
  const [packets = []] = connections;
  const lost = losses(packets);
  const measured = against(voice.samples, delivered.samples, lost);
  const longMs = sum(lost.filter(({ ms }) => ms > MAX_CONCEALED_MS).map(({ ms }) => ms));
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
    runSession(tools, "network-cut", 2, async (wire) => {
      await pause(3_500);
      wire.isCut = true;
      await pause(CUT_MS);
      wire.isCut = false;
    }),
  check(evidence) {
    const { lost, longMs, measured, problems } = checked(evidence);
    const { delivered, joining } = evidence;
    return {
      ...joining,
      ...measured,
      gapMs: longMs,
      problems: [
        ...problems,
        lost.length !== 1 && `${lost.length} losses`,
        within("the loss in ms", longMs, CUT_MS - 500, CUT_MS + 500),
        within("the skipped time in ms", delivered.skippedMs, longMs - MAX_SILENCE_MS, longMs),
      ],
    };
  },
};

/** One packet of twenty, and once eleven in a row. */
const isLost = (index) => index >= 25 && (index % 20 === 0 || (index >= 330 && index < 340));

export const packetLoss = {
  name: "packet loss, 5 %",
  run: (tools) =>
    runSession(tools, "packet-loss", 0, async (wire) => {
      wire.loses = (_, index) => isLost(index);
    }),
  check(evidence) {
    const { lost, longMs, measured, problems } = checked(evidence);
    const { delivered, joining, connections } = evidence;
    const share = sum(lost.map(({ ms }) => ms)) / PACKET_MS / connections[0].length;
    return {
      ...joining,
      ...measured,
      gapMs: longMs,
      lost,
      problems: [
        ...problems,
        within("the lost share in %", share * 100, 5, 8),
        within("the filled time in ms", delivered.filledMs, longMs - MAX_SILENCE_MS, longMs),
        delivered.skippedMs > 0 && `${delivered.skippedMs} ms were skipped`,
      ],
    };
  },
};

// The consumer is killed and handed over while someone speaks: nothing is lost, and nothing is
// accepted twice.
import { pause } from "../cloud.mjs";
import { against, collectDelivered } from "../delivered.mjs";
import { inPlace, joined, resembles } from "../limits.mjs";
import { SpeakerPage } from "../speaker-page.mjs";

export const handOver = {
  name: "consumer killed and handed over",
  async run(tools) {
    const { cloud: startCloud, microphone, turns, output, release } = tools;
    // A run of the consumer, 15 minutes, takes 9 s; a failed one is repeated after 0.6 s.
    const cloud = await startCloud(["--ingestion-fragment-ms", "2000", "--time-scale", "100"]);
    const voice = microphone("hand-over", turns.slice(2, 3));
    const page = await SpeakerPage.open(tools, cloud, { microphone: voice });
    await page.start();
    const sessionId = await page.live();
    await pause(3_000);
    const killed = await cloud.killConsumer();
    await pause((voice.seconds - 3) * 1_000);
    await page.stop(release);
    const joining = await page.joining();
    await page.close();
    return { voice, killed, joining, delivered: await collectDelivered(cloud, sessionId, output, "hand-over") };
  },
  check({ voice, killed, joining, delivered }) {
    const measured = against(voice.samples, delivered.samples);
    return {
      ...joining,
      ...measured,
      delivered: { ...delivered, samples: undefined },
      problems: [
        joined(joining),
        killed < 1 && "no consumer was killed",
        delivered.runs < 3 && `${delivered.runs} runs of the consumer`,
        resembles(measured),
        inPlace(measured.lags),
        measured.gapMs > 0 && `gaps of ${measured.gapMs} ms`,
        delivered.filledMs + delivered.skippedMs > 0 && `${delivered.filledMs} ms were filled, ${delivered.skippedMs} ms skipped`,
        delivered.duplicated > 0 && `${delivered.duplicated} samples were accepted twice`,
      ],
    };
  },
};

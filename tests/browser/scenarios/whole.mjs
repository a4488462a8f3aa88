// A whole recording through the page as it is: processing off and on, with fragments as of AWS's ingestion and shorter.
import { pause } from "../cloud.mjs";
import { against, delivered } from "../delivered.mjs";
import { joined, inPlace, MIN_ENVELOPE, resembles } from "../limits.mjs";
import { SpeakerPage } from "../speaker-page.mjs";
import { TURNS } from "../speech.mjs";

/** Opus packets last 20 ms. */
const PACKET_MS = 20;

/** What the browser says that it sent may contain a few packets of padding, and the last ones may be on their way. */
const PACKETS_AROUND = 25;

const whole = (name, isProcessed, cloudOptions) => ({
  name,
  async run(tools) {
    const { cloud: startCloud, microphone, output, release } = tools;
    const cloud = await startCloud(cloudOptions);
    const voice = microphone("conversation", TURNS.slice(0, 2));
    const page = await SpeakerPage.open(tools, cloud, { microphone: voice });
    await page.start(isProcessed);
    const sessionId = await page.live();
    await pause(voice.seconds * 1_000);
    const sent = await page.sent();
    const status = await page.status();
    await page.stop();
    const joining = await page.joining();
    await page.close();
    release();
    const heard = await delivered(cloud, sessionId, output, isProcessed ? "processing-on" : "processing-off");
    return { voice, heard, sent, status, joining };
  },
  judge({ voice, heard, sent, status, joining }) {
    const measured = against(voice.samples, heard.samples);
    const sentMs = sent.packets * PACKET_MS;
    return {
      ...joining,
      ...measured,
      speech: { voice, heard },
      problems: [
        joined(joining),
        !status.endsWith(": live") && `the status was ${status}`,
        resembles(measured, isProcessed ? MIN_ENVELOPE.on : MIN_ENVELOPE.off),
        !isProcessed && inPlace(measured.lags),
        measured.gapMs > 0 && `gaps of ${measured.gapMs} ms`,
        heard.filledMs + heard.skippedMs > 0 && `${heard.filledMs} ms were filled, ${heard.skippedMs} ms skipped`,
        heard.samples.length / 16 < sentMs - PACKETS_AROUND * PACKET_MS && `${sentMs} ms were sent, ${heard.samples.length / 16} ms arrived`,
      ],
    };
  },
});

export const processingOff = whole("speaker, processing off", false, []);
export const processingOn = whole("speaker, processing on", true, ["--ingestion-fragment-ms", "2000"]);

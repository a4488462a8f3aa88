// A whole recording through the page as it is: processing off, with whole fragments of 10 s, and
// processing on, with fragments that are read while they are written.
import { pause } from "../cloud.mjs";
import { against, collectDelivered, PER_MS } from "../delivered.mjs";
import { inPlace, joined, MAX_MORE_ERRORS, MIN_ENVELOPE, resembles, within } from "../limits.mjs";
import { PACKET_MS, PACKETS_AROUND, SpeakerPage } from "../speaker-page.mjs";

/** The sentences of the sample media that are spoken: 44 words. */
const SENTENCES = 3;

/** Makes the page's picture that of a camera: 1280x720, 10 frames per second, as AWS's canary sends. */
const CAMERA = `
  const capture = HTMLCanvasElement.prototype.captureStream;
  HTMLCanvasElement.prototype.captureStream = function () {
    [this.width, this.height] = [1280, 720];
    return capture.call(this, 10);
  };`;

const whole = (name, isProcessed, cloudOptions, scripts = []) => ({
  name,
  async run(tools) {
    const { cloud: startCloud, microphone, sentences, turns, output, release } = tools;
    const cloud = await startCloud(cloudOptions);
    const speech = microphone("conversation", sentences?.slice(0, SENTENCES) ?? [turns[1], turns[3]]);
    const voice = { ...speech, isRead: sentences !== undefined };
    const page = await SpeakerPage.open(tools, cloud, { microphone: voice, scripts });
    await page.start(isProcessed);
    const sessionId = await page.live();
    await pause(voice.seconds * 1_000);
    const status = await page.status();
    const sent = await page.stop(release);
    const joining = await page.joining();
    await page.close();
    const delivered = await collectDelivered(cloud, sessionId, output, isProcessed ? "processing-on" : "processing-off");
    return { voice, delivered, sent, status, joining };
  },
  check({ voice, delivered, sent, status, joining }) {
    const processing = isProcessed ? "on" : "off";
    const measured = against(voice.samples, delivered.samples);
    const [sentMs, deliveredMs] = [sent * PACKET_MS, delivered.samples.length / PER_MS];
    const lostMs = delivered.filledMs + delivered.skippedMs;
    return {
      ...joining,
      ...measured,
      // Noise suppression silences the quiet ends of words.
      gapMs: isProcessed ? lostMs : measured.gapMs,
      quietMs: measured.gapMs,
      sentMs,
      deliveredMs,
      words: { voice, skippedMs: measured.skippedMs, delivered, most: voice.isRead ? MAX_MORE_ERRORS[processing] : MAX_MORE_ERRORS.synthetic },
      problems: [
        joined(joining),
        !status.endsWith(": live") && `the status was ${status}`,
        resembles(measured, MIN_ENVELOPE[processing]),
        lostMs > 0 && `${delivered.filledMs} ms were filled, ${delivered.skippedMs} ms skipped`,
        within("the delivered audio in ms", deliveredMs, sentMs - PACKETS_AROUND * PACKET_MS, sentMs + PACKETS_AROUND * PACKET_MS),
        ...(isProcessed ? [] : [inPlace(measured.lags), measured.gapMs > 0 && `gaps of ${measured.gapMs} ms`]),
      ],
    };
  },
});

export const processingOff = whole("speaker, processing off", false, []);
export const processingOn = whole("speaker, processing on", true, ["--progressive-ingestion"], [CAMERA]);

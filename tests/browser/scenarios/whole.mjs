// A whole recording through the page as it is: processing off and on, with fragments as of AWS's ingestion and shorter.
import { pause } from "../cloud.mjs";
import { against, delivered, PER_MS } from "../delivered.mjs";
import { inPlace, joined, MAX_MORE_ERRORS, MIN_ENVELOPE, resembles, within } from "../limits.mjs";
import { PACKET_MS, PACKETS_AROUND, SpeakerPage } from "../speaker-page.mjs";

/** The sentences of the sample media that are spoken: 44 words. */
const SENTENCES = 3;

const whole = (name, isProcessed, cloudOptions) => ({
  name,
  async run(tools) {
    const { cloud: startCloud, microphone, sentences, turns, output, release } = tools;
    const cloud = await startCloud(cloudOptions);
    const speech = microphone("conversation", sentences?.slice(0, SENTENCES) ?? [turns[1], turns[3]]);
    const voice = { ...speech, isRead: sentences !== undefined };
    const page = await SpeakerPage.open(tools, cloud, { microphone: voice });
    await page.start(isProcessed);
    const sessionId = await page.live();
    await pause(voice.seconds * 1_000);
    const status = await page.status();
    const sent = await page.stop();
    const joining = await page.joining();
    await page.close();
    release();
    const heard = await delivered(cloud, sessionId, output, isProcessed ? "processing-on" : "processing-off");
    return { voice, heard, sent, status, joining };
  },
  judge({ voice, heard, sent, status, joining }) {
    const processing = isProcessed ? "on" : "off";
    const measured = against(voice.samples, heard.samples);
    const [sentMs, heardMs] = [sent * PACKET_MS, heard.samples.length / PER_MS];
    const lostMs = heard.filledMs + heard.skippedMs;
    return {
      ...joining,
      ...measured,
      // Noise suppression silences the quiet ends of words.
      gapMs: isProcessed ? lostMs : measured.gapMs,
      quietMs: measured.gapMs,
      sentMs,
      heardMs,
      words: { voice, skippedMs: measured.skippedMs, delivered: heard, most: voice.isRead ? MAX_MORE_ERRORS[processing] : MAX_MORE_ERRORS.synthetic },
      problems: [
        joined(joining),
        !status.endsWith(": live") && `the status was ${status}`,
        resembles(measured, MIN_ENVELOPE[processing]),
        lostMs > 0 && `${heard.filledMs} ms were filled, ${heard.skippedMs} ms skipped`,
        within("the delivered audio in ms", heardMs, sentMs - PACKETS_AROUND * PACKET_MS, sentMs + PACKETS_AROUND * PACKET_MS),
        ...(isProcessed ? [] : [inPlace(measured.lags), measured.gapMs > 0 && `gaps of ${measured.gapMs} ms`]),
      ],
    };
  },
});

export const processingOff = whole("speaker, processing off", false, []);
export const processingOn = whole("speaker, processing on", true, ["--ingestion-fragment-ms", "2000"]);

// Ingestion requires video of a master: an answer without it is refused, and the page names the
// reason.
import { withoutVideo } from "../measure.mjs";
import { SpeakerPage } from "../speaker-page.mjs";

/** How the page's answer is changed (`withoutVideo`), and the reason of the refusal. */
const ANSWERS = [
  { how: "rejected", reason: "The answer has no video section that is sent" },
  { how: "inactive", reason: "The video section must be sendonly, and is inactive" },
];

/** Opens a page whose answers are changed. Returns its status and its log. */
async function refusal(tools, cloud, { how, reason }) {
  const page = await SpeakerPage.open(tools, cloud, { scripts: [withoutVideo(how)] });
  await page.start();
  await page.until(`document.getElementById("log").innerText.includes("answer refused")`);
  const [status, log] = [await page.status(), await page.log()];
  await page.stop();
  await page.close();
  return { how, reason, status, log };
}

export const refusedAnswers = {
  name: "audio only and inactive video are refused",
  async run(tools) {
    const cloud = await tools.cloud([]);
    const refusals = [];
    for (const answer of ANSWERS) {
      refusals.push(await refusal(tools, cloud, answer));
    }
    tools.release();
    return refusals;
  },
  check: (refusals) => ({
    problems: refusals.flatMap(({ how, reason, status, log }) => [
      !log.some((line) => line.endsWith(`answer refused: 400 InvalidArgumentException ${reason}`)) &&
        `${how}: the page's log: ${log.join("; ")}`,
      status.includes("live") && `${how}: the status was ${status}`,
    ]),
  }),
};

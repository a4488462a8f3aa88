// Ingestion requires video of a master: an answer without it is refused, and the page names the reason.
import { withoutVideo } from "../measure.mjs";
import { SpeakerPage } from "../speaker-page.mjs";

const refused = (name, how, reason) => ({
  name,
  async run(tools) {
    const { cloud: startCloud, release } = tools;
    const cloud = await startCloud([]);
    const page = await SpeakerPage.open(tools, cloud, { scripts: [withoutVideo(how)] });
    await page.start();
    await page.until(`document.getElementById("log").innerText.includes("answer refused")`);
    const [status, log] = [await page.status(), await page.log()];
    await page.stop();
    await page.close();
    release();
    return { status, log };
  },
  judge: ({ status, log }) => ({
    problems: [
      !log.some((line) => line.endsWith(`answer refused: 400 InvalidArgumentException ${reason}`)) && `the page's log: ${log.join("; ")}`,
      status.includes("live") && `the status was ${status}`,
    ],
  }),
});

export const audioOnly = refused("audio only is refused", "rejected", "The answer has no video section that is sent");
export const noVideo = refused("inactive video is refused", "inactive", "The video section must be sendonly, and is inactive");

// Writes the README's pictures of the local cloud's page, docs/pictures/page-light.webp and
// page-dark.webp: a session into which a recording is spoken, with its recognised words.
//
//   make screenshot
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Chromium, findChromium } from "../../examples/speaker/smoke/chromium.mjs";
import { Cloud, until } from "./cloud.mjs";
import { RECORDING } from "./speech.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const program = resolve(root, process.env.BIN ?? "target/debug", "local-cloud");
const [WIDTH, HEIGHT] = [1200, 760];
/** The recognised lines that the picture shows. */
const LINES = 4;

const recogniser = process.env.RECOGNISER ?? ".venv/bin/python examples/recogniser/recogniser.py";
const path = findChromium();
if (path === undefined) {
  throw new Error("missing: Chromium (Debian: apt-get install chromium; CHROMIUM=… names one)");
}
const cloud = await Cloud.start(root, program, ["--recogniser", recogniser]);
const chromium = new Chromium(path, []);
try {
  const { body } = await cloud.call("POST", "/sessions", { sourceLanguage: "en" }, await cloud.token());
  await chromium.open(`${cloud.url}/`, "");
  await chromium.screen(WIDTH, HEIGHT, "light");
  cloud.speak(body.sessionId, RECORDING);
  await until("the words", () => chromium.value(`document.querySelectorAll("#words li").length >= ${LINES}`));
  for (const scheme of ["light", "dark"]) {
    await chromium.screen(WIDTH, HEIGHT, scheme);
    await chromium.screenshot(join(root, `docs/pictures/page-${scheme}.webp`), false);
  }
} finally {
  await chromium.close();
  await cloud.stop();
}

// Bundles the page into dist/ (`page`), or the tests into build/ (`tests`), or serves the page on
// 127.0.0.1 and bundles it again at each load (`serve [PORT]`).
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { build, context } from "esbuild";

const [what = "page", port = "5173"] = process.argv.slice(2);

const page = {
  entryPoints: ["src/main.ts"],
  bundle: true,
  format: "esm",
  target: "chrome120",
  outdir: "dist",
  sourcemap: true,
  logLevel: "warning",
  // AWS's package is written for Node too: a browser has no `global` and no `process.env`, and its
  // own crypto replaces isomorphic-webcrypto.
  define: { global: "globalThis", "process.env": "{}" },
  alias: { "isomorphic-webcrypto": "./src/web-crypto.ts" },
  external: ["ws"],
};

const tests = {
  entryPoints: (await readdir("test")).filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`),
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  outdir: "build",
  outExtension: { ".js": ".mjs" },
  // Node's own "events" would have to be loaded by require(), which a module does not have.
  alias: { ...page.alias, events: "./node_modules/events/events.js" },
  sourcemap: "inline",
  logLevel: "warning",
};

const copyPage = async () => {
  await mkdir("dist", { recursive: true });
  await Promise.all(["index.html", "page.css"].map((name) => copyFile(name, `dist/${name}`)));
};

switch (what) {
  case "page":
    await rm("dist", { recursive: true, force: true });
    await build({ ...page, minify: true });
    await copyPage();
    console.log("bundled: dist/index.html");
    break;
  case "tests":
    await rm("build", { recursive: true, force: true });
    await build(tests);
    break;
  case "serve": {
    await copyPage();
    const served = await (await context(page)).serve({ host: "127.0.0.1", port: Number(port), servedir: "dist" });
    console.log(`http://127.0.0.1:${served.port}/`);
    break;
  }
  default:
    console.error(`build.mjs: page, tests or serve, not ${what}`);
    process.exitCode = 2;
}

/**
 * The page: reads the fields, starts and stops session and media, and shows the status. Values that
 * are not secret may be set in the page's query (`?api=…&pool=…&source=…&targets=…`). The token is
 * read only from its field, because addresses are stored in histories and logs. A product gets it
 * from its sign-in, and renews it there. A local cloud that serves the page issues one to it.
 */
import { SessionsApi } from "./api.ts";
import { fromIdentityPool } from "./credentials.ts";
import { element } from "./element.ts";
import { Ingestion } from "./ingestion.ts";
import { type LocalCloud, localCloudAt } from "./local-cloud.ts";
import { fillFields, showWords } from "./local-cloud-view.ts";
import { openMicrophone } from "./microphone.ts";
import { type OpenedSession, regionOf } from "./session.ts";
import { type Clock, Speaker } from "./speaker.ts";
import type { Status } from "./storage-session.ts";
import { startSyntheticVideo, type SyntheticVideo } from "./synthetic-video.ts";

/** Maximum number of log lines on the page. */
const LOG_LINES = 200;

const form = element("session", HTMLFormElement);
const stopButton = element("stop", HTMLButtonElement);
const startButton = element("start", HTMLButtonElement);
const statusLine = element("status", HTMLOutputElement);
const logList = element("log", HTMLOListElement);

const value = (id: string): string => element(id, HTMLInputElement).value.trim();
const checked = (id: string): boolean => element(id, HTMLInputElement).checked;

const clock: Clock = {
  now: () => performance.now(),
  later(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** The resources of the current session; `undefined` between sessions. */
interface Running {
  readonly api: SessionsApi;
  readonly session: OpenedSession;
  readonly microphone: MediaStreamTrack;
  readonly video: SyntheticVideo;
  /** `undefined` if there are no AWS credentials: then the session is open but gets no media. */
  readonly speaker: Speaker | undefined;
}

let running: Running | undefined;

/** The local cloud that serves the page, if one does. */
let cloud: LocalCloud | undefined;

function log(text: string): void {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
  logList.prepend(line);
  while (logList.childElementCount > LOG_LINES) {
    logList.lastElementChild?.remove();
  }
}

function show(session: OpenedSession, status: Status): void {
  const gaps = status.gaps === 0 ? "" : `, gaps: ${status.gaps}, ${(status.gapMs / 1_000).toFixed(1)} s together`;
  const text = `${session.sessionId}: ${status.phase}${gaps}`;
  if (statusLine.value !== text) {
    statusLine.value = text;
    log(text);
  }
  if (status.phase === "ended") {
    log("the session was ended elsewhere");
    release();
  }
}

async function start(): Promise<void> {
  // The microphone first: if access to it is denied, no session is opened.
  const microphone = await openMicrophone({
    echoCancellation: checked("echo"),
    noiseSuppression: checked("noise"),
    autoGainControl: checked("gain"),
  });
  microphone.addEventListener("ended", () => report("the microphone is disconnected: no speech is sent"));
  let video: SyntheticVideo | undefined;
  try {
    video = startSyntheticVideo();
    const world = {
      fetch: fetch.bind(globalThis),
      token: () => value("token"),
      now: clock.now,
      sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
      random: Math.random,
    };
    const api = new SessionsApi(value("api"), world);
    const targetLanguages = value("targets").split(/[\s,]+/).filter((language) => language !== "");
    const session = await api.open({ sourceLanguage: value("source"), targetLanguages }, crypto.randomUUID());
    log(`session ${session.sessionId} is open`);
    if (cloud !== undefined) {
      showWords(cloud, session.sessionId);
    }
    const speaker = speakerOf(api, session, { audio: microphone, video: video.track });
    running = { api, session, microphone, video, speaker };
    if (speaker === undefined) {
      statusLine.value = `${session.sessionId}: open, without media`;
      log("no identity pool, so no AWS credentials and no media");
    }
    speaker?.start();
  } catch (error) {
    microphone.stop();
    video?.stop();
    throw error;
  }
}

function speakerOf(
  api: SessionsApi,
  session: OpenedSession,
  tracks: { readonly audio: MediaStreamTrack; readonly video: MediaStreamTrack },
): Speaker | undefined {
  const pool = value("pool");
  if (pool === "" && cloud === undefined) {
    return undefined;
  }
  const { kvsChannelArn: channelArn, kvsSignalingEndpoints: endpoints, sessionId } = session;
  const credentials = cloud?.credentials ?? fromIdentityPool(pool, () => value("token"));
  const line = new Ingestion(endpoints, { channelArn, region: regionOf(channelArn), credentials }, tracks, log);
  const control = {
    isLive: async () => (await api.status(sessionId)) !== "ended",
    end: () => api.end(sessionId),
  };
  return new Speaker(line, control, clock, Math.random, (status) => show(session, status));
}

async function stop({ api, session, speaker }: Running): Promise<void> {
  if (speaker === undefined) {
    await api.end(session.sessionId);
  } else {
    await speaker.stop();
  }
  statusLine.value = `${session.sessionId}: ended`;
  log("the session has ended");
  release();
}

/** Releases microphone and picture, and allows the next session to begin. */
function release(): void {
  running?.microphone.stop();
  running?.video.stop();
  running = undefined;
  startButton.disabled = false;
  stopButton.disabled = true;
  startButton.focus();
}

/** Shows an error where a screen reader announces it, and in the log. */
function report(error: unknown): void {
  statusLine.value = textOf(error);
  log(textOf(error));
}

/** Returns the text of an error. */
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  startButton.disabled = true;
  start().then(
    () => {
      stopButton.disabled = running === undefined;
      stopButton.focus();
    },
    (error: unknown) => {
      report(error);
      release();
    },
  );
});

stopButton.addEventListener("click", () => {
  if (running !== undefined) {
    stopButton.disabled = true;
    stop(running).catch((error: unknown) => {
      report(new Error(`not ended: ${textOf(error)}`));
      stopButton.disabled = false;
    });
  }
});

// A closed page sends no media. If this request is lost, the session ends because of inactivity.
addEventListener("pagehide", () => running?.api.endUnseen(running.session.sessionId));

const query = new URLSearchParams(location.search);
for (const id of ["api", "pool", "source", "targets"]) {
  const given = query.get(id);
  if (given !== null) {
    element(id, HTMLInputElement).value = given;
  }
}

localCloudAt(new URL(location.href), fetch.bind(globalThis)).then(
  (local) => {
    cloud = local;
    if (local !== undefined) {
      fillFields(local);
    }
  },
  (error: unknown) => report(new Error(`no token of the local cloud: ${textOf(error)}`)),
);

/** The page of the local cloud: connects to `/_local/live` and shows what arrives. */
import { Faults } from "./faults.js";
import { busText, logLine, shortened, timeOfDay } from "./format.js";
import { Lines, element } from "./dom.js";
import { connectToCloud, connectToSession } from "./live.js";
import { SessionList, showFacts } from "./sessions.js";
import { Waveform } from "./waveform.js";
import { Words } from "./words.js";
const events = new Lines("events");
const log = new Lines("log");
const waveform = new Waveform();
const words = new Words();
const connection = element("connection", HTMLElement);
const announcement = element("announcement", HTMLElement);
const metrics = element("metrics", HTMLInputElement);
/** The classes of log lines by their level. */
const CLASSES = { WARN: "bad", ERROR: "bad", EMF: "metrics" };
let sessions = [];
let chosen;
/** Whether the user has chosen the session; if not, a newer one replaces it. */
let isUsersChoice = false;
let figures;
let disconnect = () => undefined;
const list = new SessionList((sessionId) => {
    isUsersChoice = true;
    choose(sessionId);
});
const faults = new Faults((text) => {
    announcement.textContent = text;
    log.add(`${timeOfDay(new Date())}  this page  ${text}`, "own");
});
/** Chooses a session, and connects to its events. */
function choose(sessionId) {
    if (chosen === sessionId) {
        return;
    }
    disconnect();
    chosen = sessionId;
    if (sessionId !== undefined) {
        disconnect = connectToSession(sessionId, {
            opened() {
                figures = undefined;
                waveform.clear();
                words.clear();
            },
            figures(latest) {
                figures = latest;
                showDetail();
            },
            levels: (levels) => waveform.add(levels),
            words: (latest) => words.show(latest),
        });
    }
}
function take(latest) {
    if (latest === null) {
        element("no-sessions", HTMLElement).textContent = "The template has no tables of sessions.";
        return;
    }
    announceChanges(sessions, latest);
    sessions = latest;
    if (!isUsersChoice || !sessions.some(({ sessionId }) => sessionId === chosen)) {
        choose(sessions[0]?.sessionId);
    }
    list.show(sessions, chosen);
    showDetail();
}
function showDetail() {
    const session = sessions.find(({ sessionId }) => sessionId === chosen);
    element("detail", HTMLElement).hidden = session === undefined;
    if (session !== undefined) {
        showFacts(session, figures);
    }
}
/** Announces new states to screen readers, not figures, which change all the time. */
function announceChanges(before, after) {
    const known = new Map(before.map((session) => [session.sessionId, session]));
    const changed = after.filter((session) => {
        const earlier = known.get(session.sessionId);
        return earlier !== undefined && (earlier.status !== session.status || earlier.delivery !== session.delivery);
    });
    if (changed.length > 0) {
        const texts = changed.map(({ sessionId, status, delivery }) => `${sessionId}: ${status}, delivery ${delivery}`);
        announcement.textContent = texts.join("; ");
    }
}
function addLogLine(name, line) {
    const { at, level, text } = logLine(line);
    const time = at === undefined ? "" : `${timeOfDay(at)}  `;
    log.add(shortened(`${time}${level} ${name}  ${text}`), CLASSES[level] ?? "");
}
/** Metrics are in the list, and hidden unless they are wanted. */
function showMetrics() {
    element("log", HTMLElement).classList.toggle("with-metrics", metrics.checked);
}
metrics.addEventListener("change", showMetrics);
showMetrics();
connectToCloud({
    opened() {
        connection.textContent = "live";
        connection.className = "good";
        events.clear();
        log.clear();
    },
    lost() {
        connection.textContent = "not connected; connecting again";
        connection.className = "bad";
    },
    sessions: take,
    bus: (entry) => events.add(`${timeOfDay(new Date(entry.receivedAt))}  ${busText(entry)}`),
    log: addLogLine,
    faults: (pending) => faults.show(pending),
});

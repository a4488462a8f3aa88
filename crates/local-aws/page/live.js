/**
 * Server-sent events of `/_local/live`; crates/local-aws/src/admin_api/live.rs has their contents.
 */
/** Connects to the events of the whole cloud. */
export function connectToCloud(listener) {
    const source = new EventSource("/_local/live");
    source.addEventListener("open", () => listener.opened());
    source.addEventListener("error", () => listener.lost());
    on(source, "sessions", ({ sessions }) => listener.sessions(sessions));
    on(source, "bus", (entry) => listener.bus(entry));
    on(source, "log", (log) => listener.log(log.function, log.line));
    on(source, "faults", ({ faults }) => listener.faults(faults));
}
/** Connects to the events of a session. Returns a function that disconnects. */
export function connectToSession(sessionId, listener) {
    const source = new EventSource(`/_local/live/${encodeURIComponent(sessionId)}`);
    source.addEventListener("open", () => listener.opened());
    on(source, "figures", (figures) => listener.figures(figures));
    on(source, "levels", (levels) => listener.levels(levels));
    on(source, "words", (words) => listener.words(words));
    return () => source.close();
}
function on(source, name, take) {
    source.addEventListener(name, (event) => take(JSON.parse(event.data)));
}

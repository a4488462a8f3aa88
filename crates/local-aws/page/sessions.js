/** The list of sessions, and the facts of the chosen one. */
import { duration, seconds } from "./format.js";
import { element, make } from "./dom.js";
/** A row of the list, kept as long as its session is listed, so that the focus stays in it. */
class Row {
    element = document.createElement("tr");
    #choice;
    #cells = Array.from({ length: 6 }, () => document.createElement("td"));
    constructor(sessionId, chosen) {
        this.#choice = Object.assign(document.createElement("input"), { type: "radio", name: "session", value: sessionId });
        this.#choice.addEventListener("change", chosen);
        const label = document.createElement("label");
        label.append(this.#choice, sessionId);
        const head = document.createElement("th");
        head.scope = "row";
        head.append(label);
        this.element.append(head, ...this.#cells);
    }
    show(session, isChosen) {
        this.#choice.checked = isChosen;
        const { stream, delivery } = session;
        const texts = [
            session.status,
            delivery,
            String(session.epoch ?? 0),
            seconds(session.deliveredSamples),
            duration(session.delayMs),
            stream === null ? "none" : `${stream.status}, ${stream.fragments} fragments`,
        ];
        this.#cells.forEach((cell, index) => {
            if (cell.textContent !== texts[index]) {
                cell.textContent = texts[index] ?? "";
            }
        });
        const [, state] = this.#cells;
        if (state !== undefined) {
            state.className = delivery === "running" ? "good" : delivery === "lease expired" ? "bad" : "";
        }
    }
}
export class SessionList {
    #body = element("session-rows", HTMLElement);
    #rows = new Map();
    #chosen;
    /** `chosen` is called with the id of a session that the user chooses. */
    constructor(chosen) {
        this.#chosen = chosen;
    }
    /** Shows the sessions in this order; `chosen` is the id of the chosen one. */
    show(sessions, chosen) {
        element("session-list", HTMLElement).hidden = sessions.length === 0;
        element("no-sessions", HTMLElement).hidden = sessions.length > 0;
        const ids = sessions.map(({ sessionId }) => sessionId);
        if (ids.join() !== [...this.#rows.keys()].join()) {
            const rows = ids.map((id) => [id, this.#rows.get(id) ?? new Row(id, () => this.#chosen(id))]);
            this.#rows.clear();
            rows.forEach(([id, row]) => this.#rows.set(id, row));
            this.#body.replaceChildren(...rows.map(([, row]) => row.element));
        }
        sessions.forEach((session) => this.#rows.get(session.sessionId)?.show(session, session.sessionId === chosen));
    }
}
/** Shows the facts of a session. */
export function showFacts(session, figures) {
    element("detail-title", HTMLElement).textContent = `Session ${session.sessionId}`;
    const audio = element("audio", HTMLAnchorElement);
    audio.href = `/_local/audio/${encodeURIComponent(session.sessionId)}.wav`;
    audio.hidden = session.deliveredSamples === 0;
    const facts = element("facts", HTMLElement);
    facts.replaceChildren(...factsOf(session, figures).flatMap(([name, text]) => [make("dt", name), make("dd", text)]));
}
/** Returns the facts of a session: names and texts. */
function factsOf(session, figures) {
    const { stream } = session;
    const languages = [session.sourceLanguage, (session.targetLanguages ?? []).join(", ")].filter(Boolean).join(" to ");
    const facts = [
        ["Status", session.endedReason === null ? session.status : `${session.status} (${session.endedReason})`],
        ["Speaker", [session.speakerId, languages].filter(Boolean).join(", ")],
        ["Delivery", session.desired === null ? session.delivery : `${session.delivery}, desired ${session.desired}`],
        ["Lease owner", session.owner || "none"],
        ["Epoch", String(session.epoch ?? 0)],
        ["Delivered", `${seconds(session.deliveredSamples)} (${session.deliveredSamples} samples)`],
        ["Checkpoint", session.checkpointSamples === null ? undefined : seconds(session.checkpointSamples)],
        ["Delay from speech to processor", duration(session.delayMs)],
        ["Stored, not accepted yet", duration(session.waitingMs)],
        ["Stream", stream === null ? "none" : `${stream.status}; fragments: ${stream.fragments}, producers: ${stream.producers}, readers: ${stream.readers}`],
        ["Last failure", session.lastFailure ?? undefined],
        ["Speaker's datagrams", datagramsOf(session)],
        ...countersOf(figures),
    ];
    return facts.filter((fact) => fact[1] !== undefined);
}
function datagramsOf({ datagrams }) {
    if (datagrams === null) {
        return undefined;
    }
    const { audioReceived, audioLost, receivedInOutages, sentInOutages } = datagrams;
    return `${audioReceived} of audio, ${audioLost} of them lost; lost in outages: ${receivedInOutages} received, ${sentInOutages} sent`;
}
function countersOf(figures) {
    if (figures === undefined) {
        return [];
    }
    const latency = figures.deliveryLatencyMs;
    return [
        ["Chunks", `${figures.chunks} accepted, ${figures.failedDeliveries} failed`],
        ["Offered twice, accepted twice", `${seconds(figures.offeredTwice)}, ${seconds(figures.samplesDuplicated)}`],
        ["Filled", seconds(figures.filledSamples)],
        ["Longest pause between chunks", duration(figures.longestPauseMs)],
        ...(latency === null ? [] : [["Latency, p50 and p99", `${duration(latency.p50)}, ${duration(latency.p99)}`]]),
    ];
}

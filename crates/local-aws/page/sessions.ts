/** The list of sessions, and the facts of the chosen one. */
import { duration, seconds } from "./format.ts";
import { element, make } from "./dom.ts";
import type { Figures, Session } from "./live.ts";

/** A row of the list, kept as long as its session is listed, so that the focus stays in it. */
class Row {
  readonly element = document.createElement("tr");
  readonly #choice: HTMLInputElement;
  readonly #cells = Array.from({ length: 6 }, () => document.createElement("td"));

  constructor(sessionId: string, chosen: () => void) {
    this.#choice = Object.assign(document.createElement("input"), { type: "radio", name: "session", value: sessionId });
    this.#choice.addEventListener("change", chosen);
    const label = document.createElement("label");
    label.append(this.#choice, sessionId);
    const head = document.createElement("th");
    head.scope = "row";
    head.append(label);
    this.element.append(head, ...this.#cells);
  }

  show(session: Session, isChosen: boolean): void {
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
  readonly #body = element("session-rows", HTMLElement);
  readonly #rows = new Map<string, Row>();
  readonly #chosen: (sessionId: string) => void;

  /** `chosen` is called with the id of a session that the user chooses. */
  constructor(chosen: (sessionId: string) => void) {
    this.#chosen = chosen;
  }

  /** Shows the sessions in this order; `chosen` is the id of the chosen one. */
  show(sessions: readonly Session[], chosen: string | undefined): void {
    element("session-list", HTMLElement).hidden = sessions.length === 0;
    element("no-sessions", HTMLElement).hidden = sessions.length > 0;
    const ids = sessions.map(({ sessionId }) => sessionId);
    if (ids.join() !== [...this.#rows.keys()].join()) {
      const rows = ids.map((id) => [id, this.#rows.get(id) ?? new Row(id, () => this.#chosen(id))] as const);
      this.#rows.clear();
      rows.forEach(([id, row]) => this.#rows.set(id, row));
      this.#body.replaceChildren(...rows.map(([, row]) => row.element));
    }
    sessions.forEach((session) => this.#rows.get(session.sessionId)?.show(session, session.sessionId === chosen));
  }
}

/** Shows the facts of a session. */
export function showFacts(session: Session, figures: Figures | undefined): void {
  element("detail-title", HTMLElement).textContent = `Session ${session.sessionId}`;
  const audio = element("audio", HTMLAnchorElement);
  audio.href = `/_local/audio/${encodeURIComponent(session.sessionId)}.wav`;
  audio.hidden = session.deliveredSamples === 0;
  const facts = element("facts", HTMLElement);
  facts.replaceChildren(...factsOf(session, figures).flatMap(([name, text]) => [make("dt", name), make("dd", text)]));
}

/** Returns the facts of a session: names and texts. */
function factsOf(session: Session, figures: Figures | undefined): [string, string][] {
  const { stream } = session;
  const languages = [session.sourceLanguage, (session.targetLanguages ?? []).join(", ")].filter(Boolean).join(" to ");
  const facts: [string, string | undefined][] = [
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
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

function datagramsOf({ datagrams }: Session): string | undefined {
  if (datagrams === null) {
    return undefined;
  }
  const { audioReceived, audioLost, receivedInOutages, sentInOutages } = datagrams;
  return `${audioReceived} of audio, ${audioLost} of them lost; lost in outages: ${receivedInOutages} received, ${sentInOutages} sent`;
}

function countersOf(figures: Figures | undefined): [string, string][] {
  if (figures === undefined) {
    return [];
  }
  const latency = figures.deliveryLatencyMs;
  return [
    ["Chunks", `${figures.chunks} accepted, ${figures.failedDeliveries} failed`],
    ["Offered twice, accepted twice", `${seconds(figures.offeredTwice)}, ${seconds(figures.samplesDuplicated)}`],
    ["Filled", seconds(figures.filledSamples)],
    ["Longest pause between chunks", duration(figures.longestPauseMs)],
    ...(latency === null ? [] : ([["Latency, p50 and p99", `${duration(latency.p50)}, ${duration(latency.p99)}`]] as [string, string][])),
  ];
}

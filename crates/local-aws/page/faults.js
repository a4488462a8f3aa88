/**
 * The faults that the page switches on and off, through `/_local/faults` and `/_local/processes`.
 */
import { element, make } from "./dom.js";
/** Number of calls that keeps a fault on until it is removed. */
const UNTIL_OFF = 1_000_000;
const CONSUMER = "kvs-stream-consumer";
const PROCESSOR = "audio-processor";
const SWITCHES = [
    {
        id: "network",
        title: "Lose the network",
        text: "Cuts every GetMedia connection and refuses new ones. The audio stays in KVS; delivery continues when the network is back.",
        faults: [
            { service: "kinesisvideo", operation: "GetMedia", times: UNTIL_OFF, kind: "error", status: 503, code: "ServiceUnavailable" },
            { service: "kinesisvideo", operation: "GetMediaBody", times: UNTIL_OFF, kind: "cut" },
        ],
    },
    {
        id: "outage",
        title: "Cut off the speakers",
        text: "Loses everything between speakers and the storage sessions of WebRTC. Speech during the outage is lost and leaves a gap of the same length.",
        faults: [{ service: "kinesisvideo", operation: "ClientNetwork", kind: "outage" }],
    },
    {
        id: "loss",
        title: "Lose 5 % of the speech",
        text: "Loses every twentieth audio datagram of the speakers. The storage session conceals each in its length.",
        faults: [{ service: "kinesisvideo", operation: "ClientAudio", kind: "loss", extra: { dropPercent: 5 } }],
    },
    {
        id: "slow",
        title: "Slow processor",
        text: "Delays every call of the processor by 2 s. Chunks wait, and are delivered together in larger payloads.",
        faults: [{ service: "lambda", operation: "Invoke", target: PROCESSOR, times: UNTIL_OFF, kind: "delay", delayMs: 2_000 }],
    },
];
export class Faults {
    #note;
    /** `note` is called with a text for each change that the user makes. */
    constructor(note) {
        this.#note = note;
        element("faults", HTMLElement).append(this.#kill(), ...SWITCHES.map((fault) => this.#switch(fault)));
    }
    /** Shows which faults are pending. */
    show(pending) {
        for (const { id, faults } of SWITCHES) {
            element(`fault-${id}`, HTMLInputElement).checked = pending.some((fault) => faults.some((own) => isSame(own, fault)));
        }
        const others = pending.filter((fault) => !SWITCHES.some(({ faults }) => faults.some((own) => isSame(own, fault))));
        const text = others.map(({ service, operation, target }) => [service, operation ?? "any operation", target].filter(Boolean).join(" ")).join(", ");
        element("other-faults", HTMLElement).textContent = others.length === 0 ? "" : `Other pending faults: ${text}`;
    }
    #kill() {
        const button = make("button", "Kill the consumer");
        button.type = "button";
        button.addEventListener("click", () => {
            this.#change("the consumer is killed", () => call("DELETE", `/_local/processes/${CONSUMER}`));
        });
        const text = "Kills the consumer's processes. Lambda retries the event after a minute, or the health check starts the session again; the next run takes the lease, with the next epoch, and continues at the checkpoint.";
        return item(button, "kill", text);
    }
    #switch({ id, title, text, faults }) {
        const box = Object.assign(document.createElement("input"), { type: "checkbox", id: `fault-${id}` });
        box.setAttribute("role", "switch");
        box.addEventListener("change", () => {
            const isOn = box.checked;
            this.#change(`${title}: ${isOn ? "on" : "off"}`, async () => {
                for (const fault of faults) {
                    await (isOn ? call("POST", "/_local/faults", fault) : call("DELETE", `/_local/faults?${selecting(fault)}`));
                }
            });
        });
        const label = document.createElement("label");
        label.append(box, title);
        return item(label, id, text, box);
    }
    #change(text, change) {
        change().then(() => this.#note(text), (error) => this.#note(`not done: ${error instanceof Error ? error.message : String(error)}`));
    }
}
/** Returns the item of a control with its description. */
function item(control, id, text, described = control) {
    const description = make("p", text);
    description.id = `fault-${id}-text`;
    described.setAttribute("aria-describedby", description.id);
    const made = document.createElement("li");
    made.append(control, description);
    return made;
}
/** The fields that tell faults apart: their calls and their effect. */
const FIELDS = ["service", "operation", "target", "kind"];
/** Returns whether two faults have the same effect on the same calls. */
export const isSame = (one, other) => FIELDS.every((field) => one[field] === other[field]);
/** Returns the query that selects a fault. */
function selecting(fault) {
    return new URLSearchParams(FIELDS.flatMap((field) => (fault[field] === undefined ? [] : [[field, fault[field]]])));
}
async function call(method, path, body) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!response.ok) {
        const answer = (await response.json().catch(() => ({})));
        throw new Error(answer.error ?? `status ${response.status}`);
    }
}

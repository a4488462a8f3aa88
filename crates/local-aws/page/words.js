/** The recognised words of a session, each line beside the time at which it was spoken. */
import { timeOfDay, wordsText } from "./format.js";
import { Lines, element, make } from "./dom.js";
export class Words {
    #state = element("words-state", HTMLElement);
    /** Final lines: a polite live region, so a screen reader reads each once. */
    #lines = new Lines("words");
    /** The line that is being spoken. It changes all the time, so it is not announced. */
    #open = element("open-words", HTMLElement);
    clear() {
        this.#state.textContent = "";
        this.#lines.clear();
        this.#open.replaceChildren();
    }
    /** Shows the state, and the lines that have changed. */
    show(words) {
        const text = wordsText(words);
        if (this.#state.textContent !== text) {
            this.#state.textContent = text;
        }
        this.#state.hidden = text === "";
        for (const line of words.lines) {
            this.#open.replaceChildren(...(line.isFinal ? [] : parts(line)));
            if (line.isFinal) {
                const item = document.createElement("li");
                item.append(...parts(line));
                this.#lines.append(item);
            }
        }
    }
}
/** Returns the time, the offset in the session and the words of a line. */
function parts({ spokenAt, startMs, text }) {
    const at = new Date(spokenAt);
    const time = Object.assign(document.createElement("time"), { dateTime: at.toISOString() });
    time.textContent = timeOfDay(at);
    return [time, make("span", `${(startMs / 1_000).toFixed(1)} s`, "offset"), make("span", text)];
}

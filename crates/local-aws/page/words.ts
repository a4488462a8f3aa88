/** The recognised words of a session, each line beside the time at which it was spoken. */
import { timeOfDay, wordsText } from "./format.ts";
import { element, make } from "./lists.ts";
import type { Line, WordsEvent } from "./live.ts";

/** The most lines that are shown; the oldest are removed first. */
const MAX_LINES = 500;

export class Words {
  readonly #state = element("words-state", HTMLElement);
  /** Final lines: a polite live region, so a screen reader reads each once. */
  readonly #lines = element("words", HTMLElement);
  /** The line that is being spoken. It changes all the time, so it is not announced. */
  readonly #open = element("open-words", HTMLElement);

  clear(): void {
    this.#state.textContent = "";
    this.#lines.replaceChildren();
    this.#open.replaceChildren();
  }

  /** Shows the state, and the lines that have changed. */
  show(words: WordsEvent): void {
    const text = wordsText(words);
    if (this.#state.textContent !== text) {
      this.#state.textContent = text;
    }
    this.#state.hidden = text === "";
    if (words.lines.length === 0) {
      return;
    }
    const list = this.#lines;
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
    this.#open.replaceChildren();
    for (const line of words.lines) {
      if (line.isFinal) {
        const item = document.createElement("li");
        item.append(...parts(line));
        list.append(item);
      } else {
        this.#open.replaceChildren(...parts(line));
      }
    }
    while (list.childElementCount > MAX_LINES) {
      list.firstElementChild?.remove();
    }
    if (isAtEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }
}

/** Returns the time, the offset in the session and the words of a line. */
function parts({ spokenAt, startMs, text }: Line): HTMLElement[] {
  const at = new Date(spokenAt);
  const time = Object.assign(document.createElement("time"), { dateTime: at.toISOString() });
  time.textContent = timeOfDay(at);
  return [time, make("span", `${(startMs / 1_000).toFixed(1)} s`, "offset"), make("span", text)];
}

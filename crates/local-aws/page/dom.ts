/** Elements of the page, and lists of lines that follow their end. */

/** The most lines of a list; the oldest are removed first. */
const MAX_LINES = 500;

/** Returns the element with this id. Throws if the page has none of this type. */
export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) {
    throw new Error(`the page has no #${id}`);
  }
  return found;
}

/** Returns a new element with a text and a class. */
export function make(name: string, text: string, className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** A list of lines, newest last. */
export class Lines {
  readonly #list: HTMLElement;

  constructor(id: string) {
    this.#list = element(id, HTMLElement);
  }

  /** Adds a line with a text and a class. */
  add(text: string, className = ""): void {
    this.append(make("li", text, className));
  }

  /** Adds a line. The list scrolls with it, unless the reader has scrolled up. */
  append(line: HTMLElement): void {
    const list = this.#list;
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
    list.append(line);
    while (list.childElementCount > MAX_LINES) {
      list.firstElementChild?.remove();
    }
    if (isAtEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }

  clear(): void {
    this.#list.replaceChildren();
  }
}

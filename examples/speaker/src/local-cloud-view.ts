/** The parts of the page that a local cloud fills: the fields that it answers, and the words. */
import { element } from "./element.ts";
import type { LocalCloud } from "./local-cloud.ts";
import { showRecognisedWords } from "./recognised-words.ts";

/** Fills the fields that a local cloud answers, and hides those that it has no use for. */
export function fillFields(cloud: LocalCloud): void {
  element("api", HTMLInputElement).value = cloud.api;
  element("token", HTMLInputElement).value = cloud.token;
  for (const id of ["api", "token", "pool"]) {
    element(id, HTMLInputElement).labels?.forEach((label) => (label.hidden = true));
  }
  element("cloud", HTMLElement).hidden = false;
}

/**
 * Closes the word stream of the previous session. It stays open after the session's end, because
 * words follow it.
 */
let closeWords: () => void = () => undefined;

/** Shows the words of a session as the local cloud recognises them. */
export function showWords(cloud: LocalCloud, sessionId: string): void {
  closeWords();
  closeWords = showRecognisedWords(cloud.api, sessionId, {
    state: element("words-state", HTMLElement),
    lines: element("words", HTMLElement),
    open: element("open-words", HTMLElement),
  });
}

/**
 * The words that a local cloud recognises in a session's delivered audio
 * (docs/local-cloud.md#words).
 */

/** The event `words` of `/_local/live/SESSION`, of its fields those that the page shows. */
interface WordsEvent {
  readonly state: "absent" | "waiting" | "running" | "ended" | "failed";
  readonly lines: readonly { readonly text: string; readonly isFinal: boolean }[];
}

/** The elements that show the words. */
export interface WordsView {
  /** Says why there are no words. */
  readonly state: HTMLElement;
  /** The lines that are final. */
  readonly lines: HTMLElement;
  /** The line that is being spoken. */
  readonly open: HTMLElement;
}

/** Shows the words of a session as they are recognised, until the returned function is called. */
export function showRecognisedWords(origin: string, sessionId: string, view: WordsView): () => void {
  const source = new EventSource(`${origin}/_local/live/${encodeURIComponent(sessionId)}`);
  // Each connection begins with all lines.
  source.addEventListener("open", () => [view.lines, view.open].forEach((element) => element.replaceChildren()));
  source.addEventListener("words", ({ data }: MessageEvent<string>) => show(JSON.parse(data) as WordsEvent, view));
  return () => source.close();
}

function show({ state, lines }: WordsEvent, view: WordsView): void {
  view.state.textContent = textOf(state);
  for (const { text, isFinal } of lines) {
    view.open.textContent = isFinal ? "" : text;
    if (isFinal) {
      const item = document.createElement("li");
      item.textContent = text;
      view.lines.append(item);
    }
  }
}

/** Returns why there are no words, or not yet. */
function textOf(state: WordsEvent["state"]): string {
  switch (state) {
    case "absent":
      return "No speech recogniser is set, so no words are shown.";
    case "waiting":
      return "Words are shown once their fragment is stored: after about 10 s with WebRTC ingestion.";
    case "failed":
      return "The speech recogniser failed, so the words are not complete.";
    default:
      return "";
  }
}

/**
 * Server-sent events of `/_local/live`; crates/local-aws/src/admin_api/live.rs has their contents.
 */

/** A session with the state of its delivery. Times are in milliseconds since the epoch. */
export interface Session {
  readonly sessionId: string;
  readonly status: string;
  readonly endedReason: string | null;
  readonly speakerId: string | null;
  readonly sourceLanguage: string | null;
  readonly targetLanguages: readonly string[] | null;
  readonly createdAt: number | null;
  readonly desired: string | null;
  readonly delivery: string;
  readonly owner: string | null;
  readonly epoch: number | null;
  readonly leaseExpiresAt: number | null;
  readonly deliveredSamples: number;
  readonly checkpointSamples: number | null;
  readonly stream: {
    readonly status: string;
    readonly fragments: number;
    readonly producers: number;
    readonly readers: number;
  } | null;
  readonly waitingMs: number | null;
  readonly delayMs: number | null;
  readonly lastFailure: string | null;
  /** What the speaker sent by WebRTC, and what faults of the network lost of it. */
  readonly datagrams: {
    readonly audioReceived: number;
    readonly audioLost: number;
    readonly receivedInOutages: number;
    readonly sentInOutages: number;
  } | null;
}

/** The counters of a session's deliveries, of those that the page shows. */
export interface Figures {
  readonly samplesDelivered: number;
  readonly samplesDuplicated: number;
  readonly offeredTwice: number;
  readonly filledSamples: number;
  readonly chunks: number;
  readonly failedDeliveries: number;
  readonly longestPauseMs: number;
  readonly deliveryLatencyMs: { readonly p50: number; readonly p99: number } | null;
}

/** Delivered audio: for each step the largest sample and the root mean square, 0 to 32768. */
export interface Levels {
  readonly from: number;
  readonly stepMs: number;
  readonly peaks: readonly number[];
  readonly rms: readonly number[];
}

/**
 * A recognised line. Times are in milliseconds: of its beginning and end in the session, and of its
 * speech since the epoch.
 */
export interface Line {
  readonly number: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly spokenAt: number;
  readonly text: string;
  readonly isFinal: boolean;
}

/** The state of the recognition, and the lines that have changed. */
export interface WordsEvent {
  readonly state: "absent" | "waiting" | "running" | "ended" | "failed";
  readonly reason: string | null;
  readonly missedMs: number;
  readonly lines: readonly Line[];
}

/** An event of the bus. */
export interface BusEntry {
  readonly receivedAt: string;
  readonly rules: readonly string[];
  readonly event: {
    readonly "detail-type"?: string;
    readonly detail?: { readonly sessionId?: string; readonly status?: string };
  };
}

/** A pending fault, of its fields those that the page reads. */
export interface Fault {
  readonly service: string;
  readonly operation?: string;
  readonly target?: string;
  readonly kind: string;
}

/** Takes the events of the whole cloud. */
export interface CloudListener {
  /** The connection is open. The events of the bus and the log lines begin with past ones. */
  opened(): void;
  /** The connection is lost; the browser connects again. */
  lost(): void;
  /** `null`: the template has no sessions. */
  sessions(sessions: readonly Session[] | null): void;
  bus(entry: BusEntry): void;
  log(name: string, line: string): void;
  faults(faults: readonly Fault[]): void;
}

/** Takes the events of one session. */
export interface SessionListener {
  /** The connection is open. The levels begin with those of the last minute, the words with all. */
  opened(): void;
  figures(figures: Figures): void;
  levels(levels: Levels): void;
  words(words: WordsEvent): void;
}

/** Connects to the events of the whole cloud. */
export function connectToCloud(listener: CloudListener): void {
  const source = new EventSource("/_local/live");
  source.addEventListener("open", () => listener.opened());
  source.addEventListener("error", () => listener.lost());
  on<{ sessions: Session[] | null }>(source, "sessions", ({ sessions }) => listener.sessions(sessions));
  on<BusEntry>(source, "bus", (entry) => listener.bus(entry));
  on<{ function: string; line: string }>(source, "log", (log) => listener.log(log.function, log.line));
  on<{ faults: Fault[] }>(source, "faults", ({ faults }) => listener.faults(faults));
}

/** Connects to the events of a session. Returns a function that disconnects. */
export function connectToSession(sessionId: string, listener: SessionListener): () => void {
  const source = new EventSource(`/_local/live/${encodeURIComponent(sessionId)}`);
  source.addEventListener("open", () => listener.opened());
  on<Figures>(source, "figures", (figures) => listener.figures(figures));
  on<Levels>(source, "levels", (levels) => listener.levels(levels));
  on<WordsEvent>(source, "words", (words) => listener.words(words));
  return () => source.close();
}

function on<T>(source: EventSource, name: string, take: (data: T) => void): void {
  source.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent<string>).data) as T));
}

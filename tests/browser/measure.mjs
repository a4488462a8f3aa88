// Scripts that run in a page before its own code.

/**
 * Measures the speaker's page: when JoinStorageSession was called first, when the status was "live"
 * first, every status, and the peer connections for their statistics.
 */
export const MEASURE = `(() => {
  const measured = (globalThis.measured = { statuses: [], peers: [] });
  const send = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    if (String(input).endsWith("/joinStorageSession")) measured.joinAt ??= performance.now();
    return send(input, init);
  };
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given) {
      super(...given);
      measured.peers.push(this);
    }
  };
  addEventListener("DOMContentLoaded", () => {
    const status = document.getElementById("status");
    const look = () => {
      if (measured.statuses.at(-1)?.text === status.value) return;
      measured.statuses.push({ at: Date.now(), text: status.value });
      if (status.value.endsWith(": live")) measured.liveAt ??= performance.now();
    };
    new MutationObserver(look).observe(status, { childList: true, characterData: true, subtree: true });
  });
})();`;

/**
 * Leads the peer connections through the wire (wire.mjs): each candidate of the service gets a port
 * of the wire.
 */
export const through = (wire) => `(() => {
  const routed = async (text) => {
    const [, port] = text.match(/ 127\\.0\\.0\\.1 (\\d+) typ host/) ?? [];
    if (port === undefined) return text;
    const answer = await fetch("${wire.url}/?port=" + port);
    return text.replaceAll(" 127.0.0.1 " + port + " ", " 127.0.0.1 " + (await answer.text()) + " ");
  };
  const { setRemoteDescription, addIceCandidate } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    return setRemoteDescription.call(this, { type: description.type, sdp: await routed(description.sdp) });
  };
  RTCPeerConnection.prototype.addIceCandidate = async function (candidate) {
    return addIceCandidate.call(this, { ...candidate, candidate: await routed(candidate.candidate) });
  };
})();`;

/**
 * A microphone that speaks the WAV file from `afterMs` after the moment in which the status is
 * "live".
 */
export const speakingWhenLive = (file, afterMs) => `(() => {
  const context = new AudioContext({ sampleRate: 48_000 });
  const microphone = context.createMediaStreamDestination();
  const bytes = Uint8Array.from(atob("${file.toString("base64")}"), (sign) => sign.charCodeAt(0));
  const decoded = context.decodeAudioData(bytes.buffer);
  navigator.mediaDevices.getUserMedia = async () => {
    const voice = new AudioBufferSourceNode(context, { buffer: await decoded });
    voice.connect(microphone);
    await context.resume();
    const status = document.getElementById("status");
    const speak = new MutationObserver(() => {
      if (status.value.endsWith(": live")) {
        speak.disconnect();
        voice.start(context.currentTime + ${afterMs / 1_000});
      }
    });
    speak.observe(status, { childList: true, characterData: true, subtree: true });
    return microphone.stream;
  };
})();`;

/**
 * All pages with this script open the same session: the same Idempotency-Key gets the same
 * response.
 */
export const sameSession = (key) => `crypto.randomUUID = () => "${key}";`;

/**
 * Changes the video section of each answer that the page sends: "rejected" sets its port to 0,
 * "inactive" sets its direction.
 */
export const withoutVideo = (how) => `(() => {
  const send = WebSocket.prototype.send;
  const changed = (sdp) => sdp.replace(/m=video[^]*?(?=\\r\\nm=|$)/, (section) =>
    ${how === "rejected" ? 'section.replace(/^m=video \\d+/, "m=video 0")' : 'section.replace("a=sendonly", "a=inactive")'});
  WebSocket.prototype.send = function (text) {
    const message = JSON.parse(text);
    if (message.action === "SDP_ANSWER") {
      const answer = JSON.parse(atob(message.messagePayload));
      message.messagePayload = btoa(JSON.stringify({ ...answer, sdp: changed(answer.sdp) }));
    }
    return send.call(this, JSON.stringify(message));
  };
})();`;

/**
 * Gives the page a clock that `passTime(ms)` sets forward: timers that are due by then run at once.
 */
export const CLOCK = `(() => {
  const { setTimeout: later, clearTimeout: forget } = globalThis;
  const now = performance.now.bind(performance);
  const LONG_MS = 60_000;
  let passed = 0;
  const waiting = new Map();
  performance.now = () => now() + passed;
  globalThis.setTimeout = (then, ms, ...given) => {
    const timer = later(() => { waiting.delete(timer); then(...given); }, ms);
    if (ms > LONG_MS) waiting.set(timer, { at: performance.now() + ms, then: () => then(...given) });
    return timer;
  };
  globalThis.clearTimeout = (timer) => { waiting.delete(timer); forget(timer); };
  globalThis.passTime = (ms) => {
    passed += ms;
    for (const [timer, { at, then }] of waiting) {
      if (at <= performance.now()) {
        clearTimeout(timer);
        then();
      }
    }
  };
})();`;

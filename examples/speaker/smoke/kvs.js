// Runs in the page before its own code: simulates the session API, Cognito and Kinesis Video
// Streams, with a real peer connection as the storage session. Its wire forms are those of AWS's
// documentation, so it proves nothing about AWS; it shows that the page's parts fit together in a
// real browser.
(() => {
  const kvs = (globalThis.playedKvs = { calls: [], joins: 0, answers: [], remote: undefined, socket: undefined });
  const channel = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-blessed-shepherd-123/1732540618000";
  const session = {
    sessionId: "blessed-shepherd-123",
    status: "active",
    kvsChannelArn: channel,
    kvsSignalingEndpoints: { WSS: "wss://m.example", HTTPS: "https://r.example", WEBRTC: "https://w.example" },
  };
  const answers = {
    "POST /sessions": [201, session],
    "GET /sessions/blessed-shepherd-123": [200, session],
    "DELETE /sessions/blessed-shepherd-123": [204],
    "POST GetId": [200, { IdentityId: "us-east-1:identity" }],
    "POST GetCredentialsForIdentity": [
      200,
      { Credentials: { AccessKeyId: "AK", SecretKey: "SK", SessionToken: "ST", Expiration: Date.now() / 1000 + 3600 } },
    ],
    "POST /v1/get-ice-server-config": [200, { IceServerList: [] }],
    "POST /joinStorageSession": [200],
  };

  globalThis.fetch = async (input, init = {}) => {
    const headers = new Headers(init.headers);
    const target = headers.get("x-amz-target")?.split(".")[1];
    const url = new URL(String(input));
    const call = `${init.method ?? "GET"} ${target ?? url.pathname}`;
    kvs.calls.push({ call, body: init.body, authorization: headers.get("authorization")?.split(" ")[0] });
    const [status, body] = answers[call] ?? [404, { message: "Not Found" }];
    if (call === "POST /joinStorageSession") {
      kvs.joins += 1;
      setTimeout(offer, 50);
    }
    return new Response(body === undefined ? null : JSON.stringify(body), { status });
  };

  const say = (messageType, payload) => {
    const data = JSON.stringify({ messageType, messagePayload: btoa(JSON.stringify(payload)) });
    kvs.socket?.dispatchEvent(new MessageEvent("message", { data }));
  };

  async function offer() {
    kvs.remote?.close();
    const remote = (kvs.remote = new RTCPeerConnection());
    remote.addTransceiver("audio", { direction: "recvonly" });
    remote.addTransceiver("video", { direction: "recvonly" });
    // As the service does: candidates without `sdpMid`, and here the first ones before the offer.
    remote.onicecandidate = ({ candidate }) => candidate && say("ICE_CANDIDATE", { candidate: candidate.candidate });
    await remote.setLocalDescription();
    await new Promise((resolve) => setTimeout(resolve, 100));
    say("SDP_OFFER", { type: "offer", sdp: remote.localDescription.sdp });
  }

  globalThis.WebSocket = class extends EventTarget {
    constructor(url) {
      super();
      kvs.calls.push({ call: `socket ${new URL(url).searchParams.get("X-Amz-ChannelARN")}` });
      kvs.socket = this;
      setTimeout(() => this.dispatchEvent(new Event("open")), 10);
    }
    send(text) {
      const { action, messagePayload, correlationId } = JSON.parse(text);
      if (action === "SDP_ANSWER") {
        const answer = JSON.parse(atob(messagePayload));
        kvs.answers.push({ correlationId, sdp: answer.sdp });
        kvs.remote.setRemoteDescription(answer);
      }
    }
    close() {
      setTimeout(() => this.dispatchEvent(new Event("close")), 10);
    }
  };
})();

/**
 * The picture of a speaker without a camera. Ingestion requires H.264 video from a master (WDG,
 * "Troubleshoot connecting to the storage session"); its requirements on the picture are not
 * documented. This one is small (about 8 kb/s, measured with Chromium), far below the session's 1
 * Mb/s, and changes with every frame, because a capture may omit frames that are equal.
 */

/** Pixels. */
const WIDTH = 320;
const HEIGHT = 240;

/** Frames per second. */
const RATE = 5;

/** Maximum bit rate of the encoder, in bits per second. */
export const VIDEO_MAX_BITRATE = 150_000;

export interface SyntheticVideo {
  readonly track: MediaStreamTrack;
  stop(): void;
}

/**
 * Returns a track of a bar that moves across a dark picture. A timer draws it, not animation
 * frames, which stop in a hidden tab; there, a timer still fires about once per second.
 */
export function startSyntheticVideo(): SyntheticVideo {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const picture = canvas.getContext("2d");
  if (picture === null) {
    throw new Error("this browser draws on no canvas");
  }
  let frame = 0;
  const draw = (): void => {
    picture.fillStyle = "#10202c";
    picture.fillRect(0, 0, WIDTH, HEIGHT);
    picture.fillStyle = "#7fb2d0";
    picture.fillRect((frame * 8) % WIDTH, 0, 16, HEIGHT);
    frame += 1;
  };
  draw();
  const timer = setInterval(draw, 1_000 / RATE);
  const [track] = canvas.captureStream(RATE).getVideoTracks();
  if (track === undefined) {
    throw new Error("this browser captures no canvas");
  }
  return {
    track,
    stop() {
      clearInterval(timer);
      track.stop();
    },
  };
}

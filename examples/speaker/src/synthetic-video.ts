/**
 * The picture that a speaker without a camera sends. Ingestion takes no master without H.264 video (WDG,
 * "Troubleshoot connecting to the storage session"); what it needs of the picture is not documented. This one
 * is small (about 8 kb/s, measured with Chromium), far below the session's 1 Mb/s, and changes with every frame,
 * because a capture may leave out frames that are alike.
 */

/** Pixels. */
const WIDTH = 320;
const HEIGHT = 240;

/** Frames a second. */
const RATE = 5;

/** The most that the encoder may spend on it, in bits a second. */
export const VIDEO_MAX_BITRATE = 150_000;

export interface SyntheticVideo {
  readonly track: MediaStreamTrack;
  stop(): void;
}

/**
 * A track of a bar that walks across a dark picture. Drawn by a timer and not by animation frames, which stop
 * in a hidden tab; there, a timer still comes about once a second.
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

/**
 * The speaker's microphone. Echo cancellation, noise suppression and automatic gain are options of
 * the page; by default a browser turns on all three. They are off by default here, because they
 * change the sound: measured with Chromium, gain makes the first two seconds of speech 6 dB louder,
 * and noise suppression reduces 6 to 8 kHz by 5 dB. If loudspeakers play beside the microphone,
 * echo cancellation should be on.
 */
export interface AudioProcessing {
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
}

/** Returns an error with the next step for the frequent reasons why there is no microphone. */
function explained(error: unknown): unknown {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
      return new Error("the browser denied the microphone: allow it for this page, then start again");
    case "NotFoundError":
      return new Error("this machine has no microphone: connect one, then start again");
    default:
      return error;
  }
}

/** Requests access to the microphone, one channel. Rejects if it is denied or absent. */
export async function openMicrophone(processing: AudioProcessing): Promise<MediaStreamTrack> {
  if (navigator.mediaDevices === undefined) {
    throw new Error("a browser gives the microphone to pages over https or from 127.0.0.1 only");
  }
  const audio = { ...processing, channelCount: 1 };
  const stream = await navigator.mediaDevices.getUserMedia({ audio }).catch((error: unknown) => {
    throw explained(error);
  });
  const [track] = stream.getAudioTracks();
  if (track === undefined) {
    throw new Error("the microphone gave no audio track");
  }
  return track;
}

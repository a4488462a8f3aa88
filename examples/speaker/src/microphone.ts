/**
 * The speaker's microphone. Echo cancellation, noise suppression and automatic gain are each the page's choice;
 * a browser turns all three on if not told otherwise. They are off by default here, because they change what is
 * heard: measured with Chromium, gain makes the first two seconds of speech 6 dB louder, and noise suppression
 * takes 5 dB off 6 to 8 kHz. Where loudspeakers play beside the microphone, echo cancellation belongs on.
 */
export interface AudioProcessing {
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
}

/** Asks the speaker for the microphone, one channel. Rejects as `getUserMedia` does where it is denied or absent. */
export async function openMicrophone(processing: AudioProcessing): Promise<MediaStreamTrack> {
  if (navigator.mediaDevices === undefined) {
    throw new Error("a browser gives the microphone to pages over https or from 127.0.0.1 only");
  }
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { ...processing, channelCount: 1 } });
  const [track] = stream.getAudioTracks();
  if (track === undefined) {
    throw new Error("the microphone gave no audio track");
  }
  return track;
}

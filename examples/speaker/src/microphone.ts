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

/**
 * Requests access to the microphone, one channel. Rejects as `getUserMedia` does if it is denied or
 * absent.
 */
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

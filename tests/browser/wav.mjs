// WAV files of 16-bit mono PCM with a 44-byte header, as the reference processor writes them.

const HEADER = 44;

/** The file of `samples` (Int16Array). */
export function wavOf(samples, sampleRate) {
  const header = Buffer.alloc(HEADER);
  header.write("RIFF", 0);
  header.writeUInt32LE(HEADER - 8 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}

/** The samples of a file and their rate. Throws if it has another form. */
export function readWav(file) {
  if (file.length < HEADER || file.toString("latin1", 0, 4) !== "RIFF" || file.readUInt16LE(22) !== 1 || file.readUInt16LE(34) !== 16) {
    throw new Error("not a WAV file of 16-bit mono PCM");
  }
  return { samples: pcm(file.subarray(HEADER, HEADER + file.readUInt32LE(40))), sampleRate: file.readUInt32LE(24) };
}

/** The samples of 16-bit little-endian PCM. */
export function pcm(bytes) {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 2));
  return new Int16Array(whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length));
}

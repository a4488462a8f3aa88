"""Makes the AAC recordings beside this file from the bundled Opus recording.

    pip install av==18.1.0 numpy
    cargo run --release -p media --example decode -- two-voices.mka > two-voices.pcm
    python3 make-aac.py two-voices.pcm

Eight seconds of the two voices, encoded by FFmpeg's AAC encoder at two rates.
"""

import sys
from fractions import Fraction

import av
import numpy

FRAME = 1024


def encode(samples, path, rate, layout, bit_rate):
    resampler = av.AudioResampler("fltp", layout, rate, frame_size=FRAME)
    with av.open(path, "w", format="matroska") as file:
        # Noise substitution would make every decoding another one.
        options = {"aac_pns": "0"}
        stream = file.add_stream("aac", rate, options, layout=layout, bit_rate=bit_rate)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.rate, frame.time_base = 16_000, Fraction(1, 16_000)
        for piece in [frame, None]:
            for resampled in resampler.resample(piece):
                file.mux(stream.encode(resampled))
        file.mux(stream.encode(None))


def main():
    samples = numpy.fromfile(sys.argv[1], "<i2")[2 * 16_000 : 10 * 16_000]
    encode(samples, "aac-48k-stereo.mka", 48_000, "stereo", 32_000)
    encode(samples, "aac-44k1-mono.mka", 44_100, "mono", 24_000)


if __name__ == "__main__":
    main()

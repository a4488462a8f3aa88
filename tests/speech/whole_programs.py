"""Compares `decode` with FFmpeg on the recording of `cargo bench -p media --bench summary`.

Each program decodes ten minutes of mono Opus in Matroska to 16 kHz mono PCM, in turns. The result
is the ratio of the median CPU times. FFmpeg is the one on PATH, or else that of the Python tools.
Adds `ratioToFfmpegLibopus` and `ratioToFfmpegNative` (FFmpeg's CPU time over ours) to
target/bench/summary.json.
"""

import json
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys

import imageio_ffmpeg

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "target" / "bench"
RECORDING = BENCH / "mono32k.mka"
ROUNDS = 9


def programs() -> dict[str, list]:
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    pcm = ["-ar", "16000", "-ac", "1", "-f", "s16le", "-y", "/dev/null"]
    start = [ffmpeg, "-v", "error", "-threads", "1"]
    return {
        "ours": [ROOT / "target" / "release" / "examples" / "decode", RECORDING],
        "ffmpegLibopus": [*start, "-c:a", "libopus", "-i", RECORDING, *pcm],
        "ffmpegNative": [*start, "-c:a", "opus", "-i", RECORDING, *pcm],
    }


def cpu_seconds(command: list) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> int:
    commands = programs()
    times = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(cpu_seconds(command))
    median = {name: statistics.median(taken) for name, taken in times.items()}
    summary = json.loads((BENCH / "summary.json").read_text())
    for name, key in (("ffmpegLibopus", "ratioToFfmpegLibopus"), ("ffmpegNative", "ratioToFfmpegNative")):
        summary[key] = round(median[name] / median["ours"], 2)
        print(f"{name}: {median[name]:.3f} s of CPU, {summary[key]} × ours ({median['ours']:.3f} s)")
    (BENCH / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env bash
# Makes two-voices.mka anew: two espeak-ng voices read in turns, then Opus in Matroska by the testkit's writer.
# Needs espeak-ng. Run from anywhere.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

turn=0
say() { # VOICE TEXT
    espeak-ng -v "$1" -s "$2" -w "$work/$(printf %02d $turn).wav" "$3"
    turn=$((turn + 1))
}
say en-gb 160 "Good morning, and welcome to the little chapel by the river. Every word that is spoken here today will be heard in many languages, a moment after it is said."
say en-us+f3 165 "Thank you. I listen from the other side of the mountains, where the snow came early this year, and I would not miss a single sentence."
say en-gb 155 "Then let us begin with a question. When a voice travels so far, what must arrive? The sound, surely; but also the pauses, and the order in which things were meant."
say en-us+f3 160 "Well said. Now close the window, put the kettle on, and tell me the story from the start."

cd ../../..
exec cargo run --release -q -p testkit --example encode_recording -- tests/testkit/assets/two-voices.mka "$work"/*.wav

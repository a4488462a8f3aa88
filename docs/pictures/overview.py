"""Writes overview.svg, the picture in the README, from the boxes and arrows below.

    python3 docs/pictures/overview.py            # write it
    python3 docs/pictures/overview.py --check    # fail if the file is not what this script writes

Only the Python standard library is needed. The picture has its own background and a light and a dark
palette, so it is readable on any page.
"""

import pathlib
import sys
from xml.sax.saxutils import escape

FILE = pathlib.Path(__file__).with_suffix(".svg")
WIDTH, HEIGHT = 900, 400
TITLE = "From the speaker to the audio processor"
DESCRIPTION = (
    "The speaker sends POST /sessions to API Gateway, which invokes session-http-handler. It creates the channel and "
    "the stream, writes the item in Sessions, and emits a status change. An EventBridge rule invokes "
    "kvs-stream-consumer. The speaker's audio goes through WebRTC into a Kinesis video stream. kvs-stream-consumer "
    "reads it with GetMedia and delivers it to audio-processor as 16 kHz mono PCM, each sample once. It keeps its "
    "lease and its checkpoint in Streams. Every five minutes a second rule invokes it for the health check.")

# Fill and line of each kind of box, colour of text and arrows: first light, then dark.
COLOURS = {
    "page": (("fill", "#ffffff", "#0d1117"),),
    "function": (("fill", "#ddf4ff", "#0c2240"), ("stroke", "#0969da", "#4493f8")),
    "service": (("fill", "#f6f8fa", "#1c2129"), ("stroke", "#818b98", "#7d8590")),
    "person": (("fill", "#fff1e5", "#3d2410"), ("stroke", "#bc4c00", "#f0883e")),
    "name": (("fill", "#1f2328", "#f0f6fc"),),
    "note": (("fill", "#424a53", "#b7bec7"),),
    "control": (("stroke", "#59636e", "#9198a1"),),
    "control-head": (("fill", "#59636e", "#9198a1"),),
    "audio": (("stroke", "#bc4c00", "#f0883e"),),
    "audio-head": (("fill", "#bc4c00", "#f0883e"),),
}
STYLE = """\
    text { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; text-anchor: middle }
    .name { font-size: 14px; font-weight: 600 }
    .note { font-size: 13px }
    .function, .service, .person { stroke-width: 1.5 }
    .control { stroke-width: 1.5; fill: none }
    .audio { stroke-width: 5; fill: none }
"""
# Estimated width of a character, as a part of the font's size. Wider than in the fonts above.
CHARACTER = 0.62

# Kind, left, top, width, height, name, notes.
BOXES = [
    ("person", 16, 92, 104, 194, "Speaker", ["token", "and AWS", "credentials"]),
    ("service", 212, 16, 184, 48, "Sessions", ["DynamoDB"]),
    ("function", 212, 92, 184, 66, "session-http-handler", ["behind API Gateway"]),
    ("service", 212, 220, 184, 66, "session-{id}", ["Kinesis video stream"]),
    ("service", 484, 92, 184, 66, "session-lifecycle", ["EventBridge rule"]),
    ("function", 484, 220, 184, 66, "kvs-stream-consumer", ["decodes and delivers"]),
    ("service", 484, 336, 184, 48, "Streams", ["lease + checkpoint"]),
    ("service", 744, 92, 140, 66, "health check", ["every 5 minutes"]),
    ("function", 744, 220, 140, 66, "audio-processor", ["your own, or", "the reference"]),
]
# Kind, points, whether it points both ways.
ARROWS = [
    ("control", [(120, 125), (212, 125)], False),
    ("control", [(304, 92), (304, 64)], False),
    ("control", [(304, 158), (304, 220)], False),
    ("control", [(396, 125), (484, 125)], False),
    ("control", [(540, 158), (540, 220)], False),
    ("control", [(814, 158), (814, 189), (612, 189), (612, 220)], False),
    ("control", [(576, 286), (576, 336)], True),
    ("audio", [(120, 253), (206, 253)], False),
    ("audio", [(396, 253), (478, 253)], False),
    ("audio", [(668, 253), (738, 253)], False),
    ("audio", [(28, 349), (64, 349)], False),
    ("control", [(28, 373), (70, 373)], False),
]
# Middle, baseline, text.
LABELS = [
    (166, 115, "POST"), (166, 143, "/sessions"), (440, 115, "status"), (440, 143, "change"), (336, 194, "creates"),
    (166, 243, "WebRTC"), (437, 243, "GetMedia"), (704, 243, "PCM"),
    (814, 308, "16 kHz mono,"), (814, 326, "each sample once"), (100, 353, "audio"), (132, 377, "requests, events"),
]


def rules(palette: int) -> list[str]:
    """Returns the CSS rules of a palette: 1 is light, 2 is dark."""
    values = {name: "; ".join(f"{it[0]}: {it[palette]}" for it in colours) for name, colours in COLOURS.items()}
    return [f".{name} {{ {value} }}" for name, value in values.items()]


def text(kind: str, x: float, y: float, words: str) -> str:
    return f'  <text class="{kind}" x="{x:g}" y="{y:g}">{escape(words)}</text>'


def box(kind: str, left: int, top: int, width: int, height: int, name: str, notes: list[str]) -> list[str]:
    """Returns a box with its lines of text in the middle. Fails if a line is too long for it."""
    for size, line in [(14, name), *((13, note) for note in notes)]:
        if len(line) * size * CHARACTER > width:
            raise ValueError(f"{name}: {line!r} is wider than its box")
    middle, first = left + width / 2, top + height / 2 - 9 * len(notes) + 5
    lines = [f'  <rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>']
    lines.append(text("name", middle, first, name))
    return lines + [text("note", middle, first + 18 * (at + 1), note) for at, note in enumerate(notes)]


def arrow(kind: str, points: list[tuple[int, int]], both: bool) -> str:
    start = f' marker-start="url(#{kind}-head)"' if both else ""
    path = "M" + " L".join(f"{x} {y}" for x, y in points)
    return f'  <path class="{kind}" d="{path}"{start} marker-end="url(#{kind}-head)"/>'


def marker(kind: str, size: int) -> str:
    """Returns an arrowhead whose tip, or for the thick arrows whose middle, is at the end of the line."""
    return (f'  <marker id="{kind}-head" viewBox="0 0 10 10" refX="{10 if kind == "control" else 5}" refY="5" '
            f'markerWidth="{size}" markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
            f'<path class="{kind}-head" d="M0 0 L10 5 L0 10 z"/></marker>')


def picture() -> str:
    """Returns the SVG."""
    dark = [f"      {rule}" for rule in rules(2)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title desc">',
        f'  <title id="title">{escape(TITLE)}</title>', f'  <desc id="desc">{escape(DESCRIPTION)}</desc>',
        "  <style>", STYLE.rstrip("\n"), *(f"    {rule}" for rule in rules(1)),
        "    @media (prefers-color-scheme: dark) {", *dark, "    }", "  </style>",
        marker("control", 9), marker("audio", 13),
        f'  <rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
    ]
    for it in BOXES:
        lines += box(*it)
    lines += [arrow(*it) for it in ARROWS]
    lines += [text("note", *it) for it in LABELS]
    return "\n".join([*lines, "</svg>", ""])


def main() -> str | None:
    """Writes the picture, or compares it. Returns the reason of a failure."""
    if sys.argv[1:] not in ([], ["--check"]):
        return "usage: overview.py [--check]"
    if not sys.argv[1:]:
        FILE.write_text(picture(), encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != picture():
        return f"{FILE.name} is not what overview.py writes; run python3 docs/pictures/overview.py and commit it"
    return None


if __name__ == "__main__":
    sys.exit(main())

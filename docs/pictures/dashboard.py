"""Draws the dashboard of the template as the local cloud's metrics fill it: dashboard.svg.

`make dashboard`. Two sessions speak for 40 minutes of the cloud's clock; meanwhile the processor fails for
some minutes, and the processes of the consumer are killed once. The picture differs with each run, so no
check compares it.
"""

import datetime
import html
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "alarms"))

from cloud import CONSUMER, Cloud, Speech, eventually  # noqa: E402

SCALE, PERIOD = 30, 300
WIDTH, HEIGHT, COLUMNS, MARGIN = 320, 170, 3, 12
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf")


def speak(cloud: Cloud) -> tuple[datetime.datetime, datetime.datetime]:
    """Fills the metrics; returns begin and end."""
    begin = cloud.now()
    minutes = lambda: (cloud.now() - begin).total_seconds() / 60  # noqa: E731
    first, second = cloud.open("ana"), cloud.open("ben")
    with Speech(cloud, first), Speech(cloud, second):
        eventually("12 minutes", lambda: minutes() > 12)
        cloud.fault("lambda", "Invoke", target="audio-processor", times=1_000_000, status=500, code="ServiceException")
        eventually("16 minutes", lambda: minutes() > 16)
        cloud.remove_faults("lambda", "Invoke", "audio-processor")
        eventually("27 minutes", lambda: minutes() > 27)
        cloud.request("DELETE", f"/_local/processes/{CONSUMER}-dev")
        eventually("40 minutes", lambda: minutes() > 40)
    cloud.end(first, "ana")
    return begin, cloud.now()


def query(index: int, row: list) -> dict:
    """Returns the MetricDataQuery of one line of a widget."""
    *metric, options = row
    shown = {"Id": options.get("id", f"m{index}"), "ReturnData": options.get("visible", True)}
    if "expression" in options:
        return shown | {"Expression": options["expression"], "Label": options["label"]}
    dimensions = [{"Name": name, "Value": value} for name, value in zip(metric[2::2], metric[3::2])]
    return shown | {"Label": options.get("label", metric[1]), "MetricStat": {
        "Metric": {"Namespace": metric[0], "MetricName": metric[1], "Dimensions": dimensions},
        "Period": PERIOD, "Stat": options["stat"]}}


def series(cloud: Cloud, widget: dict, begin: datetime.datetime, end: datetime.datetime) -> list[dict]:
    """Returns the results of a widget."""
    queries = [query(index, row) for index, row in enumerate(widget["properties"]["metrics"])]
    return cloud.cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=begin, EndTime=end,
                                            ScanBy="TimestampAscending")["MetricDataResults"]


def panel(title: str, results: list[dict], begin: datetime.datetime, end: datetime.datetime) -> str:
    """Returns one widget as SVG, at 0, 0."""
    values = [value for it in results for value in it["Values"]]
    low, high = min([0, *values]), max([1, *values])
    def point(at: datetime.datetime, value: float) -> str:
        x = 10 + (WIDTH - 20) * max(0, (at - begin).total_seconds()) / (end - begin).total_seconds()
        return f"{x:.1f},{HEIGHT - 45 - (HEIGHT - 80) * (value - low) / (high - low):.1f}"
    text = [f'<rect width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#fff" stroke="#ccc"/>',
            f'<text x="10" y="18" font-weight="bold">{html.escape(title)}</text>',
            f'<text x="{WIDTH - 10}" y="18" text-anchor="end" fill="#666">{high:,.0f}</text>',
            f'<path d="M10 {HEIGHT - 45}H{WIDTH - 10}" stroke="#ccc"/>']
    if not values:
        text.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle" fill="#999">'
                    "no values in the local cloud</text>")
    for index, result in enumerate(results):
        color, label = COLORS[index % len(COLORS)], html.escape(result["Label"])
        points = [point(at, value) for at, value in zip(result["Timestamps"], result["Values"])]
        text.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        text += [f'<circle cx="{at.split(",")[0]}" cy="{at.split(",")[1]}" r="2" fill="{color}"/>' for at in points]
        x, y = 10 + (index % 3) * 103, HEIGHT - 28 + (index // 3) * 11
        text.append(f'<text x="{x}" y="{y}" font-size="9" fill="{color}">{label}</text>')
    return "".join(text)


def main() -> None:
    cloud = Cloud("dashboard", SCALE)
    try:
        begin, end = speak(cloud)
        dashboard = cloud.cloudwatch.get_dashboard(DashboardName="speech-relay-dev")
        widgets = json.loads(dashboard["DashboardBody"])["widgets"]
        panels = []
        for index, widget in enumerate(widgets):
            results = series(cloud, widget, begin, end)
            x, y = MARGIN + index % COLUMNS * (WIDTH + MARGIN), MARGIN + index // COLUMNS * (HEIGHT + MARGIN)
            drawn = panel(widget["properties"]["title"], results, begin, end)
            panels.append(f'<g transform="translate({x} {y})">{drawn}</g>')
    finally:
        cloud.close()
    width = MARGIN + COLUMNS * (WIDTH + MARGIN)
    height = MARGIN + -(-len(panels) // COLUMNS) * (HEIGHT + MARGIN)
    picture = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
               f'font-size="11"><rect width="100%" height="100%" fill="#f4f4f4"/>' + "\n".join(panels) + "</svg>\n")
    pathlib.Path(__file__).with_name("dashboard.svg").write_text(picture)


if __name__ == "__main__":
    main()

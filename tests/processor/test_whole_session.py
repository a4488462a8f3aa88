"""One whole session of speech through the example, on a local cloud."""

import json
import subprocess
import unittest

from clouds import CLOUD, EXAMPLE, ROOT, Cloud


class WholeSession(unittest.TestCase):
    """`local-cloud run` against a cloud whose processor is the example."""

    def test_every_sample_is_accepted_once(self):
        cloud = Cloud(EXAMPLE / "bootstrap")
        self.addCleanup(cloud.close)
        path = cloud.folder / "report.json"
        run = subprocess.run([CLOUD, "--url", cloud.url, "run", "--speed", "10", "--report", path], cwd=ROOT,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        self.assertEqual(run.returncode, 0, run.stdout)
        report = json.loads(path.read_text())
        figures = {name: report[name] for name in ("samplesLost", "samplesDuplicated", "failedDeliveries")}
        self.assertEqual(figures, dict.fromkeys(figures, 0), run.stdout)
        self.assertIsNotNone(report["stopMs"], run.stdout)
        self.assertEqual(cloud.watermark(report["sessionId"])["nextSample"], report["samplesExpected"])
        self.assert_log(cloud.log("audio-processor"), report)

    def assert_log(self, log: str, report: dict) -> None:
        """Checks that the example's own work got the samples in order, each once, and the end."""
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        lines = [line for line in lines if line.get("sessionId") == report["sessionId"]]
        end = 0
        for line in (line for line in lines if line["message"] == "samples received"):
            self.assertEqual(line["startSample"], end)
            end += line["samples"]
        self.assertEqual(end, report["samplesExpected"])
        complete = [line["samples"] for line in lines if line["message"] == "session complete"]
        self.assertEqual(complete, [end])


if __name__ == "__main__":
    unittest.main()

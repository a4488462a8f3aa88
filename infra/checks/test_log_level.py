"""No log level drops the metrics.

Metrics are log lines in CloudWatch's embedded metric format, which has no field `level`. Lambda
treats a JSON line without level as INFO, so at WARN and above it would drop all metrics, and only
the alarm on missing health checks would be raised.
"""

import pytest

from mutations import append, broken, mutation, put
from resolve import Resolver, of_type
from template import TRANSLATED

KEEPS_METRICS = {"TRACE", "DEBUG", "INFO"}
FUNCTION = "AWS::Lambda::Function"


def problems(template: dict) -> list[str]:
    """Returns the functions that lose their metrics, for each allowed LogLevel."""
    found = []
    for level in template["Parameters"]["LogLevel"]["AllowedValues"]:
        options = {"LogLevel": level, "Canary": "true", "InstancesMaxVCpus": "2"}
        resources = Resolver(template, options).resources()
        for name, function in of_type(resources, FUNCTION).items():
            kept = function.get("LoggingConfig", {}).get("ApplicationLogLevel")
            if kept not in KEEPS_METRICS:
                found.append(f"{name}: with LogLevel={level} the filter is {kept}, which drops metrics")
    return found


def test_every_allowed_level_keeps_metrics():
    assert problems(TRANSLATED) == []


def mutations():
    """Yields the levels that drop metrics, as a parameter value and in each function."""
    for level in ("WARN", "ERROR", "FATAL"):
        yield mutation(f"{level}-allowed", append("Parameters", "LogLevel", "AllowedValues", level))
        for name in of_type(TRANSLATED["Resources"], FUNCTION):
            path = ("Resources", name, "Properties", "LoggingConfig")
            yield mutation(f"{level}-for-{name}", put(*path, ApplicationLogLevel=level))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(TRANSLATED, change))

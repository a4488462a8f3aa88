"""No log level may drop the metrics: part of check_template.py.

Metrics leave as lines of CloudWatch's embedded metric format, which have no field `level`. Lambda's filter
takes a JSON line without one for INFO, so at WARN and above no metric would arrive, and nothing would say so
but the alarm on the missing health check.
"""

from resolve import Resolver, of_type
from spoil import Spoiler

LETS_METRICS_PASS = {"TRACE", "DEBUG", "INFO"}


def check(template: dict) -> list[str]:
    """The functions of a translated template that would lose their metrics, for each LogLevel that it allows."""
    wrong = []
    for level in template["Parameters"]["LogLevel"]["AllowedValues"]:
        resources = Resolver(template, {"LogLevel": level}).resources()
        for name, function in of_type(resources, "AWS::Lambda::Function").items():
            kept = function.get("LoggingConfig", {}).get("ApplicationLogLevel", "none")
            if kept not in LETS_METRICS_PASS:
                wrong.append(f"{name}: with LogLevel={level} its filter is {kept}, and it loses its metrics")
    return wrong


def check_would_notice(template: dict) -> list[str]:
    """Allows each level that loses metrics, and fixes it for each function, in a copy."""
    spoilt = Spoiler("check_log_level", check, template)
    for level in ("WARN", "ERROR", "FATAL"):
        spoilt(f"{level} allowed", lambda it, level=level: (
            it["Parameters"]["LogLevel"]["AllowedValues"].append(level)))
        for name in of_type(template["Resources"], "AWS::Lambda::Function"):
            spoilt(f"{level} for {name}", lambda it, name=name, level=level: (
                it["Resources"][name]["Properties"]["LoggingConfig"].update(ApplicationLogLevel=level)))
    return spoilt.unnoticed

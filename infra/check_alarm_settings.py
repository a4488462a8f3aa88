"""When each alarm is raised, and whom it tells: part of check_template.py.

What an alarm looks at is check_alarms.py's. Here stands for every alarm what it makes of it: a statistic, a
period, a threshold or a treatment of silence that is changed in the template must be changed here too, so
that nobody weakens one unseen.
"""

from resolve import Resolver, of_type
from spoil import Spoiler

TYPE = "AWS::CloudWatch::Alarm"
# One datapoint raises it: an audio or an event that failed to arrive is worth a look at once.
ONCE = {"EvaluationPeriods": 1}
ABOVE = {**ONCE, "ComparisonOperator": "GreaterThanThreshold"}
FROM = {**ONCE, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
BELOW = {**ONCE, "ComparisonOperator": "LessThanThreshold"}
# No datapoint is no failure: such metrics are only written when there is one.
QUIET_IS_GOOD = {"TreatMissingData": "notBreaching"}
SILENCE_IS_BAD = {"TreatMissingData": "breaching"}


def row(metric: str, statistic: str, period: int, when: dict, threshold: int, silence: dict = QUIET_IS_GOOD) -> dict:
    """The properties that decide when an alarm is raised; no others may (DatapointsToAlarm, Unit, ActionsEnabled)."""
    return {"MetricName": metric, "Statistic": statistic, "Period": period, "Threshold": threshold} | when | silence


# By name, less the environment. Five minutes throughout, where no reason stands beside it.
ALARMS = {
    # The specification's: more than 20. A gauge that the health check sets every five minutes.
    "kvs-active-streams": row("ActiveStreams", "Maximum", 300, ABOVE, 20),
    # The specification's: any error.
    "kvs-stream-consumer-errors": row("Errors", "Sum", 300, FROM, 1),
    "kvs-stream-consumer-throttles": row("Throttles", "Sum", 300, FROM, 1),
    "session-lifecycle-failed-invocations": row("FailedInvocations", "Sum", 300, FROM, 1),
    "kvs-health-check-failed-invocations": row("FailedInvocations", "Sum", 300, FROM, 1),
    # Three checks due, none done; and here silence is the failure.
    "kvs-health-check-missing": row("HealthCheckCount", "Sum", 900, BELOW, 1, SILENCE_IS_BAD),
    "session-event-emission-failures": row("EventEmissionFailure", "Sum", 300, FROM, 1),
    # One may be a caller's bad luck with a quota.
    "session-creation-failures": row("SessionCreationFailureCount", "Sum", 300, FROM, 3),
    # A depth is a gauge: its sum would count one message as often as SQS looks.
    "session-events-dlq-depth": row("ApproximateNumberOfMessagesVisible", "Maximum", 300, FROM, 1),
    "chunk-dlq-depth": row("ApproximateNumberOfMessagesVisible", "Maximum", 300, FROM, 1),
    # Single damaged packets are usual, packet after packet is not: a stream of which all fail has 2,000 in the period.
    "kvs-decode-errors": row("DecodeErrors", "Sum", 300, FROM, 250),
    # Once for a stream, of which nothing is delivered from then on.
    "kvs-unsupported-codec": row("UnsupportedCodec", "Sum", 300, FROM, 1),
    "kvs-circuit-opened": row("CircuitOpened", "Sum", 300, FROM, 1),
    # The value is how long the audio still has, which may be 0: that there is one is what counts.
    "kvs-retention-risk": row("RetentionRiskMillis", "SampleCount", 300, FROM, 1),
    "kvs-samples-unavailable": row("SamplesUnavailable", "Sum", 300, FROM, 1),
    # A gauge, like ActiveStreams.
    "kvs-checkpoint-unreadable": row("CheckpointUnreadable", "Maximum", 300, FROM, 1),
}
# What says who the alarm is, what it looks at (check_alarms.py) and whom it tells (below).
ELSEWHERE = {"AlarmName", "AlarmDescription", "Namespace", "Dimensions", "AlarmActions", "OKActions"}
YOURS = "arn:aws:sns:us-east-1:123456789012:yours"
OWN = "arn:aws:sns:us-east-1:123456789012:speech-alarms-dev"
# The parameters, whom every alarm tells then, and who reads the stack's own topic.
TOLD = (
    ({}, OWN, []),
    ({"AlarmEmail": "ops@example.com"}, OWN, ["ops@example.com"]),
    ({"AlarmTopicArn": YOURS}, YOURS, []),
)


def check_raised(resources: dict) -> list[str]:
    """What is wrong with when the alarms are raised."""
    wrong, left = [], set(ALARMS)
    for name, alarm in resources.items():
        if alarm["Type"] != TYPE:
            continue
        properties = alarm["Properties"]
        title = properties["AlarmName"].get("Fn::Sub", "").removesuffix("-${Environment}")
        left.discard(title)
        settings = {key: value for key, value in properties.items() if key not in ELSEWHERE}
        if settings != ALARMS.get(title):
            wrong.append(f"{name}: {title} is raised by {settings}, not {ALARMS.get(title)}")
        if not str(properties.get("AlarmDescription", "")).endswith("."):
            wrong.append(f"{name}: its description does not say what happened")
        if "Condition" in alarm:
            wrong.append(f"{name}: it is not there in every stack")
    return wrong + [f"there is no alarm {title}" for title in sorted(left)]


def check_told(template: dict) -> list[str]:
    """What is wrong with whom the alarms tell, that something broke and that it is well again."""
    wrong = []
    for parameters, topic, readers in TOLD:
        resources = Resolver(template, parameters).resources()
        for name, alarm in of_type(resources, TYPE).items():
            wrong += [f"{name}: with {parameters}, {action} is {alarm.get(action)}, not {topic}"
                      for action in ("AlarmActions", "OKActions") if alarm.get(action) != [topic]]
        mail = [it["Endpoint"] for it in of_type(resources, "AWS::SNS::Subscription").values() if it["TopicArn"] == OWN]
        if len(of_type(resources, "AWS::SNS::Topic")) != (topic == OWN) or mail != readers:
            wrong.append(f"with {parameters}, {mail} read the stack's topic, or it is not as it should be")
    return wrong


def check(template: dict) -> list[str]:
    """What is wrong with the alarms of a translated template."""
    return check_raised(template["Resources"]) + check_told(template)


def check_would_notice(template: dict) -> list[str]:
    """Weakens each alarm in each way, in a copy."""
    raised = Spoiler("check_alarm_settings", check_raised, template["Resources"])
    others = {"Statistic": "Average", "Period": 60, "EvaluationPeriods": 2, "Threshold": 7, "MetricName": "Other",
              "ComparisonOperator": "LessThanOrEqualToThreshold", "TreatMissingData": "ignore", "DatapointsToAlarm": 1,
              "ActionsEnabled": False, "Unit": "Bytes", "AlarmDescription": ""}
    for name in of_type(template["Resources"], TYPE):
        for key, value in others.items():
            raised(f"{name} with {key} {value!r}", lambda it, name=name, key=key, value=value: (
                it[name]["Properties"].update({key: value})))
        raised(f"{name} gone", lambda it, name=name: it.pop(name))
        raised(f"{name} in some stacks only", lambda it, name=name: it[name].update(Condition="OwnTopic"))
    told = Spoiler("check_alarm_settings", check_told, template)
    for name in of_type(template["Resources"], TYPE):
        for action in ("AlarmActions", "OKActions"):
            for value in ([], [{"Ref": "AlarmTopicArn"}], [{"Ref": "AlarmTopic"}, "arn:aws:sns:us-east-1:1:other"]):
                told(f"{action} of {name} being {value}", lambda it, name=name, action=action, value=value: (
                    it["Resources"][name]["Properties"].update({action: value})))
    for name in ("OwnTopic", "MailAlarms"):
        told(f"the condition {name} turned round", lambda it, name=name: (
            it["Conditions"].update({name: {"Fn::Not": [it["Conditions"][name]]}})))
    told("the mail for another topic", lambda it: it["Resources"]["AlarmMail"]["Properties"].update(TopicArn="other"))
    return raised.unnoticed + told.unnoticed

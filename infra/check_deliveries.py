"""Who may call and write whom around the rules and queues: part of check_template.py.

Works on a translated template with its intrinsics resolved (`resolve.py`). Every target of a rule may
be called by that rule, keeps trying for a bounded time, and has a queue for what it does not get; the
queue takes it from that rule, and from nobody beside it. Nobody but these rules and the API may call a function.
"""

from resolve import of_type
from spoil import Spoiler

EVENTS = "events.amazonaws.com"
CALLERS = {EVENTS, "apigateway.amazonaws.com"}


def arn_of(kind: str, name: str) -> str:
    """The ARN that `resolve.py` gives to what has this name."""
    return f"arn:aws:{kind}:us-east-1:123456789012:{name}"


def admitted(resources: dict) -> tuple[dict[str, set], list[str]]:
    """The rules that may write to each queue, and what else its policy lets in."""
    rules, wrong = {}, []
    for name, policy in of_type(resources, "AWS::SQS::QueuePolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            sources = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", [])
            is_narrow = statement["Principal"] == {"Service": EVENTS} and statement["Action"] == "sqs:SendMessage"
            if statement["Effect"] != "Allow" or not is_narrow or not sources:
                wrong.append(f"{name}: lets in more than rules that send: {statement}")
            rules.setdefault(statement["Resource"], set()).update(sources)
    return rules, wrong


def check_callers(resources: dict) -> list[str]:
    """The permissions to call a function that are wider than one rule's or one route's."""
    return [f"{name}: lets in more than one caller: {it}"
            for name, it in of_type(resources, "AWS::Lambda::Permission").items()
            if it["Principal"] not in CALLERS or "*" in it.get("SourceArn", "*").split("/")[0]
            or it["Action"] != "lambda:InvokeFunction"]


def check(resources: dict) -> list[str]:
    """What is wrong with the deliveries of a translated, resolved template."""
    permissions = {(it["FunctionName"], it.get("SourceArn")) for it in of_type(resources, "AWS::Lambda::Permission").values()
                   if it["Principal"] == EVENTS and it["Action"] == "lambda:InvokeFunction"}
    queues = {arn_of("sqs", it["QueueName"]) for it in of_type(resources, "AWS::SQS::Queue").values()}
    admits, wrong = admitted(resources)
    wrong += check_callers(resources)
    used: dict[str, set] = {}
    for name, rule in of_type(resources, "AWS::Events::Rule").items():
        arn = arn_of("events", f"rule/{rule['Name']}")
        for target in rule["Targets"]:
            function = target["Arn"].rsplit(":", 1)[-1]
            if (function, arn) not in permissions:
                wrong.append(f"{name}: no permission lets it call {function}")
            if not {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} <= target.get("RetryPolicy", {}).keys():
                wrong.append(f"{name}: it tries for a day, which is too late for {function}")
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue not in queues or arn not in admits.get(queue, ()):
                wrong.append(f"{name}: what {function} does not get has no queue that takes it")
            used.setdefault(queue, set()).add(arn)
    wrong += [f"{queue} takes messages of {rules - used.get(queue, set())}, which do not use it"
              for queue, rules in admits.items() if rules - used.get(queue, set())]
    for name, settings in of_type(resources, "AWS::Lambda::EventInvokeConfig").items():
        if settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") not in queues:
            wrong.append(f"{name}: what the function fails at has no queue")
    return wrong


def check_would_notice(resources: dict) -> list[str]:
    """Takes each part of each way away, in a copy."""
    changed = Spoiler("check_deliveries", check, resources)

    for name, resource in resources.items():
        match resource["Type"]:
            case "AWS::Lambda::Permission":
                if resource["Properties"]["Principal"] == EVENTS:
                    changed(f"{name} gone", lambda it, name=name: it.pop(name))
                changed(f"{name} for all sources", lambda it, name=name: it[name]["Properties"].pop("SourceArn"))
                for part, value in (("Principal", "*"), ("Action", "lambda:*"), ("SourceArn", "arn:aws:events:*:*:rule/x")):
                    changed(f"{name} with {part} {value}", lambda it, name=name, part=part, value=value: (
                        it[name]["Properties"].update({part: value})))
            case "AWS::Lambda::EventInvokeConfig":
                changed(f"{name} without queue", lambda it, name=name: it[name]["Properties"].pop("DestinationConfig"))
            case "AWS::Events::Rule":
                for part in ("RetryPolicy", "DeadLetterConfig"):
                    changed(f"{name} without {part}", lambda it, name=name, part=part: (
                        it[name]["Properties"]["Targets"][0].pop(part)))
            case "AWS::SQS::QueuePolicy":
                for part, value in (("Principal", "*"), ("Action", "sqs:*"), ("Condition", {}), ("Resource", "x")):
                    changed(f"{name} with {part} {value}", lambda it, name=name, part=part, value=value: (
                        it[name]["Properties"]["PolicyDocument"]["Statement"][0].update({part: value})))
                changed(f"{name} for one more rule", lambda it, name=name: (
                    it[name]["Properties"]["PolicyDocument"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"]
                    .append("arn:other")))
    return changed.unnoticed

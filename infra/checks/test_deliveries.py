"""Rules do not lose events silently, and only they may invoke their targets.

Each target of a rule has a permission, a bounded retry policy, and a dead-letter queue that accepts
the rule's messages. No permission admits more than one caller. The snapshots contain the rest.
"""

import re

import pytest

from mutations import append, broken, drop, mutation, put
from resolve import ACCOUNT, REGION, of_type
from template import ROOT, deployed

EVENTS = "events.amazonaws.com"
CALLERS = {EVENTS, "apigateway.amazonaws.com"}
RETRY = {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"}
# Rules and functions whose events may be lost, each with the reason.
MAY_LOSE = {
    "SessionCanaryRule": "a run that is lost is a missing heartbeat, which has an alarm; later it proves nothing",
    "SessionCanaryFunctionEventInvokeConfig": "as above",
}


def senders(resources: dict) -> dict[str, set]:
    """Returns the rules that may send to each queue."""
    found: dict[str, set] = {}
    for policy in of_type(resources, "AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            sources = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", ["*"])
            is_narrow = statement["Principal"] == {"Service": EVENTS} and statement["Action"] == "sqs:SendMessage"
            found.setdefault(statement["Resource"], set()).update(sources if is_narrow else ["*"])
    return found


def problems(resources: dict) -> list[str]:
    """Returns what is wrong with the deliveries of translated, resolved resources."""
    permissions = of_type(resources, "AWS::Lambda::Permission")
    found = [f"{name}: it admits more than one caller: {it}" for name, it in permissions.items()
             if it["Principal"] not in CALLERS or "*" in it.get("SourceArn", "*").split("/")[0]
             or it["Action"] != "lambda:InvokeFunction"]
    allowed = {(it["FunctionName"], it.get("SourceArn")) for it in permissions.values()}
    may_send, sends = senders(resources), set()
    for name, rule in of_type(resources, "AWS::Events::Rule").items():
        arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule['Name']}"
        for target in rule["Targets"]:
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue or name not in MAY_LOSE:
                sends.add((queue, arn))
            if target["Arn"].split(":")[2] == "sqs":
                sends.add((target["Arn"], arn))
                if arn not in may_send.get(target["Arn"], ()):
                    found.append(f"{name}: no permission to send to {target['Arn']}")
            # By the name of a function, or the ARN of an alias.
            elif not {(target["Arn"].rsplit(":", 1)[-1], arn), (target["Arn"], arn)} & allowed:
                found.append(f"{name}: no permission to invoke {target['Arn']}")
            if not RETRY <= target.get("RetryPolicy", {}).keys():
                found.append(f"{name}: EventBridge retries for a day, which is too late for {target['Arn']}")
            if arn not in may_send.get(queue, ()) and name not in MAY_LOSE:
                found.append(f"{name}: no dead-letter queue accepts its messages")
    found += [f"{queue} accepts messages of {rule}" for queue, rules in may_send.items() for rule in rules
              if (queue, rule) not in sends]
    return found + [f"{name}: failed events have no destination" for name, it in
                    of_type(resources, "AWS::Lambda::EventInvokeConfig").items()
                    if not it.get("DestinationConfig") and name not in MAY_LOSE]


def test_deliveries_are_bounded_and_permitted(resources: dict):
    assert problems(resources) == []


RESOURCES = deployed("every-option")


def mutations():
    """Yields each delivery without a part, or open to others."""
    for name, resource in RESOURCES.items():
        path = (name, "Properties")
        match resource["Type"]:
            case "AWS::Lambda::Permission":
                yield mutation(f"{name}-any-source", drop(*path, "SourceArn"))
                yield mutation(f"{name}-Principal", put(*path, Principal="*"))
                yield mutation(f"{name}-Action", put(*path, Action="lambda:*"))
                yield mutation(f"{name}-SourceArn", put(*path, SourceArn="arn:aws:events:*:*:rule/x"))
                if resource["Properties"]["Principal"] == EVENTS:
                    yield mutation(f"{name}-gone", drop(name))
            case "AWS::Lambda::EventInvokeConfig" if name not in MAY_LOSE:
                yield mutation(f"{name}-without-queue", drop(*path, "DestinationConfig"))
            case "AWS::Events::Rule":
                for key in ("RetryPolicy", "DeadLetterConfig")[:1 if name in MAY_LOSE else 2]:
                    yield mutation(f"{name}-without-{key}", drop(*path, "Targets", 0, key))
            case "AWS::SQS::QueuePolicy":
                statement = (*path, "PolicyDocument", "Statement", 0)
                for key, value in (("Principal", "*"), ("Action", "sqs:*"), ("Condition", {}), ("Resource", "x")):
                    yield mutation(f"{name}-{key}", put(*statement, **{key: value}))
                sources = (*statement, "Condition", "ArnEquals", "aws:SourceArn")
                yield mutation(f"{name}-one-more-rule", append(*sources, "arn:other"))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(RESOURCES, change))


def test_a_worker_counts_the_tries_of_its_queue():
    """After the last one it leaves no pause, so that SQS moves the message at once."""
    source = (ROOT / "crates/stream-worker/src/message.rs").read_text()
    tries = int(re.search(r"const TRIES: u32 = (\d+);", source)[1])
    queue = deployed("workers")["ConsumerStartsQueue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == tries

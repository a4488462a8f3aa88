"""The names of the deployed resources, from the stack's outputs or the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from steps import Failed

SAMCONFIG = Path(__file__).resolve().parents[2] / "infra" / "samconfig.toml"


@dataclass(frozen=True)
class Stack:
    """A deployed environment."""

    environment: str
    api_url: str
    events_dlq: str
    chunk_dlq: str
    own_processor: bool

    @property
    def processed_table(self) -> str:
        """The table of the reference processor's watermark."""
        return f"Processed-{self.environment}"

    @property
    def streams_table(self) -> str:
        """The table of the consumer's checkpoint."""
        return f"Streams-{self.environment}"


def settings(environment: str) -> dict[str, str]:
    """Reads an environment from samconfig.toml, without tomllib, which Python 3.10 lacks."""
    tables = dict(re.findall(r"^\[(\w+)\.deploy\.parameters\]\n((?:[^\[\n].*\n)*)",
                             SAMCONFIG.read_text(encoding="utf-8"), re.M))
    if environment not in tables:
        raise Failed(f"infra/samconfig.toml has no environment {environment!r}", f"ENV is one of {', '.join(tables)}")
    return dict(re.findall(r'^(\w+) = "(.*)"$', tables[environment], re.M))


def deployed(session: boto3.Session, name: str) -> Stack:
    """Returns the stack of that name in the session's region, by DescribeStacks."""
    try:
        answer = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            raise Failed(f"there is no stack {name} in {session.region_name}",
                         "make deploy first, or name its region: REGION=…") from error
        raise
    except ResponseParserError as error:
        raise Failed("the response is not from CloudFormation", "a local cloud has no stacks: set API_URL to its URL") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in answer.get("Outputs", [])}
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in answer.get("Parameters", [])}
    try:
        return Stack(parameters["Environment"], outputs["ApiUrl"].rstrip("/"),
                     outputs["SessionEventsDeadLetterQueueUrl"], outputs["ChunkDeadLetterQueueUrl"],
                     bool(parameters.get("AudioProcessorFunctionArn")))
    except KeyError as missing:
        raise Failed(f"the stack {name} is {answer['StackStatus']} and has no {missing.args[0]}",
                     "complete make deploy") from missing


def named(session: boto3.Session, environment: str, api_url: str, own_processor: bool) -> Stack:
    """Returns a stack with a given API URL; its other names follow from the environment."""
    sqs = session.client("sqs")
    events, chunks = (sqs.get_queue_url(QueueName=f"{name}-{environment}")["QueueUrl"]
                      for name in ("session-events-dlq", "chunk-dlq"))
    return Stack(environment, api_url.rstrip("/"), events, chunks, own_processor)

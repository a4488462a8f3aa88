"""The example processor's own stack fits the main stack: table, role, timeout and ARN."""

import re

import pytest
import yaml

from mutations import broken, mutation, put
from resolve import Resolver, of_type
from template import EXAMPLE_PROCESSOR, SOURCE, Loader, deployed

EXAMPLE = yaml.load(EXAMPLE_PROCESSOR.read_text(), Loader)
RESOURCES = Resolver(EXAMPLE, {}).resources()
(FUNCTION,) = of_type(RESOURCES, "AWS::Serverless::Function").values()
(ROLE,) = of_type(RESOURCES, "AWS::IAM::Role").values()
REFERENCE = deployed("defaults")["AudioProcessorRole"]["Properties"]
TABLE = "ProcessedTableAccess"


def statements(role: dict) -> dict[str, dict]:
    """Returns the statements of a role by Sid."""
    return {it["Sid"]: it for policy in role["Policies"] for it in policy["PolicyDocument"]["Statement"]}


def role_problems(role: dict) -> list[str]:
    """Returns what the role allows beside its own logs and the reference's access to the table."""
    found = statements(role)
    problems = [] if found.pop(TABLE, None) == statements(REFERENCE)[TABLE] else ["another access to the table"]
    logs = found.pop("WriteOwnLogs", {"Resource": ""})
    if "processor-python-dev" not in logs["Resource"]:
        problems.append("logs of another function")
    return problems + [f"{sid} is not needed" for sid in found]


def test_the_role_allows_the_table_and_its_logs_only():
    assert role_problems(ROLE) == []


@pytest.mark.parametrize("change", [
    mutation("all actions", put("Policies", 0, "PolicyDocument", "Statement", 0, Action=["dynamodb:*"])),
    mutation("all tables", put("Policies", 0, "PolicyDocument", "Statement", 0, Resource="*")),
    mutation("another statement", put("Policies", 0, "PolicyDocument", "Statement", 0, Sid="Another")),
    mutation("all logs", put("Policies", 1, "PolicyDocument", "Statement", 0, Resource="*")),
])
def test_detects(change):
    assert role_problems(broken(ROLE, change))


def test_the_table_is_the_stacks():
    tables = of_type(deployed("defaults"), "AWS::DynamoDB::Table")
    assert FUNCTION["Environment"]["Variables"] == {"PROCESSED_TABLE": tables["ProcessedTable"]["TableName"]}


def test_the_table_stays_with_another_processor():
    assert "ProcessedTable" in deployed("external") and "AudioProcessorFunction" not in deployed("external")


def test_the_timeout_is_the_parameters_default():
    assert FUNCTION["Timeout"] == SOURCE["Parameters"]["AudioProcessorTimeout"]["Default"]


def test_the_output_is_a_value_of_the_parameter():
    assert EXAMPLE["Outputs"]["AudioProcessorFunctionArn"]["Value"] == {"Fn::GetAtt": ["ProcessorFunction", "Arn"]}
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION['FunctionName']}"
    assert re.match(SOURCE["Parameters"]["AudioProcessorFunctionArn"]["AllowedPattern"], arn)


def test_the_environment_is_named_as_in_the_stack():
    pattern = "AllowedPattern"
    assert EXAMPLE["Parameters"]["Environment"][pattern] == SOURCE["Parameters"]["Environment"][pattern]

"""What each parameter set deploys equals its reviewed snapshot.

After an intended change of the template, `make template-snapshot` writes the snapshots: review their
diff and commit it.
"""

import difflib
import pathlib

import pytest

from mutations import append, broken, drop, mutation, put
from snapshot import text
from template import PARAMETER_SETS, SOURCE

FOLDER = pathlib.Path(__file__).with_name("snapshots")
FILES = {name: FOLDER / f"{name}.{'yaml' if name == 'defaults' else 'diff'}" for name in PARAMETER_SETS}
RESOURCES = "Resources"


@pytest.mark.parametrize("name", PARAMETER_SETS)
def test_deployment_equals_its_snapshot(name: str, pytestconfig: pytest.Config):
    path, now = FILES[name], text(SOURCE, name)
    if pytestconfig.getoption("update_snapshots"):
        path.write_text(now)
    before = path.read_text() if path.exists() else ""
    if before != now:
        diff = difflib.unified_diff(before.splitlines(), now.splitlines(), path.name, "template", lineterm="")
        pytest.fail("the template no longer deploys what the snapshot contains. If the change is intended:\n"
                    "`make template-snapshot`, then review and commit the diff.\n" + "\n".join(diff), pytrace=False)


def test_every_file_is_a_snapshot():
    assert set(FOLDER.iterdir()) == set(FILES.values())


def statement(role: str, policy: int) -> tuple:
    """Returns the path of a policy's first statement."""
    return (RESOURCES, role, "Properties", "Policies", policy, "PolicyDocument", "Statement", 0)


def properties(resource: str) -> tuple:
    """Returns the path of a resource's properties."""
    return (RESOURCES, resource, "Properties")


MUTATIONS = [
    mutation("alarm-threshold", put(*properties("ConsumerErrorsAlarm"), Threshold=7)),
    mutation("alarm-notifies-nothing", put(*properties("ConsumerErrorsAlarm"), AlarmActions=[])),
    mutation("alarm-in-some-stacks", put(RESOURCES, "ConsumerErrorsAlarm", Condition="CreateAlarmTopic")),
    mutation("topic-condition-inverted", put("Conditions", CreateAlarmTopic={"Fn::Not": [{"Fn::Equals": ["", ""]}]})),
    mutation("statement-reaches-more", put(*statement("KvsStreamConsumerRole", 0), Resource="arn:aws:s3:::other")),
    mutation("speaker-may-read-media", append(*statement("SpeakerRole", 0), "Action", "kinesisvideo:GetMedia")),
    mutation("speaker-of-any-environment", drop(*statement("SpeakerRole", 0), "Condition")),
    mutation("role-trusts-another-principal", put(
        *properties("SpeakerRole"), "AssumeRolePolicyDocument", "Statement", 0, Principal={"AWS": "*"})),
    mutation("function-with-another-role", put(*properties("AudioProcessorFunction"), Role="arn:aws:iam::1:role/x")),
    mutation("table-without-recovery", drop(*properties("SessionsTable"), "PointInTimeRecoverySpecification")),
    mutation("prod-tables-not-protected", drop("Conditions", "ProtectTables", "Fn::Or", 0)),
    mutation("protection-parameter-ignored", drop("Conditions", "ProtectTables", "Fn::Or", 1)),
    mutation("memory-ignores-its-parameter", put(*properties("AudioProcessorFunction"), MemorySize=256)),
    mutation("logs-kept-for-ever", drop(*properties("AudioProcessorLogGroup"), "RetentionInDays")),
    mutation("recursion-stopped", drop(*properties("KvsStreamConsumerFunction"), "RecursiveLoop")),
    mutation("queue-without-key", drop(*properties("ChunkDeadLetterQueue"), "KmsMasterKeyId")),
    mutation("failures-without-queue", drop(
        *properties("KvsStreamConsumerFunction"), "EventInvokeConfig", "DestinationConfig")),
    mutation("output-gone", drop("Outputs", "ApiUrl")),
]


@pytest.mark.parametrize("change", MUTATIONS)
def test_detects(change):
    changed = broken(SOURCE, change)
    assert any(text(changed, name) != text(SOURCE, name) for name in PARAMETER_SETS)

"""A worker that a deployment removes still hands over its sessions: what it uses meanwhile exists as long
as WorkerImage is given.

ECS may report a deleted service as inactive while its tasks are stopping, and CloudFormation then deletes
what only the service used.
"""

from resolve import Resolver, of_type
from template import PARAMETER_SETS, SOURCE, deployed, translate


def used_by_workers(resources: dict) -> set[str]:
    """Returns the queue and the role of the workers."""
    task = resources["WorkerTaskDefinition"]["Properties"]
    environment = {it["Name"]: it["Value"] for it in task["ContainerDefinitions"][0]["Environment"]}
    queue = environment["STARTS_QUEUE_URL"].rsplit("/", 1)[-1]
    names = {queue, task["TaskRoleArn"].rsplit("/", 1)[-1]}
    kinds = of_type(resources, "AWS::SQS::Queue") | of_type(resources, "AWS::IAM::Role")
    return {name for name, it in kinds.items() if {it.get("QueueName"), it.get("RoleName")} & names}


def test_what_a_worker_uses_outlives_it():
    used = used_by_workers(deployed("workers"))
    assert len(used) == 2, used
    left = PARAMETER_SETS["workers"] | {"ConsumerHost": "lambda"}
    resources = Resolver(translate(SOURCE, left), left).resources()
    assert used <= resources.keys() and "WorkerService" not in resources
    assert not used & deployed("defaults").keys()

"""Resources that store data use the key of KmsKeyArn.

The snapshots contain how each resource is encrypted; this check finds a new resource without the
key.
"""

import json

import pytest

from mutations import broken, mutation, put
from template import KEY, deployed

STORES = ("Table", "Queue", "LogGroup", "Topic", "Archive", "Bucket", "Stream", "Secret", "FileSystem", "DBInstance")
WITHOUT_KEY = {"AWS::Events::Archive": "an archive uses the key of its bus, here the default bus (docs/limits.md)"}
RESOURCES = deployed("every-option")


def problems(resources: dict) -> list[str]:
    """Returns the resources that store data without the key."""
    stores = {name: it for name, it in resources.items()
              if it["Type"].endswith(STORES) and it["Type"] not in WITHOUT_KEY}
    return [f"{name}: {it['Type']} does not use KmsKeyArn" for name, it in stores.items()
            if KEY not in json.dumps(it["Properties"])]


def test_every_store_uses_the_key():
    assert problems(RESOURCES) == []


@pytest.mark.parametrize("change", [
    mutation("new-bucket", put(New={"Type": "AWS::S3::Bucket", "Properties": {}})),
    mutation("table-with-the-default-key", put("SessionsTable", "Properties", SSESpecification={})),
    mutation("queue-with-another-key", put("ChunkDeadLetterQueue", "Properties", KmsMasterKeyId="alias/other")),
])
def test_detects(change):
    assert problems(broken(RESOURCES, change))

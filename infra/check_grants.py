"""What each role's statements reach: part of check_template.py.

Works on a translated template with its intrinsics resolved (`resolve.py`). For every statement of every role,
found by its Sid, the resources and conditions are held here to the letter: a wildcard more, or a condition
fewer, is seen. Which actions the functions' roles need is held against what they call
(tests/iam/least_privilege.py); the speakers' calls are nobody's here, so their actions stand in this table.
"""

from check_deliveries import arn_of
from resolve import REGION, of_type
from spoil import Spoiler

CHANNELS, STREAMS = "kinesisvideo:channel/session-*/*", "kinesisvideo:stream/session-*/*"
SPEAKERS = {
    "SpeakIntoChannel": {"DescribeMediaStorageConfiguration", "GetIceServerConfig", "ConnectAsMaster", "JoinStorageSession"},
    "StoreSpeech": {"DescribeStream", "GetDataEndpoint", "PutMedia"},
}
# The services through which a key of your own may be used, and never by itself.
VIA = {
    "SessionHttpHandlerRole": {"KMSTables": ["dynamodb"], "KMSNewStreams": ["kinesisvideo"]},
    "KvsStreamConsumerRole": {"KMSReads": ["dynamodb", "kinesisvideo", "sqs"], "KMSDeadLetters": ["sqs"]},
    "AudioProcessorRole": {"KMSTables": ["dynamodb"]},
    "SpeakerRole": {"KMSSpeech": ["kinesisvideo"]},
}


def reach(env: str, processor: str, api: str | None) -> dict[str, dict[str, list[str]]]:
    """What each statement of each role names, as service:resource; `*` where the service takes none."""
    sessions, streams = f"dynamodb:table/Sessions-{env}", f"dynamodb:table/Streams-{env}"
    connections, processed = f"dynamodb:table/Connections-{env}", f"dynamodb:table/Processed-{env}"
    queues = [f"sqs:chunk-dlq-{env}", f"sqs:session-events-dlq-{env}"]
    tell = {"TellListeners": [f"execute-api:{api}/*/POST/@connections/*"]} if api else {}

    def own_logs(function: str) -> dict[str, list[str]]:
        return {"WriteOwnLogs": [f"logs:log-group:/aws/lambda/{function}-{env}:*"], "WriteTraces": ["*"]}

    return {
        "SessionHttpHandlerRole": tell | own_logs("session-http-handler") | {
            "EventBridgePutEvents": ["events:event-bus/default"],
            # A new one's ARN ends in a time that nobody knows before. No condition on its tag: docs/limits.md.
            "KVSSessionChannel": [CHANNELS],
            "KVSSessionStream": [STREAMS],
            "KVSSessionMapping": [CHANNELS, STREAMS],
            "SessionsTableAccess": [sessions],
            "StreamsTableSettings": [streams],
            "ConnectionsBySession": [f"{connections}/index/sessionId-targetLanguage-index"],
        },
        "KvsStreamConsumerRole": tell | own_logs("kvs-stream-consumer") | {
            "KVSStreamConsumption": [STREAMS],
            "KVSMediaAccess": [STREAMS],
            "KVSChannelCleanup": [CHANNELS],
            "KVSMapping": [CHANNELS],
            "KVSDiscovery": ["*"],
            "InvokeAudioProcessor": [processor],
            "InvokeNextLink": [f"lambda:function:kvs-stream-consumer-{env}"],
            "EventBridgePutEvents": ["events:event-bus/default"],
            "SessionsTableAccess": [sessions],
            "SessionsByStatus": [f"{sessions}/index/status-updatedAt-index"],
            "ConnectionsBySession": [f"{connections}/index/sessionId-targetLanguage-index"],
            "RemoveListeners": [connections],
            "StreamsTableAccess": [streams],
            "SendDeadLetters": queues,
            "ReadDeadLetters": queues,
        },
        "AudioProcessorRole": own_logs("audio-processor") | {"ProcessedTableAccess": [processed]},
        "SpeakerRole": {"SpeakIntoChannel": [CHANNELS], "StoreSpeech": [STREAMS]},
    }


def listed(value) -> list:
    """A list, as it is written or of the one value that stands for it."""
    return value if isinstance(value, list) else [value]


def wanted(resources: dict, api: str | None) -> dict[str, dict[str, tuple[list, dict]]]:
    """The resources and the condition of each statement of each role that is there."""
    consumer = resources["KvsStreamConsumerFunction"]["Properties"]["Environment"]["Variables"]
    env, processor = consumer["ENVIRONMENT"], consumer["AUDIO_PROCESSOR_FUNCTION"]
    processor = processor.removeprefix(arn_of("lambda", "")) if ":" in processor else f"function:{processor}"
    key = resources["SessionsTable"]["Properties"].get("SSESpecification", {}).get("KMSMasterKeyId")
    tagged = {"StringEquals": {"aws:ResourceTag/env": env}}
    found: dict[str, dict[str, tuple[list, dict]]] = {}
    for role, statements in reach(env, f"lambda:{processor}", api).items():
        if role not in resources:
            continue
        found[role] = {sid: (["*"] if names == ["*"] else [arn_of(*name.split(":", 1)) for name in names],
                             tagged if sid in SPEAKERS else {}) for sid, names in statements.items()}
        for sid, services in (VIA[role] if key else {}).items():
            hosts = [f"{service}.{REGION}.amazonaws.com" for service in services]
            found[role][sid] = [key], {"StringEquals": {"kms:ViaService": hosts if len(hosts) > 1 else hosts[0]}}
    return found


def check(resources: dict) -> list[str]:
    """What is wrong with what the roles of a translated, resolved template reach."""
    wrong: list[str] = []
    roles = of_type(resources, "AWS::IAM::Role")
    statements = {name: [it for policy in role["Policies"] for it in policy["PolicyDocument"]["Statement"]]
                  for name, role in roles.items()}
    told = [it["Resource"] for its in statements.values() for it in its if it["Sid"] == "TellListeners"]
    api = str(told[0]).removeprefix(arn_of("execute-api", "")).split("/")[0] if told else None
    if api and not api.isalnum():
        wrong.append(f"TellListeners reaches the API {api}")
    for name, wishes in wanted(resources, api).items():
        seen = [it["Sid"] for it in statements[name]]
        wrong += [f"{name}: {sid} is not there once" for sid in wishes if seen.count(sid) != 1]
        for it in statements[name]:
            found = listed(it.get("Resource")), it.get("Condition", {})
            if it["Sid"] not in wishes:
                wrong.append(f"{name}: nobody expects {it['Sid']}")
            elif found != wishes[it["Sid"]] or it.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
                wrong.append(f"{name}: {it['Sid']} reaches {found}, not {wishes[it['Sid']]}")
            may = SPEAKERS.get(it["Sid"])
            if may and sorted(it["Action"]) != sorted(f"kinesisvideo:{action}" for action in may):
                wrong.append(f"{name}: {it['Sid']} allows {it['Action']}, not {sorted(may)}")
    return wrong + [f"nobody expects {name}" for name in roles.keys() - wanted(resources, api).keys()]


def check_would_notice(resources: dict) -> list[str]:
    """Widens each statement of each role, in a copy."""
    spoilt = Spoiler("check_grants", check, resources)

    def statement(changed: dict, role: str, at: tuple[int, int]) -> dict:
        policy = changed[role]["Properties"]["Policies"][at[0]]
        return policy["PolicyDocument"]["Statement"][at[1]]

    for role, properties in of_type(resources, "AWS::IAM::Role").items():
        for m, policy in enumerate(properties["Policies"]):
            for n, it in enumerate(policy["PolicyDocument"]["Statement"]):
                at, where = (m, n), f"{it['Sid']} of {role}"
                widened = [] if it["Resource"] == "*" else wider(listed(it["Resource"])[0])
                for resource in [*widened, "arn:aws:s3:::other"]:
                    for value in (resource, [*listed(it["Resource"]), resource]):
                        spoilt(f"{where} reaching {value}", lambda changed, role=role, at=at, value=value: (
                            statement(changed, role, at).update(Resource=value)))
                for condition in ({}, {"StringLike": {"aws:ResourceTag/env": "*"}}):
                    if condition or "Condition" in it:
                        spoilt(f"{where} on condition {condition}", lambda changed, role=role, at=at, condition=condition: (
                            statement(changed, role, at).update(Condition=condition)))
                spoilt(f"{where} under another name", lambda changed, role=role, at=at: (
                    statement(changed, role, at).update(Sid="Other")))
                if it["Sid"] in SPEAKERS:
                    spoilt(f"{where} that may read", lambda changed, role=role, at=at: (
                        statement(changed, role, at)["Action"].append("kinesisvideo:GetMedia")))
    return spoilt.unnoticed


def wider(arn: str) -> list[str]:
    """ARNs that take in this one and more: any name of its kind, any of its service, any region or account."""
    prefix, partition, service, region, account, name = arn.split(":", 5)
    names = ["*", name.split("/")[0] + "/*", name.split(":")[0] + ":*", f"{name}*"]
    return [f"{prefix}:{partition}:{service}:{region}:{account}:{it}" for it in names if it != name] + [
        f"{prefix}:{partition}:{service}:*:{account}:{name}", f"{prefix}:{partition}:{service}:{region}:*:{name}", "*"]

"""How the functions run and where their failures go: part of check_template.py.

The consumer's failures have a queue, its chain of invocations is allowed, its share of executions is what the
parameter says; every function is traced; what anyone logs is kept as long as the parameter says, and no longer.
"""

from check_deliveries import arn_of
from resolve import Resolver, of_type
from spoil import Spoiler

CONSUMER = "KvsStreamConsumerFunction"
FAILURES = {
    "FunctionName": "kvs-stream-consumer-dev", "Qualifier": "$LATEST", "MaximumRetryAttempts": 2,
    # A later try is of no use: the health check has long restarted the session.
    "MaximumEventAgeInSeconds": 3600,
    "DestinationConfig": {"OnFailure": {"Destination": arn_of("sqs", "session-events-dlq-dev")}},
}
# What the parameter says, and what the consumer then has: 0 would stop it, so it is left out.
RESERVED = {"0": None, "11": "11", "110": "110", "1000": "1000"}
# By function and property: the parameter that it follows, and a value that is not its default.
BY_PARAMETER = {
    "SessionHttpHandlerFunction": {"MemorySize": ("SessionHandlerMemory", "512")},
    CONSUMER: {"MemorySize": ("ConsumerMemory", "512"), "Timeout": ("ConsumerTimeoutSeconds", "300")},
    "AudioProcessorFunction": {"MemorySize": ("ProcessorMemory", "512"), "Timeout": ("AudioProcessorTimeout", "60")},
}


def check_plain(template: dict) -> list[str]:
    """What is wrong whatever the parameters say."""
    resources = Resolver(template, {}).resources()
    configs = list(of_type(resources, "AWS::Lambda::EventInvokeConfig").values())
    wrong = [] if configs == [FAILURES] else [f"the consumer's failures go by {configs}, not {FAILURES}"]
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        if function.get("TracingConfig") != {"Mode": "Active"}:
            wrong.append(f"{name}: it is not traced")
        if function.get("LoggingConfig", {}).get("LogFormat") != "JSON":
            wrong.append(f"{name}: its log has no levels")
        # A day is about a hundred invocations of the consumer by itself; of no other function is one wanted.
        if function.get("RecursiveLoop") != ("Allow" if name == CONSUMER else None):
            wrong.append(f"{name}: RecursiveLoop is {function.get('RecursiveLoop')}")
    return wrong


def check_by_parameter(template: dict) -> list[str]:
    """What does not follow its parameter."""
    wrong = []
    for value, kept in RESERVED.items():
        functions = of_type(Resolver(template, {"ConsumerReservedConcurrency": value}).resources(), "AWS::Lambda::Function")
        for name, function in functions.items():
            found = function.get("ReservedConcurrentExecutions")
            if found != (kept if name == CONSUMER else None):
                wrong.append(f"{name}: with ConsumerReservedConcurrency {value} it keeps {found}")
    for days in ("7", "180"):
        groups = of_type(Resolver(template, {"LogRetentionDays": days}).resources(), "AWS::Logs::LogGroup")
        wrong += [f"{name}: with LogRetentionDays {days} it keeps logs {it.get('RetentionInDays')} days"
                  for name, it in groups.items() if it.get("RetentionInDays") != days]
    values = {parameter: value for them in BY_PARAMETER.values() for parameter, value in them.values()}
    functions = of_type(Resolver(template, values).resources(), "AWS::Lambda::Function")
    for name, them in BY_PARAMETER.items():
        wrong += [f"{name}: {key} does not follow {parameter}" for key, (parameter, value) in them.items()
                  if functions.get(name, {}).get(key) != value]
    return wrong


def check(template: dict) -> list[str]:
    """What is wrong with the functions of a translated template."""
    return check_plain(template) + check_by_parameter(template)


def check_would_notice(template: dict) -> list[str]:
    """Changes each of these, in a copy."""
    spoilt = Spoiler("check_functions", check, template)
    for name, resource in template["Resources"].items():
        def put(name: str = name, **values) -> None:
            spoilt(f"{name} with {values}", lambda it: it["Resources"][name]["Properties"].update(values))

        match resource["Type"]:
            case "AWS::Lambda::EventInvokeConfig":
                spoilt(f"{name} gone", lambda it, name=name: it["Resources"].pop(name))
                for values in ({"DestinationConfig": {}}, {"MaximumRetryAttempts": 0}, {"MaximumEventAgeInSeconds": 21600},
                               {"FunctionName": "other"}, {"Qualifier": "live"}):
                    put(**values)
            case "AWS::Lambda::Function":
                put(TracingConfig={"Mode": "PassThrough"})
                put(LoggingConfig={"LogFormat": "Text"})
                put(RecursiveLoop="Terminate")
                for limit in (5, {"Ref": "ConsumerReservedConcurrency"}):
                    put(ReservedConcurrentExecutions=limit)
                for key in BY_PARAMETER[name]:
                    put(**{key: 128})
            case "AWS::Logs::LogGroup":
                put(RetentionInDays=14)
                spoilt(f"{name} kept for ever", lambda it, name=name: it["Resources"][name]["Properties"].pop("RetentionInDays"))
    spoilt("concurrency kept always", lambda it: it["Conditions"].update(KeepConcurrency={"Fn::Equals": ["a", "a"]}))
    spoilt("concurrency never kept", lambda it: it["Conditions"].update(KeepConcurrency={"Fn::Equals": ["a", "b"]}))
    return spoilt.unnoticed

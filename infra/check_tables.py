"""How the tables keep what they hold: part of check_template.py.

Every table can be brought back to any second of the last 35 days, forgets by the attribute that the code
writes, is billed by request, and refuses to be deleted in prod and where DeletionProtection says so.
Resolved with each set of parameters that changes one of these.
"""

from resolve import Resolver, of_type
from spoil import Spoiler

TYPE = "AWS::DynamoDB::Table"
# The attribute by whose time an item goes. Of a session it is set once nothing of it is left: expiresAt, which
# clients read there, would take the record of one that still runs.
FORGETS_BY = {"SessionsTable": "removeAt", "ConnectionsTable": "expiresAt", "StreamsTable": "expiresAt",
              "ProcessedTable": "expiresAt"}
# The parameters, and whether the tables refuse to be deleted then.
CASES = (
    ({}, False),
    ({"DeletionProtection": "true"}, True),
    ({"Environment": "prod"}, True),
    ({"Environment": "prod", "DeletionProtection": "false"}, True),
)


def wanted(name: str, is_kept: bool) -> dict:
    """The properties of a table that decide how it keeps what it holds."""
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": FORGETS_BY.get(name), "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": is_kept,
    }


def check(template: dict) -> list[str]:
    """What is wrong with the tables of a translated template."""
    wrong = []
    for parameters, is_kept in CASES:
        tables = of_type(Resolver(template, parameters).resources(), TYPE)
        wrong += [f"with {parameters}, {name} is not there" for name in FORGETS_BY.keys() - tables.keys()]
        for name, table in tables.items():
            for key, value in wanted(name, is_kept).items():
                if table.get(key) != value:
                    wrong.append(f"with {parameters}, {name} has {key} {table.get(key)}, not {value}")
    return wrong


def check_would_notice(template: dict) -> list[str]:
    """Takes each of these from each table, in a copy."""
    spoilt = Spoiler("check_tables", check, template)
    other = {"AttributeName": "createdAt", "Enabled": True}
    for name in of_type(template["Resources"], TYPE):
        def put(what: str, name: str = name, **values) -> None:
            spoilt(f"{name} {what}", lambda it: it["Resources"][name]["Properties"].update(values))

        put("without recovery", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False})
        put("forgetting nothing", TimeToLiveSpecification=other | {"Enabled": False})
        put("forgetting too early", TimeToLiveSpecification=other)
        put("never protected", DeletionProtectionEnabled=False)
        put("always protected", DeletionProtectionEnabled=True)
        put("paid for unused", BillingMode="PROVISIONED")
        spoilt(f"{name} in some stacks only", lambda it, name=name: it["Resources"][name].update(Condition="OwnKey"))
    keep = template["Conditions"]["KeepTables"]["Fn::Or"]
    for condition in keep:
        spoilt(f"protection only if {condition}", lambda it, condition=condition: (
            it["Conditions"].update(KeepTables=condition)))
    return spoilt.unnoticed

"""The text of a snapshot: what a parameter set deploys, in a form that is easy to review.

The snapshot of `defaults` contains every resource, those of the other parameter sets the
differences from it, one value per line. Descriptions, the location of the code, and the usual
values in USUAL are omitted. ENV stands for the environment's name, so that `prod` shows its changes
other than the names.
"""

import json
import re

import yaml

from resolve import Resolver
from template import PARAMETER_SETS, translate

OMITTED = {"AlarmDescription", "Code", "Description"}
# Any other value of these keys is in the snapshot.
USUAL = {"Version": "2012-10-17", "Effect": "Allow"}
# Keys that identify an item of a list, such as a policy of a role.
IDENTITIES = ("PolicyName", "Sid", "IndexName", "AttributeName", "Id", "Name")
WIDTH = 100


class Dumper(yaml.SafeDumper):
    """Writes a list or map on one line if it is short."""

    def ignore_aliases(self, data) -> bool:
        return True

    def represent_sequence(self, tag, sequence, flow_style=None):
        return super().represent_sequence(tag, sequence, len(str(sequence)) < WIDTH)

    def represent_mapping(self, tag, mapping, flow_style=None):
        return super().represent_mapping(tag, mapping, 0 < len(mapping) < 5 and len(str(mapping)) < WIDTH)


def simplified(value):
    """Returns a value without what is omitted, and lists of identified items, and the widgets of a
    dashboard, as maps."""
    if isinstance(value, dict) and isinstance(body := value.get("DashboardBody"), str):
        value = value | {"DashboardBody": {it["properties"]["title"]: it for it in json.loads(body)["widgets"]}}
    if isinstance(value, list):
        for key in IDENTITIES:
            names = [str(item[key]) for item in value if isinstance(item, dict) and key in item]
            if names and len(set(names)) == len(value):
                return {name: simplified({k: v for k, v in item.items() if k != key})
                        for name, item in zip(names, value)}
        return [simplified(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {str(key): simplified(item) for key, item in value.items()
            if key not in OMITTED and (key not in USUAL or item != USUAL[key])}


def deployment(source: dict, name: str) -> dict:
    """Returns what a parameter set deploys: type, logical id, then properties and attributes."""
    parameters = PARAMETER_SETS[name]
    resolver = Resolver(translate(source, parameters), parameters)
    found: dict[str, dict] = {}
    for logical_id, resource in resolver.resources().items():
        attributes = {key: resource[key] for key in resource.keys() - {"Type", "Properties", "Metadata", "Condition"}}
        found.setdefault(resource["Type"], {})[logical_id] = simplified(resource["Properties"] | attributes)
    outputs = resolver.template["Outputs"].items()
    found["Outputs"] = {key: {"Value": resolver.plain(output["Value"])} for key, output in outputs
                        if "Condition" not in output or resolver.holds(output["Condition"])}
    environment = resolver.values["Environment"]
    return json.loads(re.sub(rf"\b{environment}\b", "ENV", json.dumps(found)))


def flat(value, path: str = "") -> dict[str, str]:
    """Returns each value of a structure with its path."""
    if isinstance(value, dict) and value:
        return {key: it for name, item in value.items()
                for key, it in flat(item, f"{path}.{name}" if path else name).items()}
    return {path: json.dumps(value)} if path else {}


def differences(before: dict, after: dict) -> str:
    """Returns the removed (-), added (+) and changed values by resource."""
    lines = []
    for kind in sorted(before.keys() | after.keys()):
        old, new = before.get(kind, {}), after.get(kind, {})
        for name in sorted(old.keys() - new.keys()):
            lines.append(f"- {kind} {name}")
        for name in sorted(new):
            was, now = flat(old.get(name, {})), flat(new[name])
            changed = [f"    {key}: {was[key]} -> {now[key]}" if key in was and key in now else
                       f"+   {key}: {now[key]}" if key in now else f"-   {key}: {was[key]}"
                       for key in sorted(was.keys() | now.keys()) if was.get(key) != now.get(key)]
            if name not in old or changed:
                lines += [f"{' ' if name in old else '+'} {kind} {name}", *changed]
    return "\n".join(lines) + "\n"


def text(source: dict, name: str) -> str:
    """Returns the snapshot of a parameter set."""
    deployed = deployment(source, name)
    if name == "defaults":
        return yaml.dump(deployed, Dumper=Dumper, width=WIDTH, allow_unicode=True)
    return differences(deployment(source, "defaults"), deployed)

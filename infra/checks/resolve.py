"""Resolves the intrinsic functions of a template, for checks that need plain values.

Values that exist only after a deployment are replaced by a name or ARN of the same form.
`local-cloud` has the complete resolver, in Rust; this one supports what infra/template.yaml uses
and rejects the rest.
"""

ACCOUNT, REGION = "123456789012", "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "stack",
}
# The property that names a resource, and its ARN with that name in it.
NAMED = {
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "table/{}"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "{}"),
    "AWS::SNS::Topic": ("TopicName", "sns", "{}"),
    "AWS::Events::Rule": ("Name", "events", "rule/{}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::IAM::Role": ("RoleName", "iam", "role/{}"),
    "AWS::ECS::Cluster": ("ClusterName", "ecs", "cluster/{}"),
    "AWS::ECS::Service": ("ServiceName", "ecs", "service/{}"),
    "AWS::Lambda::CapacityProvider": ("CapacityProviderName", "lambda", "capacity-provider:{}"),
}
NOTHING = object()


def of_type(resources: dict, kind: str) -> dict:
    """Returns the properties of each resource of a type, by logical id."""
    return {name: it["Properties"] for name, it in resources.items() if it["Type"] == kind}


class Resolver:
    """A template with one set of parameter values."""

    def __init__(self, template: dict, parameters: dict[str, str]):
        self.template = template
        declared = template["Parameters"]
        self.values = {name: str(it.get("Default", "x")) for name, it in declared.items()} | parameters

    def resources(self) -> dict:
        """Returns the resources whose condition holds, without intrinsic functions."""
        made = {name: it for name, it in self.template["Resources"].items()
                if "Condition" not in it or self.holds(it["Condition"])}
        return {name: it | {"Properties": self.plain(it.get("Properties", {}))} for name, it in made.items()}

    def holds(self, name: str) -> bool:
        """Returns whether a named condition holds."""
        return self.plain(self.template["Conditions"][name])

    def plain(self, value):
        """Returns a value without intrinsic functions; maps and lists omit AWS::NoValue."""
        if isinstance(value, list):
            return [it for it in map(self.plain, value) if it is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), = value.items()
            if name == "Ref" or name.startswith("Fn::") or (name == "Condition" and isinstance(argument, str)):
                return self.call(name, argument)
        items = {key: self.plain(it) for key, it in value.items()}
        return {key: it for key, it in items.items() if it is not NOTHING}

    def call(self, name: str, argument):
        """Returns the value of an intrinsic function. Raises ValueError if it is not supported."""
        match name:
            case "Ref":
                return self.reference(argument)
            case "Condition":
                return self.holds(argument)
            case "Fn::If":
                return self.plain(argument[1] if self.holds(argument[0]) else argument[2])
            case "Fn::Equals":
                left, right = map(self.plain, argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self.plain(argument[0])
            case "Fn::And":
                return all(map(self.plain, argument))
            case "Fn::Or":
                return any(map(self.plain, argument))
            case "Fn::Split":
                return self.plain(argument[1]).split(argument[0])
            case "Fn::Select":
                return self.plain(argument[1])[int(argument[0])]
            case "Fn::Join":
                return argument[0].join(self.plain(argument[1]))
            case "Fn::GetAtt":
                return self.attribute(*argument)
            case "Fn::Sub":
                return self.substitute(argument)
        raise ValueError(f"{name} is not supported")

    def substitute(self, argument) -> str:
        """Returns the text of a Fn::Sub."""
        text, own = argument if isinstance(argument, list) else (argument, {})
        before, *parts = text.split("${")
        for part in parts:
            name, _, after = part.partition("}")
            if name in own:
                value = self.plain(own[name])
            else:
                value = self.attribute(*name.split(".", 1)) if "." in name else self.reference(name)
            before += f"{value}{after}"
        return before

    def reference(self, name: str):
        """Returns the value of a Ref."""
        if name == "AWS::NoValue":
            return NOTHING
        if name in PSEUDO or name in self.values:
            return PSEUDO.get(name, self.values.get(name))
        kind = self.template["Resources"][name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name(name)}"
        if kind == "AWS::Lambda::Alias":
            alias = self.plain(self.template["Resources"][name]["Properties"])
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{alias['FunctionName']}:{alias['Name']}"
        return self.attribute(name, "Arn") if kind == "AWS::SNS::Topic" else self.name(name)

    def name(self, resource: str) -> str:
        """Returns a resource's deployed name; its logical id if CloudFormation generates it."""
        declared = self.template["Resources"][resource]
        naming = NAMED.get(declared["Type"], ("",))[0]
        return self.plain(declared.get("Properties", {}).get(naming, resource))

    def attribute(self, resource: str, attribute: str) -> str:
        """Returns the value of a Fn::GetAtt: an ARN, or the name for any other attribute."""
        if not attribute.endswith("Arn"):
            return self.name(resource)
        _, service, form = NAMED[self.template["Resources"][resource]["Type"]]
        region = "" if service == "iam" else REGION
        return f"arn:aws:{service}:{region}:{ACCOUNT}:{form.format(self.name(resource))}"

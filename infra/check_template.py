"""Checks infra/template.yaml without an account: `python infra/check_template.py infra/template.yaml`.

1. `sam validate --lint` on the source.
2. The translation to CloudFormation, linted: cfn-lint does not expand SAM, so a wrong timeout or a
   reference to nothing inside a SAM resource passes step 1 and fails here.
3. What no linter knows and the rest of the project relies on: the rule's pattern is the one in
   events/rule-pattern.json, every policy names its statement, wildcards stand only where the
   service takes no resource, and no route is open that check_routes.py does not name.

Needs the packages of infra/requirements.txt; makes its own venv under target/ when they are missing.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from check_routes import check_routes, check_would_notice

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TOOLS = ROOT / "target" / "template-tools"
REGION = "us-east-1"
# Actions that take no resource, so that "*" is the narrowest there is.
WITHOUT_RESOURCE = {
    "kinesisvideo:ListStreams", "kinesisvideo:ListSignalingChannels",
    "xray:PutTraceSegments", "xray:PutTelemetryRecords",
}


def with_tools() -> None:
    """Runs this script again inside a venv with the pinned tools, unless they are here."""
    try:
        import cfnlint  # noqa: F401
        import samcli  # noqa: F401
        import samtranslator  # noqa: F401
        return
    except ImportError:
        if os.environ.get("TEMPLATE_TOOLS"):
            raise
    python = TOOLS / "bin" / "python"
    stamp = TOOLS / "installed.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", TOOLS], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "-r", HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    os.execve(python, [str(python), *sys.argv], os.environ | {"TEMPLATE_TOOLS": "1"})


def run(what: str, command: list) -> None:
    """Runs a tool and ends with its output when it finds something."""
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{what} failed:\n{done.stdout}{done.stderr}")
    print(f"{what}: ok")


def translate(source: dict) -> dict:
    """What `sam deploy` would hand to CloudFormation."""
    import boto3
    from samtranslator.translator.transform import transform

    class NoManagedPolicies:
        def load(self):
            return {}

    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    for name, parameter in source["Parameters"].items():
        parameter.setdefault("Default", {"JwtIssuer": "https://issuer.example"}.get(name, "x"))
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    boto3.setup_default_session(region_name=REGION)
    return transform(source, {}, NoManagedPolicies())


def check_pattern(resources: dict) -> list[str]:
    """The lifecycle rule matches what events/rule-pattern.json says, to the letter."""
    pattern = resources["SessionLifecycleRule"]["Properties"]["EventPattern"]
    wanted = json.loads((ROOT / "events" / "rule-pattern.json").read_text())
    return [] if pattern == wanted else [f"SessionLifecycleRule: {pattern} is not {wanted}"]


def check_policies(resources: dict) -> list[str]:
    """Explicit roles only; each inline policy is found by a Sid; no needless wildcard."""
    wrong = []
    for name, role in resources.items():
        if role["Type"] != "AWS::IAM::Role":
            continue
        if role["Properties"].get("ManagedPolicyArns"):
            wrong.append(f"{name}: managed policies allow more than this system needs")
        for policy in role["Properties"].get("Policies", []):
            # One that stands there only under a condition is held to the same.
            policy = policy.get("Fn::If", [None, policy])[1]
            statements = policy["PolicyDocument"]["Statement"]
            for statement in statements:
                actions = statement["Action"]
                actions = [actions] if isinstance(actions, str) else actions
                if any("*" in action for action in actions):
                    wrong.append(f"{name} {statement['Sid']}: a wildcard among its actions")
                if statement["Resource"] == "*" and not set(actions) <= WITHOUT_RESOURCE:
                    wrong.append(f"{name} {statement['Sid']}: Resource * although a resource exists")
    return wrong


def main() -> int:
    template = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "template.yaml").resolve()
    with_tools()
    from samcli.yamlhelper import yaml_parse

    bin_dir = pathlib.Path(sys.executable).parent
    os.environ |= {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    os.environ["PATH"] = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
    run("sam validate --lint", [bin_dir / "sam", "validate", "--lint", "-t", template])

    translated = translate(yaml_parse(template.read_text()))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "translated.json"
        path.write_text(json.dumps(translated, indent=1))
        # W2001 (unused parameter): the translation puts parameters' values in place of some !Refs.
        # The source, linted above, uses every one.
        run("cfn-lint on the translation", [
            bin_dir / "cfn-lint", "--ignore-checks", "W2001", "--regions", REGION, "--", path])

    resources = translated["Resources"]
    wrong = check_pattern(resources) + check_policies(resources)
    wrong += check_routes(resources) or check_would_notice(resources)
    print("\n".join(wrong) if wrong else f"{len(resources)} resources: pattern, policies and routes ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

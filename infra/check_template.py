"""Checks infra/template.yaml without an account: `python infra/check_template.py infra/template.yaml`.

1. `sam validate --lint` on the source.
2. The translation to CloudFormation, linted: cfn-lint does not expand SAM, so a wrong timeout or a
   reference to nothing inside a SAM resource passes step 1 and fails here.
3. What no linter knows and the rest of the project relies on, one module each (check_*.py). Each also
   spoils a copy of the template in every way it knows, and fails when it does not notice.

Needs the packages of infra/requirements.txt; makes its own venv under target/ when they are missing.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys

import check_alarm_settings
import check_alarms
import check_deliveries
import check_environment
import check_functions
import check_grants
import check_log_level
import check_names
import check_own_key
import check_parameters
import check_pattern
import check_policies
import check_routes
import check_tables
import check_trust
from resolve import Resolver
from tools import run_inside

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
REGION = "us-east-1"
# What the template may be deployed with: nothing beyond the defaults, and everything that it offers.
DEPLOYMENTS = [{}, {
    "AlarmEmail": "ops@example.com", "AudioProcessorFunctionArn": "", "ConsumerReservedConcurrency": "110",
    "Environment": "prod", "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    "SpeakerIdentityPoolId": "us-east-1:11111111-2222-3333-4444-555555555555", "WebSocketApiId": "a1b2c3d4e5",
}]
# And beside both, for who is called: a processor of your own, by an alias.
YOUR_PROCESSOR = {"AudioProcessorFunctionArn": f"arn:aws:lambda:{REGION}:123456789012:function:yours:live"}


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


def main() -> int:
    template = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "template.yaml").resolve()
    run_inside("template-tools", "requirements.txt", ["cfnlint", "samcli", "samtranslator", "parliament"])
    from samcli.yamlhelper import yaml_parse

    bin_dir = pathlib.Path(sys.executable).parent
    os.environ |= {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    os.environ["PATH"] = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
    run("sam validate --lint", [bin_dir / "sam", "validate", "--lint", "-t", template])

    source = yaml_parse(template.read_text())
    translated = translate(source)
    # Stays, for check_emulator.py.
    path = ROOT / "target" / "translated.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(translated, indent=1))
    # W2001 (unused parameter): the translation puts parameters' values in place of some !Refs. The
    # source, linted above, uses every one.
    run("cfn-lint on the translation", [
        bin_dir / "cfn-lint", "--ignore-checks", "W2001", "--regions", REGION, "--", path])

    deployed = [Resolver(translated, parameters).resources() for parameters in DEPLOYMENTS]
    wrong = []
    for rooms, subjects in (
        ((check_parameters, check_environment), [source]),
        ((check_log_level, check_alarm_settings, check_functions, check_tables, check_own_key), [translated]),
        ((check_pattern, check_routes, check_alarms, check_trust), [translated["Resources"]]),
        ((check_policies, check_deliveries, check_names), deployed),
        ((check_grants,), [*deployed, Resolver(translated, YOUR_PROCESSOR).resources()]),
    ):
        for room in rooms:
            for subject in subjects:
                wrong += room.check(subject) or room.check_would_notice(subject)
            print(f"{room.__name__}: done")
    print("\n".join(wrong) if wrong else f"{len(deployed[-1])} resources: ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

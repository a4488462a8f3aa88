"""The stack: `sam build` and `sam deploy` of infra/template.yaml, as `make deploy` runs them."""

import pathlib
import platform
import shutil
import subprocess

import boto3

from processes import Failure, environment

NAME = "speech-relay-check"
ENVIRONMENT = "check"
# Timeouts in seconds: a first build compiles everything.
BUILD, DEPLOY = 3600, 300


def architecture() -> str:
    """Returns Lambda's name of this machine's architecture."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def parameters() -> list[str]:
    """Returns the parameter overrides of the stack."""
    return [f"Environment={ENVIRONMENT}", f"Architecture={architecture()}", "LogLevel=DEBUG", "Profile=core",
            "JwtIssuer=https://issuer.example", "JwtAudience=speakers"]


def build(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Builds all functions for this machine, with the template's BuildMethod."""
    run("sam build", folder, BUILD, environment(), [
        "sam", "build", "--template", root / "infra" / "template.yaml",
        "--build-dir", folder / "build", "--parameter-overrides", *parameters()])


def deploy(folder: pathlib.Path, emulator: str) -> int:
    """Deploys the build to the emulator. Returns the number of created resources."""
    run("sam deploy", folder, DEPLOY, environment(AWS_ENDPOINT_URL=emulator), [
        "sam", "deploy", "--template", folder / "build" / "template.yaml", "--stack-name", NAME,
        "--resolve-s3", "--capabilities", "CAPABILITY_NAMED_IAM", "--no-confirm-changeset",
        "--no-progressbar", "--parameter-overrides", *parameters()])
    formation = client("cloudformation", emulator)
    status = formation.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"]
    resources = formation.describe_stack_resources(StackName=NAME)["StackResources"]
    wrong = [it["LogicalResourceId"] for it in resources if it["ResourceStatus"] != "CREATE_COMPLETE"]
    if status != "CREATE_COMPLETE" or wrong:
        raise Failure(f"the stack is {status}; not created: {', '.join(wrong) or 'none'}")
    return len(resources)


def client(service: str, emulator: str):
    """Returns a boto3 client of a service of the emulator."""
    return boto3.client(service, endpoint_url=emulator, region_name="us-east-1",
                        aws_access_key_id="test", aws_secret_access_key="test")


def run(what: str, folder: pathlib.Path, seconds: int, env: dict[str, str], command: list) -> None:
    """Runs the SAM CLI with its output in a log. Raises Failure with the end of the log."""
    if not shutil.which(command[0]):
        raise Failure(f"{command[0]} is not on the PATH; run make deploy-check")
    log = folder / f"{what.replace(' ', '-')}.log"
    with open(log, "w") as output:
        try:
            code = subprocess.run(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, timeout=seconds).returncode
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{what} took more than {seconds} s") from late
    if code:
        raise Failure(f"{what}:\n" + "\n".join(log.read_text().splitlines()[-20:]))

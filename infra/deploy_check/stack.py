"""The stack: `sam build` of infra/template.yaml and `sam deploy` of what came out, as `make deploy` does it."""

import pathlib
import platform
import shutil
import subprocess

import boto3

from processes import Failure, environment

NAME = "speech-relay-check"
ENVIRONMENT = "check"
# Patience with the tools, in seconds: a first build compiles everything.
BUILD, DEPLOY = 3600, 300


def architecture() -> str:
    """Lambda's name for this machine, which runs the functions."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def parameters() -> list[str]:
    """The parameters of the stack."""
    return [f"Environment={ENVIRONMENT}", f"Architecture={architecture()}", "LogLevel=DEBUG", "Profile=core",
            "JwtIssuer=https://issuer.example", "JwtAudience=speakers"]


def build(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Compiles the three functions for this machine, by the template's own BuildMethod."""
    run("sam build", folder, BUILD, environment(), [
        "sam", "build", "--template", root / "infra" / "template.yaml",
        "--build-dir", folder / "build", "--parameter-overrides", *parameters()])


def deploy(folder: pathlib.Path, emulator: str) -> int:
    """Deploys what was built to the emulator; the number of its resources, once all are made."""
    run("sam deploy", folder, DEPLOY, environment(AWS_ENDPOINT_URL=emulator), [
        "sam", "deploy", "--template", folder / "build" / "template.yaml", "--stack-name", NAME,
        "--resolve-s3", "--capabilities", "CAPABILITY_NAMED_IAM", "--no-confirm-changeset",
        "--no-progressbar", "--parameter-overrides", *parameters()])
    formation = client("cloudformation", emulator)
    status = formation.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"]
    resources = formation.describe_stack_resources(StackName=NAME)["StackResources"]
    wrong = [it["LogicalResourceId"] for it in resources if it["ResourceStatus"] != "CREATE_COMPLETE"]
    if status != "CREATE_COMPLETE" or wrong:
        raise Failure(f"the stack is {status}; not made: {', '.join(wrong) or 'nothing'}")
    return len(resources)


def client(service: str, emulator: str):
    """boto3's client of a service of the emulator."""
    return boto3.client(service, endpoint_url=emulator, region_name="us-east-1",
                        aws_access_key_id="test", aws_secret_access_key="test")


def run(what: str, folder: pathlib.Path, seconds: int, env: dict[str, str], command: list) -> None:
    """Runs a tool of SAM's with its output in a log; Failure with the end of it."""
    if not shutil.which(command[0]):
        raise Failure(f"{command[0]} is not on the PATH: make deploy-check puts it there")
    log = folder / f"{what.replace(' ', '-')}.log"
    with open(log, "w") as output:
        try:
            code = subprocess.run(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, timeout=seconds).returncode
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{what} took more than {seconds} s") from late
    if code:
        raise Failure(f"{what}:\n" + "\n".join(log.read_text().splitlines()[-20:]))

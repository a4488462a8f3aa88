"""The variables of each function against those that its code reads.

A variable that is set and not read has no effect; one that is read and not set cannot be
configured.
"""

import re

import pytest

from mutations import broken, drop, put
from resolve import of_type
from template import ROOT, SOURCE

CRATES = ROOT / "crates"
# Variables that the code reads and the template does not set.
NOT_SET = {
    "AWS_LAMBDA_FUNCTION_NAME": "Lambda sets it",
    "AUDIO_OUT_DIR": "only a local machine has a persistent folder",
}
# A row of a function's `variables!` table.
ROW = re.compile(r"^ +([A-Z0-9_]+): (?:Required|Optional|Text|Number|Flag)\b", re.M)
FUNCTIONS = of_type(SOURCE["Resources"], "AWS::Serverless::Function")


def names_in(path) -> set[str]:
    """Returns the variables named in a file, except in comments and after `#[cfg(test)]`."""
    code = path.read_text().split("#[cfg(test)]")[0]
    return set(ROW.findall(re.sub(r"^\s*//.*$", "", code, flags=re.M)))


def read_by(package: str) -> set[str]:
    """Returns the variables that a function's config reads."""
    return names_in(CRATES / package / "src" / "config.rs") - NOT_SET.keys()


# Variables of the consumer that other hosts do not need.
NOT_OF_OTHER_HOSTS = {
    "INSTANCES_FUNCTION_ARN": "only the function forwards events",
    "EVENTS_DLQ_URL": "the health check scans it, which another host does not run",
    "SESSION_IDLE_MINUTES": "the health check ends sessions",
    "MAX_SESSION_HOURS": "the health check ends sessions",
    "STREAM_KEEP_MINUTES": "the health check removes streams",
    "WARM_PAIRS": "the health check makes and removes pairs",
    "KMS_KEY_ID": "the health check creates the streams of pairs",
}
NOT_OF_WORKERS = NOT_OF_OTHER_HOSTS | {"HAND_OFF_BY_EVENT": "a worker always does"}
# Variables of the consumer that a function of it does not need.
NOT_OF = {
    "KvsStreamConsumerFunction": {"HAND_OFF_BY_EVENT": "it invokes itself"},
    "KvsStreamConsumerInstancesFunction": NOT_OF_OTHER_HOSTS | {"STARTS_QUEUE_URL": "only workers take from it"},
}
WORKER = SOURCE["Resources"]["WorkerTaskDefinition"]["Properties"]["ContainerDefinitions"][0]


def worker_problems(container: dict) -> list[str]:
    """Returns the variables in which the template and the code of a worker differ."""
    read = (read_by("stream-worker") | read_by("kvs-stream-consumer")) - NOT_OF_WORKERS.keys() | {"RUST_LOG"}
    is_set = [it["Name"] for it in container["Environment"]]
    return [f"{it} is set twice" for it in set(is_set) if is_set.count(it) > 1] + [
        f"{it} is set and not read" for it in set(is_set) - read] + [
        f"{it} is read and not set" for it in read - set(is_set)]


def problems(name: str, function: dict) -> list[str]:
    """Returns the variables in which the template and the code of a function differ."""
    read = read_by(function["CodeUri"].rsplit("/", 1)[-1]) - NOT_OF.get(name, {}).keys()
    is_set = set(function["Environment"]["Variables"])
    return [f"{it} is set and not read" for it in is_set - read] + [f"{it} is read and not set" for it in read - is_set]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_variables_are_those_that_the_code_reads(name: str):
    assert problems(name, FUNCTIONS[name]) == []


def test_a_worker_has_the_variables_that_the_code_reads():
    assert worker_problems(WORKER) == []


@pytest.mark.parametrize("index", range(len(WORKER["Environment"])))
def test_detects_a_missing_variable_of_a_worker(index: int):
    assert worker_problems(broken(WORKER, drop("Environment", index)))


def mutations():
    """Yields a function without each of its variables, and with one more."""
    path = ("Environment", "Variables")
    for name, function in FUNCTIONS.items():
        yield pytest.param(name, put(*path, NEW="x"), id=f"{name}-NEW")
        for variable in function["Environment"]["Variables"]:
            yield pytest.param(name, drop(*path, variable), id=f"{name}-{variable}")


@pytest.mark.parametrize(("name", "change"), list(mutations()))
def test_detects(name: str, change):
    assert problems(name, broken(FUNCTIONS[name], change))

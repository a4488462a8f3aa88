"""Fixtures and options of the checks.

One alone: `target/template-tools/bin/pytest infra/checks/test_routes.py -k function-url`.
"""

import pytest

import template


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option of test_snapshots.py."""
    parser.addoption("--update-snapshots", action="store_true", help="write infra/checks/snapshots anew")


@pytest.fixture(params=template.PARAMETER_SETS)
def resources(request: pytest.FixtureRequest) -> dict:
    """The resources of each parameter set."""
    return template.deployed(request.param)

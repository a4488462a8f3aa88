"""Deliberately broken copies of a template, which prove that a check detects the defect.

Each test module lists its mutations with a readable id:

    @pytest.mark.parametrize("mutation", [mutation("queue-without-alarm", add("New", {…}))])
    def test_detects(mutation):
        assert problems(broken(RESOURCES, mutation))
"""

import copy
from collections.abc import Callable

import pytest

Change = Callable[[dict], object]


def mutation(name: str, change: Change):
    """Returns a pytest parameter: a change of a template, under a name that `-k` selects."""
    return pytest.param(change, id=name.replace(" ", "-"))


def broken(template, change: Change):
    """Returns a changed copy. Fails if the change has no effect, because it would prove nothing."""
    changed = copy.deepcopy(template)
    change(changed)
    assert changed != template, "the mutation changes nothing"
    return changed


def at(template, path: tuple):
    """Returns the part of a template under a path of keys and indexes."""
    for key in path:
        template = template[key]
    return template


def put(*path, **values) -> Change:
    """Returns a change that sets keys of the map under a path."""
    return lambda template: at(template, path).update(values)


def drop(*path) -> Change:
    """Returns a change that removes a key or an index."""
    return lambda template: at(template, path[:-1]).pop(path[-1])


def append(*path_and_value) -> Change:
    """Returns a change that appends a value to the list under a path."""
    *path, value = path_and_value
    return lambda template: at(template, tuple(path)).append(value)

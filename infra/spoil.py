"""Shows that a check notices: takes a copy of a template, spoils it, and asks the check again.

A check that lets a spoiled copy pass is worth nothing, so every check_*.py has a `check_would_notice`, but for
check_template.py, which runs those of its parts. Most use this; check_environment.py, check_parameters.py,
check_policies.py and check_zips.py copy for themselves, because a part of the template, or a binary, is enough there.
"""

import copy


class Spoiler:
    """Collects in `unnoticed` what a check does not see."""

    def __init__(self, name: str, check, resources: dict) -> None:
        self._name, self._check, self._resources = name, check, resources
        self.unnoticed: list[str] = []

    def __call__(self, what: str, change) -> None:
        """Applies `change` to a copy, which the check must then complain about."""
        copied = copy.deepcopy(self._resources)
        change(copied)
        if not self._check(copied):
            self.unnoticed.append(f"{self._name} does not notice {what}")

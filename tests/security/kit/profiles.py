"""Mutants of both filters: a call less, a call more, an argument less strict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

ALLOW: Final = "SCMP_ACT_ALLOW"
Rule = dict[str, Any]


def rules(profile: str) -> list[Rule]:
    """Return the rules of a seccomp profile."""
    return list(json.loads(profile)["syscalls"])


def allowed(profile: str) -> list[str]:
    """Return the calls that a profile allows, whatever the arguments."""
    return [name for rule in rules(profile) if rule["action"] == ALLOW for name in rule["names"]]


def changed(profile: str, change: Callable[[list[Rule]], list[Rule]]) -> str:
    """Return the profile with other rules; those left without a name go."""
    whole = json.loads(profile)
    whole["syscalls"] = [rule for rule in change(whole["syscalls"]) if rule["names"]]
    return json.dumps(whole)


def without(profile: str, names: Iterable[str]) -> str:
    """Return the profile without a rule for `names`: the default action is theirs."""
    gone = set(names)
    return changed(
        profile, lambda old: [{**rule, "names": [n for n in rule["names"] if n not in gone]} for rule in old]
    )


def allowing(profile: str, name: str) -> str:
    """Return the profile with `name` allowed, whatever its arguments."""
    return changed(without(profile, [name]), lambda old: [*old, {"names": [name], "action": ALLOW}])


def with_default(profile: str, action: str) -> str:
    """Return the profile with another action for all that it does not name."""
    return json.dumps(json.loads(profile) | {"defaultAction": action})


def with_argument(profile: str, name: str, **values: Any) -> str:
    """Return the profile with other values in the first condition on the arguments of `name`."""

    def change(old: list[Rule]) -> list[Rule]:
        return [
            {**rule, "args": [{**rule["args"][0], **values}, *rule["args"][1:]]} if rule["names"] == [name] else rule
            for rule in old
        ]

    return changed(profile, change)


def also(profile: str, name: str, **values: Any) -> str:
    """Return the profile with one more rule for `name`, like its own but for its first condition."""
    like = next(rule for rule in rules(profile) if rule["names"] == [name])
    more = {**like, "args": [{**like["args"][0], **values}, *like["args"][1:]]}
    return changed(profile, lambda old: [*old, more])

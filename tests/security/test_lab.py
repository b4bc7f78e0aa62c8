"""The range itself: each of its checks fails where it should, else no attack would prove anything."""

from __future__ import annotations

import json
import threading

import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.lab import Lab
from toolwright.attacks.sabotage import Layer

pytestmark = pytest.mark.security


@pytest.mark.parametrize(
    "place", ["return s", "print(s)", "raise ValueError(s)", "import sys\n    sys.stderr.write(s)"]
)
def test_planted_secret_is_found_wherever_it_comes_out(lab: Lab, place: str) -> None:
    """The leak oracle sees a secret in a result, in either output and in an error."""
    arguments = json.dumps({"s": lab.canaries.earlier_argument})
    execution = lab.execute(f"def f(s):\n    {place}", arguments_json=arguments)

    with pytest.raises(AssertionError, match=r"leaked: .*an earlier call's argument"):
        lab.check_leaks(execution)


def test_canaries_are_where_they_are_said_to_be(lab: Lab) -> None:
    """The planted secrets are different, and in place."""
    canaries = lab.canaries
    values = {canaries.server_variable, canaries.earlier_argument, canaries.neighbours_source, canaries.host_file.name}

    assert len(values) == 4
    assert canaries.host_file.read_text(encoding="ascii") == canaries.host_file.name


def test_process_that_is_left_is_seen(lab: Lab) -> None:
    """The view from outside sees processes and files that are in a container beside the agent."""
    container = lab.benign().provenance.container_id
    agent = lab.agent(container)
    code = "import time\ndef f():\n    open('left', 'x').close()\n    time.sleep(1.6)"
    call = threading.Thread(target=lab.execute, args=(code,))
    call.start()
    try:
        with pytest.raises(AssertionError, match=r"left in container .*: 1 processes, files \['/\d+', '/\d+/left'\]"):
            lab.check_container(container, agent)
    finally:
        call.join()
    lab.check_container(container, agent)


def test_nothing_is_fired_without_limits(lab: Lab, sabotage: Sabotage) -> None:
    """A destructive case is not fired where the engine does not say that the limits are on."""
    with sabotage(Layer.READ_ONLY | Layer.NETWORK) as weak, pytest.raises(AssertionError) as refused:
        lab.require_limits(weak.container_id)

    assert "nothing was fired: ['no network', 'read-only']" in str(refused.value)

"""A server process to be killed: opens a pool, calls once, says which containers it has, and hangs in a call."""

from __future__ import annotations

import json
import sys

from tests.integration.sandbox.helpers import FINE, KEY, SLEEP, call, run
from toolwright.images.recipe import images_root
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import find_engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize


def main() -> None:
    """Serve until killed."""
    policy = SandboxPolicy(sys.argv[1], load_seccomp_profile(images_root()))
    pool = open_pool(find_engine(), policy, PoolSize(ready=2, most=4))
    used, _ = run(pool, call(FINE))
    while pool.counts()["blank"] < 2:
        pass
    blank = [one.info.container_id for one in pool._state.stock.blank]
    with pool.lease(KEY, timeout_s=10, cancellation=Cancellation()) as lease:
        sys.stdout.write(json.dumps({"owner": owner_label(), "used": used, "blank": blank}) + "\n")
        sys.stdout.flush()
        lease.sandbox.run(call(SLEEP, seconds=50), Cancellation())


if __name__ == "__main__":
    main()

"""A server as `toolwright serve` puts it together, but for its sandboxes, which are scripted: no engine is needed.

python -m tests.fuzz.server_program STATE_DIRECTORY   says its address on stdout; ends when its stdin does
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

from tests.fuzz.server import UNHARMED
from toolwright.registry.signing import Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.testing import ScriptedPool
from toolwright.server.parts import open_parts
from toolwright.services.endpoint import Endpoint
from toolwright.services.log import configure_logs
from toolwright.settings import Settings


def main() -> None:
    """Serve until stdin ends."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    configure_logs()
    settings = Settings.model_validate({"state_dir": Path(sys.argv[1]), "models": {"offline": True}})
    pool = ScriptedPool({"add": lambda arguments, _call, _cancellation: arguments})
    with open_parts(settings, pool) as parts:
        signer = Signer.open(settings.signing_key)
        # Requests made at random hold back and retire `add`; the other one shows that the server serves.
        for name in ("add", UNHARMED):
            version = replace(sample_version(), name=name)
            record = signed_record(signer, pool.info.image_digest, version, f"v-{name}")
            parts.store.admit(version, record, sample_task(name))
        endpoint = Endpoint(parts, grpc_settings=settings.grpc, reflect=True)
        address = endpoint.listen("127.0.0.1:0")
        endpoint.ready()
        sys.stdout.write(json.dumps({"address": address}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        endpoint.drain(1.0)


if __name__ == "__main__":
    main()

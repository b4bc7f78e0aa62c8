"""The program inside a sandbox: relays frames, forks a process for each call, cleans up after it.

Standard library only. Three kinds of process, each with one job:

* the relay (PID 1, `relay.py`) moves bytes between the controller and a call; it never forks once it
  has read its first frame, so no payload is ever in memory that a later call inherits;
* the zygote (`zygote.py`) never sees a payload; it forks a call and waits for its end;
* a call (`child.py`) gives up every right, then reads its payload, runs it, and ends.
"""

PROTOCOL_VERSION = 1

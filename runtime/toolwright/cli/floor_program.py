"""The bare floor: fork, sort ten words, answer through a pipe as JSON.

A program of its own, started as `python -I -S floor_program.py ROUNDS`. It imports as little as it can, so that
the process that forks is as small as one can be.
"""

import json
import os
import sys
import time

_WORDS = ["quilt", "anvil", "ferret", "tulip", "kettle", "walnut", "ember", "otter", "dew", "hinge"]


def one_round() -> float:
    """Return the milliseconds that one fork with an answer through a pipe takes."""
    started = time.perf_counter()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(sorted(_WORDS)).encode())
        os._exit(0)
    os.close(writer)
    answer = b""
    while chunk := os.read(reader, 65_536):
        answer += chunk
    os.close(reader)
    os.waitpid(child, 0)
    if json.loads(answer) != sorted(_WORDS):
        raise SystemExit("the child's answer is wrong")
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    for _ in range(min(20, rounds)):
        one_round()
    json.dump([one_round() for _ in range(rounds)], sys.stdout)

"""The bare floor: fork, load a source text never seen, sort ten words, answer through a pipe as JSON.

A program of its own, started as `python -I -S floor_program.py ROUNDS`. It imports as little as it can, so that
the process that forks is as small as one can be.
"""

import json
import os
import sys
import time

# The same work as a call: loading the text is a part of it. The text is this constant, and no one else's.
_SOURCE = "def sort_words(words):\n    return sorted(words)\n# round {}\n"
_WORDS = ["quilt", "anvil", "ferret", "tulip", "kettle", "walnut", "ember", "otter", "dew", "hinge"]


def one_round(number: int) -> float:
    """Return the milliseconds that one fork with an answer through a pipe takes."""
    started = time.perf_counter()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        module: dict[str, object] = {}
        exec(compile(_SOURCE.format(number), "<floor>", "exec"), module)  # noqa: S102 - a constant of ours
        os.write(writer, json.dumps(module["sort_words"](_WORDS)).encode())  # type: ignore[operator]  # see _SOURCE
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
    for warm_up in range(min(20, rounds)):
        one_round(-warm_up)
    json.dump([one_round(number) for number in range(rounds)], sys.stdout)

"""Measures one peer, in the environment that has it: `peer_program.py MODULE IMAGE ROUNDS` writes JSON.

Each peer is used as its own documentation does, with a local image and without its set-up of an environment inside.
It imports nothing of Toolwright, so that any interpreter can run it.
"""

import asyncio
import importlib.metadata
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

_CODE = (
    'import json\nprint(json.dumps(sorted("quilt anvil ferret tulip kettle walnut ember otter dew hinge".split())))\n'
)


def checked(output: object) -> None:
    """End the program if the answer is wrong: what fails is quick."""
    text = output.decode() if isinstance(output, bytes) else str(output)
    if "walnut" not in text:
        raise SystemExit(f"the peer gave no answer: {text[:200]}")


def timed(once: Callable[[str], object], rounds: int) -> list[float]:
    """Return the milliseconds of a first call and `rounds` more; the source differs each time."""
    times = []
    for number in range(rounds + 1):
        started = time.perf_counter()
        checked(once(f"{_CODE}# {number}\n"))
        times.append(1000 * (time.perf_counter() - started))
    return times


def llm_sandbox(image: str, rounds: int) -> list[float]:
    """One session, a run for each call."""
    session_of: Any = importlib.import_module("llm_sandbox").SandboxSession
    with session_of(lang="python", image=image, skip_environment_setup=True) as session:
        return timed(lambda code: session.run(code).stdout, rounds)


def epicbox(image: str, rounds: int) -> list[float]:
    """A container for each call: it has no other way."""
    box: Any = importlib.import_module("epicbox")
    box.configure(profiles=[box.Profile("python", image)])

    def once(code: str) -> object:
        files = [{"name": "main.py", "content": code.encode()}]
        return box.run("python", "python3 main.py", files=files, limits={"cputime": 5, "memory": 256})["stdout"]

    return timed(once, rounds)


def autogen_ext(image: str, rounds: int) -> list[float]:
    """One executor, a block of code for each call."""
    code_block: Any = importlib.import_module("autogen_core.code_executor").CodeBlock
    token: Any = importlib.import_module("autogen_core").CancellationToken
    executor_of: Any = importlib.import_module("autogen_ext.code_executors.docker").DockerCommandLineCodeExecutor

    async def run() -> list[float]:
        with tempfile.TemporaryDirectory() as directory:
            async with executor_of(image=image, work_dir=directory) as executor:
                times = []
                for number in range(rounds + 1):
                    block = code_block(code=f"{_CODE}# {number}\n", language="python")
                    started = time.perf_counter()
                    result = await executor.execute_code_blocks([block], token())
                    times.append(1000 * (time.perf_counter() - started))
                    checked(result.output)
                return times

    return asyncio.run(run())


PEERS: dict[str, tuple[str, Callable[[str, int], list[float]]]] = {
    "llm_sandbox": ("llm-sandbox", llm_sandbox),
    "epicbox": ("epicbox", epicbox),
    "autogen_ext": ("autogen-ext", autogen_ext),
}


def main(module: str, image: str, rounds: int) -> None:
    """Measure the peer whose module that is, if it is installed."""
    distribution, measure = PEERS[module]
    times: list[float] = []
    try:
        version: str | None = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        version = None
    else:
        times = measure(image, rounds)
    sys.stdout.write("\n" + json.dumps({"version": version, "times": times}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

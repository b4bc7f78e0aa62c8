"""Models behind OpenAI-compatible servers that nobody here wrote: llama.cpp's, and the LiteLLM proxy.

llama.cpp runs a tiny model of random weights, so what is shown is the protocol: that requests are taken, that what
comes back is read, that each fault is named, and that nonsense is handled. The proxy stands between the loop and the
offline model, so that the whole loop is seen to work through it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Command
from toolwright.domain.record import Role
from toolwright.errors import ModelContextExceeded, ModelRejected, ModelReplyInvalid, ModelUnavailable
from toolwright.execution.arguments import check_arguments
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.llm.features import Feature
from toolwright.llm.learned import MISSES, Learned, Place
from toolwright.llm.shaped import shape
from toolwright.llm.testing import ChatEndpoint
from toolwright.server.model_stack import open_stack
from toolwright.server.shared import Shared
from toolwright.settings import EndpointSettings

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).with_name("third_party")
TASK = ROOT / "docs" / "examples" / "sort_words.toml"
KEY = "sk-of-these-tests-1234"
_START_S = 90.0

ASK = [Message("system", "Be quick."), Message("user", "How many apples?")]
SCHEMA = {
    "type": "object",
    "properties": {"ripe": {"type": "boolean"}, "kind": {"type": "string", "enum": ["apple", "pear"]}},
    "required": ["ripe", "kind"],
    "additionalProperties": False,
}
COUNT = FunctionSpec("count", "Counts fruit.", SCHEMA)
Open = Callable[..., ChatModel]


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python that has the servers."""
    made = subprocess.run(
        [str(ROOT / "scripts" / "third_party_servers.sh")], capture_output=True, text=True, check=False, timeout=500
    )
    if made.returncode:
        pytest.skip(f"NOT PROVEN against servers of others: {made.stderr.strip()[-800:]}")
    return Path(made.stdout.strip())


@contextmanager
def served(port: int, path: str, command: list[str], log: Path) -> Iterator[str]:
    """Run a server until the end, and give its base URL once `path` answers."""
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}{path}", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def llama(python: Path, directory: Path, template: str) -> Iterator[str]:
    """Run llama.cpp's server with a tiny model that has this template."""
    model, port = directory / "tiny.gguf", _free_port()
    subprocess.run([str(python), str(HERE / "tiny_model.py"), str(model), str(HERE / template)], check=True, timeout=60)
    command = [str(python), str(HERE / "llama_server.py"), str(model), str(port), KEY]
    with served(port, "/health", command, directory / "llama.log") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def plain_llama(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """llama.cpp with a model whose template knows no functions: it takes them and ignores them."""
    with llama(python, tmp_path_factory.mktemp("plain"), "plain.jinja") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def upstream() -> Iterator[ChatEndpoint]:
    """What the proxy passes requests to: the offline model."""
    with ChatEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def proxy(python: Path, upstream: ChatEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The LiteLLM proxy, with canned replies of its own and the offline model behind it."""
    directory, port = tmp_path_factory.mktemp("proxy"), _free_port()
    canned = {
        "canned": "Seven.",
        "limited": "litellm.RateLimitError",
        "broken": "litellm.InternalServerError",
        "too-long": "litellm.ContextWindowExceededError",
    }
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none", "mock_response": reply}}
        for name, reply in canned.items()
    ]
    models += [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_key": "none", "api_base": upstream.base_url},
        }
        for name in ("offline-maker", "offline-user", "offline-dispatcher")
    ]
    settings = {"general_settings": {"master_key": KEY}, "litellm_settings": {"num_retries": 0, "telemetry": False}}
    config = directory / "proxy.yaml"
    config.write_text(json.dumps({"model_list": models, **settings}), encoding="utf-8")  # JSON is YAML
    litellm = python.with_name("litellm")
    command = [str(litellm), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with served(port, "/health/liveliness", command, directory / "proxy.log") as base_url:
        yield base_url


@pytest.fixture
def learned() -> Learned:
    """What is known of endpoints: nothing."""
    return Learned()


@pytest.fixture
def open_model(learned: Learned) -> Iterator[Open]:
    """Open models as a server does, with all layers."""
    stacks = []

    def run(base_url: str, model: str = "tiny", *, key: str = KEY, **options: object) -> ChatModel:
        values = {"base_url": base_url, "api_key": key, "model": model, "max_retries": 1, "timeout_s": 30, **options}
        settings = EndpointSettings.model_validate(values)
        stacks.append(open_stack(Role.USER, [settings], Shared(learned)))
        return stacks[-1].model

    yield run
    for stack in stacks:
        stack.close()


def said(model: ChatModel, *functions: FunctionSpec) -> Reply | None:
    """Ask; None where the random model's reply is empty, or ended before it said anything."""
    try:
        return model.complete(ASK, functions=functions, required=bool(functions))
    except ModelReplyInvalid:
        return None


@pytest.mark.parametrize("stream", [False, True])
def test_llama_answers_with_text_and_counts(plain_llama: str, open_model: Open, *, stream: bool) -> None:
    """All that is sent is taken, and what comes back is read, in one piece and streamed."""
    options = {"temperature": 0.7, "max_completion_tokens": 16, "reasoning_effort": "low", "stream": stream}
    replies = [said(open_model(plain_llama, **options)) for _ in range(5)]

    whole = [reply for reply in replies if reply is not None]
    assert whole
    assert all(reply.prompt_tokens > 20 and 0 < reply.completion_tokens <= 16 for reply in whole)


@pytest.mark.parametrize("stream", [False, True])
def test_llama_keeps_to_the_form_of_a_reply(plain_llama: str, open_model: Open, *, stream: bool) -> None:
    """Structured output is in force there: a reply of random weights fits the schema, if it comes to its end."""
    model = open_model(plain_llama, stream=stream)
    replies = [model.complete(ASK, functions=[shape("fruit", "A fruit.", SCHEMA)]) for _ in range(12)]

    whole = [reply for reply in replies if reply.finish_reason == "stop"]
    assert whole
    for reply in whole:
        check_arguments(SCHEMA, reply.calls[0].arguments_json)


def test_llama_that_ignores_functions_is_asked_in_text(plain_llama: str, open_model: Open, learned: Learned) -> None:
    """It is found out by its replies, and nonsense in text is no call either."""
    model, place = open_model(plain_llama), Place(plain_llama, "tiny")
    for _ in range(10 * MISSES):
        reply = said(model, COUNT)
        assert reply is None or not reply.calls
        if learned.lacks(place, Feature.TOOLS):
            break
    assert learned.lacks(place, Feature.TOOLS)

    for _ in range(3):
        reply = said(model, COUNT)
        assert reply is None or not reply.calls


def test_llama_names_its_faults(plain_llama: str, open_model: Open) -> None:
    """Key and length of the prompt."""
    with pytest.raises(ModelRejected, match="HTTP 401") as rejected:
        open_model(plain_llama, key="sk-another-key-5678").complete(ASK)
    assert "5678" not in str(rejected.value)

    with pytest.raises(ModelContextExceeded, match="exceeds the available context size"):
        open_model(plain_llama).complete([Message("user", "word " * 4_000)])


def test_llama_that_fails_on_functions_is_asked_in_text(
    python: Path, tmp_path: Path, open_model: Open, learned: Learned
) -> None:
    """With a template that knows functions this server refuses to require a call of these tokens, and says not why."""
    with llama(python, tmp_path, "functions.jinja") as base_url:
        model = open_model(base_url)
        replies = [said(model, COUNT) for _ in range(2 * MISSES + 6)]

    assert all(reply is None or not reply.calls or reply.calls[0].name == "count" for reply in replies)
    called = any(reply is not None and reply.calls for reply in replies)
    assert called or learned.lacks(Place(base_url, "tiny"), Feature.TOOLS)


def test_a_model_of_nonsense_makes_no_tool(plain_llama: str, toolwright: Command, tmp_path: Path) -> None:
    """Every attempt is refused with its reason, the budget ends, nothing is kept, and it is no fault of ours."""
    made = toolwright(
        "make", TASK, "--json", "--state-dir", tmp_path / "state", "--attempts", "3", **_configured(plain_llama, "tiny")
    )

    document = json.loads(made.stdout)
    if made.returncode == 3:  # a reply of nothing at all, twice in a row
        assert document["error"]["reason"] == "MODEL_REPLY_INVALID"
    else:
        assert (made.returncode, document["status"]) == (1, "NOT_MADE"), made.stderr
    assert KEY not in made.stdout + made.stderr


@pytest.mark.parametrize("stream", [False, True])
def test_proxy_passes_a_reply_on(proxy: str, open_model: Open, *, stream: bool) -> None:
    """In one piece and streamed, with what was counted."""
    reply = open_model(proxy, "canned", stream=stream, temperature=0.2).complete(ASK)

    assert (reply.text, reply.finish_reason) == ("Seven.", "stop")
    assert reply.prompt_tokens > 0


def test_proxy_names_its_faults(proxy: str, open_model: Open) -> None:
    """Each of its words for them is known: quota, own fault, length, model, key."""
    with pytest.raises(ModelUnavailable, match="HTTP 429 in 2 tries"):
        open_model(proxy, "limited").complete(ASK)
    with pytest.raises(ModelUnavailable, match="HTTP 500"):
        open_model(proxy, "broken").complete(ASK)
    with pytest.raises(ModelContextExceeded):
        open_model(proxy, "too-long").complete(ASK)
    with pytest.raises(ModelRejected, match="Invalid model name"):
        open_model(proxy, "nobody").complete(ASK)
    with pytest.raises(ModelRejected) as rejected:
        open_model(proxy, "canned", key="sk-another-key-5678").complete(ASK)
    assert "5678" not in str(rejected.value)


def test_the_whole_loop_through_the_proxy(
    proxy: str, upstream: ChatEndpoint, toolwright: Command, tmp_path: Path
) -> None:
    """A tool is made and then answers: functions, forced calls and repair turns pass through a server of others."""
    state = tmp_path / "state"
    common = ("--json", "--state-dir", state)
    environment = _configured(proxy, "offline-user")
    environment["TOOLWRIGHT_MODELS__MAKER__MODEL"] = "offline-maker"
    environment["TOOLWRIGHT_MODELS__DISPATCHER__MODEL"] = "offline-dispatcher"

    made = toolwright("make", TASK, *common, **environment)
    assert made.returncode == 0, made.stderr
    question = "Sort the following words alphabetically: List: pear apple fig"
    asked = toolwright("ask", question, *common, **environment)

    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert json.loads(asked.stdout)["answer"] == "apple fig pear"
    assert any("tools" in received.body for received in upstream.requests)
    assert all(KEY not in json.dumps(dict(received.headers)) for received in upstream.requests)


def _configured(base_url: str, model: str) -> dict[str, str]:
    return {
        "TOOLWRIGHT_MODELS__DEFAULT__BASE_URL": base_url,
        "TOOLWRIGHT_MODELS__DEFAULT__API_KEY": KEY,
        "TOOLWRIGHT_MODELS__DEFAULT__MODEL": model,
    }

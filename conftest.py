"""Shared by every test: no socket beyond this machine, Hypothesis profiles, code in documents."""

from __future__ import annotations

import gc
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from ipaddress import ip_address
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

# No clock decides: neither a deadline nor how long it takes to draw an example.
PLAIN = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("dev", PLAIN, max_examples=50)
hypothesis.settings.register_profile("brief", PLAIN, max_examples=50, derandomize=True)
hypothesis.settings.register_profile("ci", PLAIN, max_examples=100, derandomize=True)
hypothesis.settings.register_profile("full", PLAIN, max_examples=5_000)
hypothesis.settings.register_profile("release", PLAIN, max_examples=40_000)  # of one test at a time
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)
if hypothesis.settings.default.derandomize:
    # Constants of the modules loaded so far are drawn too: other examples in another order of tests.
    providers._get_local_constants = lambda: providers._local_constants

FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE
WIDTH = "100"  # of the tables that documents show


def run_console(example: Example) -> str | None:
    """Run the ketafind commands of a console block; what it shows of their output must be so."""
    for block in re.split(r"(?m)^\$ ", example.parsed)[1:]:
        command, _, wanted = block.partition("\n")
        command = command.removeprefix("python -m pip install . && ")
        if not command.startswith(("ketafind ", "python -m ketafind ")):
            continue
        arguments = shlex.split(command.removeprefix("python -m "))[1:]
        done = subprocess.run(
            [sys.executable, "-m", "ketafind", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # in one stream, as a terminal shows them
            encoding="utf-8",
            env=os.environ | {"PYTHONUTF8": "1"},
            check=False,
        )
        got = done.stdout
        if wanted.strip() and not OutputChecker().check_output(wanted, got, FLAGS):
            return f"$ {command}\nexpected:\n{wanted}\ngot:\n{got}"
        if done.returncode and not wanted.strip():
            return f"$ {command}\nexit code {done.returncode}:\n{got}"
    return None


class PythonBlockParser(PythonCodeBlockParser):
    """Python in documents: what a block shows must be so, and the tests it defines must pass."""

    def __init__(self, doctest_optionflags: int = 0) -> None:
        super().__init__(doctest_optionflags=doctest_optionflags)
        self.codeblock_parser = CodeBlockParser(language="python", evaluator=self.run)

    @staticmethod
    def run(example: Example) -> None:
        PythonEvaluator()(example)
        for name in re.findall(r"(?m)^def (test_\w+)", example.parsed):
            example.namespace[name]()


collect_ignore = ["docs/conf.py"]  # it asks for the installed package
pytest_collect_file = Sybil(
    parsers=[
        PythonBlockParser(doctest_optionflags=FLAGS),
        CodeBlockParser(language="console", evaluator=run_console),
        SkipParser(),
    ],
    patterns=["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md"],
    setup=lambda _: os.environ.update(COLUMNS=WIDTH),
    teardown=lambda _: os.environ.pop("COLUMNS"),
).pytest()


class SocketBlockedError(AssertionError):
    """A test reached for a socket it may not use."""


class _Sockets:
    """An audit hook that refuses what is not allowed; it cannot be patched away."""

    network = False
    none_at_all = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not event.startswith("socket.") or self.network:
            return
        if self.none_at_all:
            raise SocketBlockedError(f"{event}: no socket may be used here")
        host = _host(event, args)
        if host is not None and not _is_loopback(host):
            raise SocketBlockedError(f"{event}: only loopback may be used in tests")


def _host(event: str, args: tuple[Any, ...]) -> Any:
    """The host that an audit event reaches for, or None."""
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        return args[0]
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        reached, address = args[:2]
        internet = reached.family in {socket.AF_INET, socket.AF_INET6}
        return address[0] if internet and isinstance(address, tuple) else None
    return None


def _is_loopback(host: str | bytes) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    if text in {"", "localhost"}:
        return True
    try:
        return ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


_sockets = _Sockets()
sys.addaudithook(_sockets)


@pytest.fixture
def no_sockets() -> Iterator[None]:
    """Refuse every use of a socket, loopback too, while the test runs."""
    _sockets.none_at_all = True
    yield
    _sockets.none_at_all = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--network", action="store_true", help="run tests marked network as well")
    parser.addoption("--canary", action="store_true", help="read all logs for places, at DEBUG")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--canary"):
        from canary import WholeSuite

        config.pluginmanager.register(WholeSuite())


def pytest_collection_finish() -> None:
    """What is loaded now stays: whoever collects garbage has a tenth of the objects to look at."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    marked = item.get_closest_marker("network") is not None
    if marked and not item.config.getoption("--network"):
        pytest.skip("talks to another machine: run with --network")
    _sockets.network = marked


def pytest_runtest_teardown() -> None:
    _sockets.network = False

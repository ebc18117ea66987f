"""The list of networks: what each record promises, and a third network that everything takes up."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.network import Network
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.cli import main, record, replay
from hermes_hardened_adapters.common.core.events import Address, Chat, Inbound
from hermes_hardened_adapters.common.host.profile import state_file
from hermes_hardened_adapters.common.host.setup import load_setup
from hermes_hardened_adapters.common.recording.playback import Faults, fault_of
from hermes_hardened_adapters.common.state.store import Store
from hermes_hardened_adapters.common.state.trace import Trace

from settings_tables import pages, rewritten, table
from tests import test_docs
from tests.recordings import arguments, captured_console, interrupted, names
from tests.toy_network.network import NETWORK as TOY
from tests.toy_network.server import ToyServer, prepare

ROOT = Path(__file__).parent.parent

# -- each record


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_record_agrees_with_the_settings(network: Network[Any]) -> None:
    model = network.settings()
    required = {name for name, info in model.model_fields.items() if info.is_required()}
    assert model.stock is network.stock
    assert set(network.stock.connecting) == required
    assert network.stock.connecting.items() <= model.environment_names().items()
    assert set(network.exported) <= set(model.model_fields)
    assert network.stock.secrets <= required


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_record_names_the_adapter_of_its_platform(network: Network[Any]) -> None:
    assert NETWORKS[network.name] is network
    adapter = network.adapter()
    assert {f"{base.__module__}:{base.__name__}" for base in adapter.__mro__[1:]} & set(network.stock.places)


def test_an_id_of_a_chat_belongs_to_one_network() -> None:
    ids = {"signal": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "mattermost": "muqt1b4m93gydrwz6eqdui8wiw"}
    for name, chat_id in ids.items():
        assert [network.name for network in NETWORKS.values() if network.is_chat_id(chat_id)] == [name]


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_fault_is_described_under_its_kind(network: Network[Any]) -> None:
    assert all(text.startswith(f"{kind}:") for kind, text in network.faults.items())
    for kind in network.faults:
        assert fault_of(f"{kind}:1", network.faults).kind == kind


def test_no_code_outside_of_a_networks_package_knows_its_name() -> None:
    paths = [*ROOT.glob("adapters/*.py"), *ROOT.glob("cli/**/*.py"), *ROOT.glob("common/**/*.py")]
    assert len(paths) > 50
    named = [path for path in paths for name in NETWORKS if f'"{name}"' in path.read_text()]
    assert named == []


def test_the_list_is_read_without_the_networks_libraries() -> None:
    heavy = ("pydantic", "aiohttp", "aiohttp_sse_client", "mattermostdriver", "rich", "gateway")
    probe = f"import sys, hermes_hardened_adapters.adapters.networks\nprint([m for m in {heavy!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-P", "-c", probe], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]"


# -- a third network


@pytest.fixture
def toy(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network[Any]]:
    """The toy network, listed and loaded by Hermes."""
    from gateway.platform_registry import platform_registry
    from hermes_cli.plugins import discover_plugins

    monkeypatch.setitem(NETWORKS, TOY.name, TOY)
    discover_plugins(force=True)
    yield TOY
    platform_registry.unregister(TOY.name)


@pytest.fixture
async def server(toy: Network[Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ToyServer]:
    """A toy server that the environment points to."""
    server = ToyServer()
    await server.start()
    monkeypatch.setenv("TOY_ADDRESS", server.url)
    monkeypatch.setenv("TOY_PASSWORD", "not to be seen")
    yield server
    await server.stop()


async def ran(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, Any]:
    """The exit status of a command and its JSON."""
    capsys.readouterr()
    status = await asyncio.to_thread(main.main, [*command, "--json"])
    return status, json.loads(capsys.readouterr().out)


async def test_hermes_registers_it(server: ToyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.platform_registry import platform_registry

    entry = platform_registry.get("toy")
    assert (entry.label, entry.plugin_name) == ("Toy", "hardened-adapters")
    assert (entry.allowed_users_env, entry.cron_deliver_env_var) == ("TOY_ALLOWED_USERS", "TOY_HOME_CHANNEL")
    assert entry.required_env == ["TOY_ADDRESS", "TOY_PASSWORD"]
    assert set(load_setup(NETWORKS).extras) == {"toy"}
    monkeypatch.delenv("TOY_PASSWORD")
    assert not load_setup(NETWORKS).extras


async def test_strict_mode_hands_over_everything_but_the_secret(
    toy: Network[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARDENED_TOY_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("HARDENED_TOY_PASSWORD", "not to be seen")
    setup = load_setup(NETWORKS)
    assert setup.extras["toy"]["address"] == "127.0.0.1:9"
    assert "not to be seen" not in str(setup.extras)
    assert toy.load(setup).password == "not to be seen"


def test_keys_of_the_configuration_file_arrive(
    toy: Network[Any], hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_ALLOWED_USERS", "")
    blocks = {"plugins": {"enabled": ["hardened-adapters"]}, "toy": {"address": "127.0.0.1:9", "rooms": ["#den"]}}
    (hermes_home / "config.yaml").write_text(json.dumps(blocks))
    monkeypatch.setenv("TOY_PASSWORD", "any")
    setup = load_setup(NETWORKS)
    assert toy.load(setup).rooms == ("#den",)


async def test_the_doctor_examines_it(server: ToyServer, capsys: pytest.CaptureFixture[str]) -> None:
    status, findings = await ran(capsys, "doctor", "--network", "toy")
    found = {finding["check"]: finding["status"] for finding in findings if finding["check"].startswith("toy.")}
    assert found == {"toy.strict": "advice", "toy.server": "ok"}
    assert status == 1  # Hermes has no adapter of that name to build on
    contract = [finding["what"] for finding in findings if finding["check"] == "hermes.contract"]
    assert [("toy_platform" in what) for what in contract] == [False, False, True]
    # The doctor ran in a thread, and was gone before the server saw it.
    await asyncio.wait_for(server.arrived.wait(), 60)
    await server.stop()
    _, findings = await ran(capsys, "doctor", "--network", "toy")
    (broken,) = [finding for finding in findings if finding["check"] == "toy.server"]
    assert broken["status"] == "failed"


async def test_its_rooms_are_listed_approved_and_revoked(
    server: ToyServer, hermes_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(hermes_home):
        pass
    _, (row,) = await ran(capsys, "groups", "list")
    assert (row["network"], row["id"], row["name"], row["served"]) == ("toy", "#den", "The den", False)
    assert await asyncio.to_thread(main.main, ["groups", "approve", "#den"]) == 0
    assert "toy #den: granted" in capsys.readouterr().out
    _, (row,) = await ran(capsys, "groups", "list")
    assert row["served"]
    assert await asyncio.to_thread(main.main, ["groups", "revoke", "#den"]) == 0
    _, (row,) = await ran(capsys, "groups", "list")
    assert not row["served"]


async def test_its_status_is_shown(server: ToyServer, hermes_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with opened(hermes_home):
        pass
    status, (row,) = await ran(capsys, "status")
    assert (status, row) == (1, {"network": "toy", "fault": "has never been connected"})


async def test_without_a_configuration_status_names_every_network(
    toy: Network[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main.main, ["status"]) == 2
    assert "neither Signal nor Mattermost nor Toy is configured" in capsys.readouterr().err


async def test_the_trace_finds_people_by_its_aliases(
    toy: Network[Any], hermes_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(hermes_home) as store:
        trace = Trace(store, "toy", lambda: 1000.0)
        for key, who in (("1", "toy/alice"), ("2", "toy/bob")):
            trace.noted(Inbound(key, key, 17, Chat("#den"), Address(who, None)), "invitation", "approved")
        await store.flush()
    capsys.readouterr()
    assert await asyncio.to_thread(main.main, ["trace", "--network", "toy", "--who", "alice", "--json"]) == 0
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["1"]


def opened(home: Path) -> Opened:
    return Opened(state_file(home))


class Opened:
    """A state file, open for a while."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path)

    async def __aenter__(self) -> Store:
        await self._store.open()
        return self._store

    async def __aexit__(self, *exc: object) -> None:
        await self._store.close()


async def test_a_recording_of_it_is_written(server: ToyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console, _ = captured_console()
    chosen = arguments("record", "toy", "--for", "1h", "--out", tmp_path / "out")
    (tmp_path / "out").mkdir()
    running = asyncio.create_task(record.record(chosen, load_setup(NETWORKS), "case", console))
    await asyncio.wait_for(server.arrived.wait(), 5)
    server.clients[0].write(b'{"text":"a secret","who":"alice"}\n')
    await asyncio.sleep(0.2)
    assert await interrupted(running) == 0
    assert names(tmp_path / "out") == {"case.toy"}
    written = (tmp_path / "out" / "case.toy").read_text()
    assert json.loads(written)["text"] == "x xxxxxx"
    assert "alice" not in written


async def test_a_recording_of_it_is_replayed(toy: Network[Any], tmp_path: Path) -> None:
    (tmp_path / "case.toy").write_text('{"number":1}\n{"number":2}\n')
    console, output = captured_console()
    chosen = arguments("replay", "toy", tmp_path, "--fault", "twice:1", "--exit-when-done")
    serving = asyncio.create_task(replay.serve(chosen, console))
    while "TOY_PASSWORD" not in output.getvalue():
        await asyncio.sleep(0.01)
    address = output.getvalue().split()[0].partition("=")[2]
    reader, writer = await asyncio.open_connection(*address.split(":"))
    assert [json.loads(await reader.readline())["number"] for _ in range(3)] == [1, 1, 2]
    writer.close()
    assert await asyncio.wait_for(serving, 10) == 0
    assert prepare(tmp_path, Faults(()), None).events == 2


@pytest.mark.parametrize("command", ["record", "replay"])
def test_the_choices_follow_the_list(command: str, capsys: pytest.CaptureFixture[str], request: Any) -> None:
    needed = {"record": ["--for", "1s", "--out", "x"], "replay": ["x"]}[command]
    with pytest.raises(SystemExit):
        arguments(command, "toy", *needed)
    capsys.readouterr()
    request.getfixturevalue("toy")
    assert arguments(command, "toy", *needed).network == "toy"
    parser = argparse.ArgumentParser()
    main.add_commands(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["replay", "--help"])
    assert "Toy: twice:N" in " ".join(capsys.readouterr().out.split())


def test_the_settings_tables_and_the_docs_test_take_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "toy" not in pages()
    monkeypatch.setitem(NETWORKS, TOY.name, TOY)
    models = pages()
    assert list(models) == ["signal", "mattermost", "toy"]
    assert "| `TOY_ADDRESS` | `address` | required | text | Host and port of the server. |" in table(
        models["toy"], "toy"
    )
    assert "`TOY_ROOMS`" in rewritten("toy", "# Toy\n<!-- settings --><!-- /settings -->")
    test_docs.test_every_setting_stands_in_its_table_with_its_name_and_meaning("toy", models["toy"])
    assert test_docs.made_up("Set TOY_ADDRESS and TOY_PASSWORDS.", models) == {"TOY_PASSWORDS"}

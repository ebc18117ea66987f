"""One account in two profiles of a real gateway: the first answers once, the second is refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.fakes.echo_model import EchoModel
from tests.fakes.signal_daemon import ACCOUNT, ALICE, FakeSignalDaemon
from tests.gateway_process import GatewayProcess, gateway_config, signal_env
from tests.scene_signal import ALICE_A, variant

ACCOUNTS = "hermes.accounts"
REFUSED = "signal_account_taken"
NAMED = "the profile default of this gateway has this account already"


def refused_in(home: Path) -> bool:
    """Return True if the host's state file shows a platform that was refused, with the profile that has its account."""
    try:
        platforms = json.loads((home / "gateway_state.json").read_text())["platforms"]
    except (OSError, KeyError, ValueError):
        return False
    shown = {state.get("error_code"): str(state.get("error_message")) for state in platforms.values()}
    return NAMED in shown.get(REFUSED, "")


def answers(daemon: FakeSignalDaemon) -> list[str]:
    """Return the numbers of the requests that were answered, in the order of the answers."""
    said = (re.search(r"echo: hello (\d)", str(params["message"])) for params in daemon.called("send"))
    return [found[1] for found in said if found]


async def test_the_second_profile_is_refused_and_the_first_answers_once(
    tmp_path: Path, daemon: FakeSignalDaemon
) -> None:
    other = tmp_path / "profiles" / "other"
    other.mkdir(parents=True)
    settings = signal_env(daemon.url, ACCOUNT, users=ALICE)
    async with EchoModel() as model:
        for home in (tmp_path, other):
            (home / ".env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (other / "config.yaml").write_text(json.dumps(gateway_config(model.base_url, plugin=True)))
        config = {"gateway": {"multiplex_profiles": True}, "display": {"busy_input_mode": "queue"}}
        # Not a platform to wait for: older hosts show one state for both profiles.
        async with GatewayProcess(model.base_url, env={}, home=tmp_path, config=config, platforms=()) as running:
            await running.until(lambda: refused_in(tmp_path), "the second profile is refused")
            for number in range(3):
                await daemon.emit_event(variant("dm_text", ALICE_A, text=f"hello {number}"))
                await running.until(lambda number=number: len(answers(daemon)) > number, "an answer")
            _, report = await running.command("-p", "other", "adapters", "doctor", "--network", "signal", "--json")
        assert answers(daemon) == ["0", "1", "2"]
        assert ACCOUNT not in running.log
    found = [finding["what"] for finding in json.loads(report) if finding["check"] in {"hermes.gateway", ACCOUNTS}]
    assert found[:2] == [
        "The profiles other and default have the same signal account.",
        "The gateway of the profile default, which serves this one, is running.",
    ]
    assert "not connected to signal" in found[2]

"""`make pictures`: creates the README's picture of `doctor` and `trace` from the real commands and the real gateway."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.settings.strict import PREFIX
from rich.console import Console
from rich.text import Text

from tests import scene_signal
from tests.fakes.echo_model import EchoModel
from tests.fakes.signal_daemon import ACCOUNT, KEEPALIVE, OWN_ACI, FakeSignalDaemon, group
from tests.gateway_process import GatewayProcess
from tests.scene import play
from tests.scene_signal import ALLOTMENT, LOTTERY, SignalNetwork

PICTURE = Path(__file__).parent.parent / "docs" / "terminal.svg"
WIDTH = 118
LINES = 6
"""Number of lines of the scene to play, so that the trace has entries."""


async def main() -> None:
    """Play a part of the Signal scene, run both commands beside the gateway, and write the picture."""
    strict = {name: f"{PREFIX}{name}" for name in NETWORKS["signal"].stock.connecting.values()}
    async with scene_signal.stage() as daemon, EchoModel() as model:
        env = {strict.get(name, name): value for name, value in scene_signal.environment(daemon).items()}
        gateway = GatewayProcess(model.base_url, env=env, platforms=("signal",))
        async with gateway:
            await daemon.streams_open(1)
            lines = scene_signal.lines(daemon)[:LINES]
            await play(SignalNetwork(daemon), model, gateway, [(line,) for line in lines])
            daemon.groups.append(group(LOTTERY, name="You have won", pending=((ACCOUNT, OWN_ACI),), is_member=False))
            daemon.groups.append(group(ALLOTMENT, name="Allotment"))
            keepalives = asyncio.create_task(_keep_alive(daemon))
            await _shown(gateway, "install")
            shown = [await _shown(gateway, *command) for command in (("doctor", "--network", "signal"), ("trace",))]
            keepalives.cancel()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for text in shown:
        console.print(text)
    PICTURE.write_text(console.export_svg(title="hermes adapters", clear=False))


async def _keep_alive(daemon: FakeSignalDaemon) -> None:
    while True:
        await daemon.emit(KEEPALIVE)
        await asyncio.sleep(1)


async def _shown(gateway: GatewayProcess, *command: str) -> Text:
    """Run a command; return it with its output, in colour."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "hermes"),
        "adapters",
        *command,
        env={
            **gateway.env,
            "HOME": str(gateway.home),
            "HERMES_HOME": str(gateway.home),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "FORCE_COLOR": "1",
            "COLUMNS": str(WIDTH),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    written, _ = await process.communicate()
    prompt = Text(f"$ hermes adapters {' '.join(command)}\n", style="bold")
    return prompt + Text.from_ansi(written.decode().replace(str(gateway.home), "~/.hermes"))


if __name__ == "__main__":
    asyncio.run(main())

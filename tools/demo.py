"""`make demo`: runs the real gateway with this plugin through a scene on Signal and one on Mattermost, side by side.

A replaying daemon replaces Signal, a replaying server Mattermost, and an echo the model; everything runs on loopback.
The demo shows the outcome of every message. The exit status is not zero if a message was answered that must not be, or
the other way round.
`python tools/demo.py signal-cli` shows the real signal-cli daemon instead; `stock` plays the scenes to Hermes' stock
adapters for comparison.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import EchoModel, last_user_text
from tests.gateway_process import GatewayFailed, GatewayProcess
from tests.scene import SECRET, Outcome, play, table
from tests.scene_mattermost import MattermostNetwork
from tests.scene_signal import SignalNetwork

PLATFORMS = ("signal", "mattermost")


async def scenes(console: Console, *, plugin: bool = True) -> int:
    """Play both scenes to one gateway and show them; return the exit status."""
    began = time.monotonic()
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel() as model:
        gateway = GatewayProcess(
            model.base_url,
            env=scene_signal.environment(daemon) | scene_mattermost.environment(server),
            config=scene_mattermost.CONFIG,
            platforms=PLATFORMS,
            plugin=plugin,
        )
        (gateway.home / "notes.txt").write_text(SECRET)
        try:
            async with gateway:
                await daemon.streams_open(1)
                await server.connected()
                adapters = ", ".join(f"{name} {gateway.adapter(name)}" for name in PLATFORMS)
                console.print(f"Gateway up after {gateway.ready_after:.1f} s; adapters: {adapters}.")
                signal, mattermost = await asyncio.gather(
                    play(SignalNetwork(daemon), model, gateway, [(line,) for line in scene_signal.lines(daemon)]),
                    play(MattermostNetwork(server), model, gateway, scene_mattermost.steps(server)),
                )
        except (GatewayFailed, TimeoutError) as exc:
            console.print(Text(f"The gateway failed: {exc}", style="red"))
            return 2
    show(console, "Signal", signal)
    show(console, "Mattermost", mattermost)
    faults = [f"{outcome.line.label}: {fault}" for outcome in signal + mattermost for fault in outcome.faults]
    for fault in faults:
        console.print(Text(f"FAULT {fault}", style="red"))
    verdict = f"{len(faults)} faults" if faults else "as expected"
    console.print(f"{len(signal) + len(mattermost)} messages, {verdict}, {time.monotonic() - began:.1f} s.")
    return 1 if faults else 0


def show(console: Console, network: str, outcomes: Sequence[Outcome]) -> None:
    """Print the table of outcomes, and one complete request to the model that contains background."""
    console.print(table(f"{network}: the outcome of every message", outcomes))
    told = next((outcome for outcome in outcomes if outcome.line.background and outcome.asked), None)
    if told is not None and told.asked is not None:
        title = f'Model request of "{told.line.label}": the complete last user message'
        console.print(Panel(Text(last_user_text(told.asked)), title=title))


def main(arguments: list[str]) -> int:
    console = Console()
    if not console.is_terminal:
        console = Console(width=170, color_system=None)
    if arguments == ["signal-cli"]:
        from demo_daemon import show

        return asyncio.run(show(console))
    if arguments == ["stock"]:
        return asyncio.run(scenes(console, plugin=False))
    if arguments:
        console.print("usage: python tools/demo.py [signal-cli | stock]")
        return 2
    return asyncio.run(scenes(console))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The list of networks. To add a network, create its folder and add one line here."""

from __future__ import annotations

from typing import Any

from .mattermost.network import NETWORK as MATTERMOST
from .network import Network
from .signal.network import NETWORK as SIGNAL

NETWORKS: dict[str, Network[Any]] = {network.name: network for network in (SIGNAL, MATTERMOST)}
"""Maps the name of each Hermes platform to its network, in the order shown to operators."""

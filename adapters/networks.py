"""The one list of networks. Another network is one folder and one line here."""

from __future__ import annotations

from typing import Any

from .mattermost.network import NETWORK as MATTERMOST
from .network import Network
from .signal.network import NETWORK as SIGNAL

NETWORKS: dict[str, Network[Any]] = {network.name: network for network in (SIGNAL, MATTERMOST)}
"""By the name of Hermes' platform, in the order in which operators see them."""

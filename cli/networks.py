"""Both networks as the operator's commands see them: their settings, and their groups and channels now."""

from __future__ import annotations

from ..adapters.mattermost.invitations import live_channels
from ..adapters.mattermost.rest.client import MattermostClient
from ..adapters.mattermost.settings import MattermostSettings, is_id
from ..adapters.signal.client import SignalClient
from ..adapters.signal.invitations import live_groups
from ..adapters.signal.settings import SignalSettings, is_group_id
from ..common.core.chats import LiveChat
from ..common.core.events import Me
from ..common.core.people import as_aci, as_number
from ..common.core.policy import Policy
from ..common.host.setup import Setup
from ..common.state.identities import pairs


def policy(network: str, setup: Setup) -> Policy:
    """What the settings say about groups; raises ConfigError."""
    return _signal(setup).policy() if network == "signal" else _mattermost(setup).policy()


async def chats(network: str, setup: Setup) -> list[LiveChat]:
    """The groups or channels as the daemon or server shows them now; raises HardenedError."""
    if network == "signal":
        signal = _signal(setup)
        async with SignalClient(signal.http_url, signal.account) as daemon:
            return await live_groups(daemon, _me(signal.account, setup))
    mattermost = _mattermost(setup)
    async with MattermostClient(mattermost.url, mattermost.token, ca_file=mattermost.ca_file) as server:
        return await live_channels(server)


def network_of(chat_id: str) -> str | None:
    """Whose id has that form."""
    return "signal" if is_group_id(chat_id) else "mattermost" if is_id(chat_id) else None


def _signal(setup: Setup) -> SignalSettings:
    return SignalSettings.load(setup.extras["signal"], setup.environment)


def _mattermost(setup: Setup) -> MattermostSettings:
    return MattermostSettings.load(setup.extras["mattermost"], setup.environment)


def _me(account: str, setup: Setup) -> Me:
    if as_aci(account):
        return Me(account)
    learnt = pairs(setup.state) if setup.state.exists() else []
    return Me(next((pair.aci for pair in learnt if pair.number == account), None), as_number(account))

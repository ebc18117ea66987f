"""The stock Mattermost adapter of Hermes, the base class of ours. Imports nothing heavy."""

from ...common.settings.stock import Stock

STOCK = Stock(
    platform="mattermost",
    places=("plugins.platforms.mattermost.adapter:MattermostAdapter", "gateway.platforms.mattermost:MattermostAdapter"),
    connecting={"url": "MATTERMOST_URL", "token": "MATTERMOST_TOKEN"},
    secrets=frozenset({"token"}),
)

"""Hermes' own Mattermost adapter, which the hardened one builds on. Imports nothing heavy."""

from ...common.settings.stock import Stock

STOCK = Stock(
    platform="mattermost",
    class_name="MattermostAdapter",
    modules=("plugins.platforms.mattermost.adapter", "gateway.platforms.mattermost"),
    connecting={"url": "MATTERMOST_URL", "token": "MATTERMOST_TOKEN"},
    secrets=frozenset({"token"}),
)

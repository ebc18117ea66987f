"""The stock Mattermost adapter of Hermes, the base class of ours. Imports nothing heavy."""

from ...common.settings.stock import Stock

STOCK = Stock(
    platform="mattermost",
    class_name="MattermostAdapter",
    modules=("plugins.platforms.mattermost.adapter", "gateway.platforms.mattermost"),
    connecting={"url": "MATTERMOST_URL", "token": "MATTERMOST_TOKEN"},
    secrets=frozenset({"token"}),
)

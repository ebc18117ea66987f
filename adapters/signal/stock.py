"""The stock Signal adapter of Hermes, the base class of ours. Imports nothing heavy."""

from ...common.settings.stock import Stock

STOCK = Stock(
    platform="signal",
    places=("gateway.platforms.signal:SignalAdapter", "plugins.platforms.signal.adapter:SignalAdapter"),
    connecting={"http_url": "SIGNAL_HTTP_URL", "account": "SIGNAL_ACCOUNT"},
)

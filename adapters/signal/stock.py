"""The stock Signal adapter of Hermes, the base class of ours. Imports nothing heavy."""

from ...common.settings.stock import Stock

STOCK = Stock(
    platform="signal",
    class_name="SignalAdapter",
    modules=("gateway.platforms.signal", "plugins.platforms.signal.adapter"),
    connecting={"http_url": "SIGNAL_HTTP_URL", "account": "SIGNAL_ACCOUNT"},
)

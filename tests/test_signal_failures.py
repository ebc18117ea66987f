"""A refusal of the daemon means one thing, whichever call meets it."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.failures import http_failure
from hermes_hardened_adapters.adapters.signal.link import supervised_stream
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError

from tests.fakes.signal_daemon import ACCOUNT, RawConnection, raw_daemon

STATUSES = [
    (201, "signal_other_api"),
    (301, "signal_redirected"),
    (400, "signal_unknown_account"),
    (401, "signal_unauthorized"),
    (403, "signal_unauthorized"),
    (404, "signal_other_api"),
    (405, "signal_refused"),
    (407, "signal_unauthorized"),
    (421, "signal_host_pinned"),
    (429, ""),
    (500, ""),
    (503, ""),
]


@pytest.mark.parametrize(("status", "code"), STATUSES)
async def test_a_call_and_a_subscription_report_the_same_refusal(status: int, code: str) -> None:
    async def answers(connection: RawConnection) -> None:
        await connection.status(status)

    def unexpected(_: object) -> None:
        raise AssertionError("nothing was opened")

    async with raw_daemon(answers) as daemon, SignalClient(daemon.url, ACCOUNT) as client:
        with pytest.raises(HardenedError) as of_call:
            await client.rpc("version")
        with pytest.raises(HardenedError) as of_subscription:
            await supervised_stream(client, unexpected, unexpected).open()
        expected = http_failure(status, daemon.url)
    for met in (of_call.value, of_subscription.value):
        assert type(met) is type(expected) is (Fatal if code else ConnectionLost)
        assert str(met) == str(expected)
    if isinstance(expected, Fatal):
        assert expected.code == code


@pytest.mark.parametrize("status", [status for status, _ in STATUSES])
def test_every_refusal_has_the_form_that_the_doctor_prints(status: int) -> None:
    failure = http_failure(status, "http://daemon:8080")
    text = failure.remedy if isinstance(failure, Fatal) else str(failure)
    what, _, remedy = text.partition(": ")
    assert what
    assert remedy or status == 429

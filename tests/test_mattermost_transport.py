"""The transport under the REST client: certificates, and plain http where TLS is expected."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal

from tests.fakes.clock import Time
from tests.fakes.mattermost_server import (
    HERMES,
    TOKEN,
    FakeMattermostServer,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    crt, key = folder / "server.crt", folder / "server.key"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=digitalSignature,keyCertSign"]
    command = ["openssl", "req", *options.split(), *extensions, "-keyout", str(key), "-out", str(crt)]
    subprocess.run(command, check=True, capture_output=True)
    return crt, key


@pytest.fixture
async def tls_server(certificate: tuple[Path, Path]) -> AsyncIterator[FakeMattermostServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = FakeMattermostServer()
    await server.start(ssl_context=context)
    yield server
    await server.stop()


async def test_a_private_ca(tls_server: FakeMattermostServer, certificate: tuple[Path, Path], clock: Time) -> None:
    async with MattermostClient(tls_server.url, TOKEN, sleep=clock.sleep) as client:
        with pytest.raises(Fatal, match="MATTERMOST_CA_FILE") as caught:
            await client.me()
    assert caught.value.code == "mattermost_tls"
    assert clock.slept == []
    async with MattermostClient(tls_server.url, TOKEN, ca_file=certificate[0]) as client:
        assert (await client.me())["id"] == HERMES


@pytest.mark.parametrize("content", [None, "no PEM"])
async def test_a_ca_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    client = MattermostClient("https://127.0.0.1:1", TOKEN, ca_file=path)
    with pytest.raises(Fatal, match="MATTERMOST_CA_FILE"):
        await client.__aenter__()


async def test_no_tls_at_all(server: FakeMattermostServer, clock: Time) -> None:
    async with MattermostClient(server.url.replace("http", "https"), TOKEN, sleep=clock.sleep) as client:
        with pytest.raises(ConnectionLost, match="MATTERMOST_URL"):
            await client.me()

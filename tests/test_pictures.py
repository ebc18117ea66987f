"""Pictures by address: from public addresses, without redirects, within limits, by nobody else's session."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.outgoing.pictures import NotFetched, Picture, Pictures, is_public

from tests.fakes.picture_server import PictureServer, picture_server
from tests.outgoing import NETWORKS, PNG, Outgoing, outgoing

OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
"""In these tests the first is a public address."""


@pytest.fixture
async def server() -> AsyncIterator[PictureServer]:
    async with picture_server() as server:
        server.bodies["/cat.png"] = ("image/png", PNG)
        yield server


def pictures(*addresses: str, **limits: Any) -> Pictures:
    """What fetches in tests: every name has these addresses, one after the other look-up."""
    answers = iter([[OUTSIDE]] if not addresses else [address.split() for address in addresses])

    async def look_up(host: str, port: int) -> Sequence[str]:
        return next(answers)

    return Pictures(public=OUTSIDE.__eq__, look_up=look_up, **limits)


async def test_a_picture_is_fetched_without_anything_of_ours(server: PictureServer) -> None:
    assert await pictures().fetch(server.url("/cat.png")) == Picture(PNG, ".png")
    ((_, headers),) = server.requests
    assert not {"Authorization", "Cookie", "Referer"} & headers.keys()


@pytest.mark.parametrize(
    "address",
    [
        "http://user:secret@pictures.example:{port}/cat.png",
        "http://user@pictures.example:{port}/cat.png",
        "ftp://pictures.example:{port}/cat.png",
        "file:///etc/passwd",
        "http://127.0.0.2:{port}/cat.png",
        "http://127.1:{port}/cat.png",
        "http://2130706433:{port}/cat.png",
        "http://[::1]:{port}/cat.png",
        "http://[::ffff:127.0.0.2]:{port}/cat.png",
        "http://127.0.0.2.:{port}/cat.png",
        "http:///cat.png",
        "//pictures.example:{port}/cat.png",
        "http://pictures.example:{port}/to?http://127.0.0.1:{port}/cat.png",
        "http://pictures.example:{port}/to?/cat.png",
        "http://pictures.example:{port}/missing.png",
        "http://pictures.example:{port}/page.png",
        "http://pictures.example:{port}/drawing.svg",
        "http://pictures.example:{port}/endless.png",
        "http://pictures.example:{port}/cat.png?" + "x" * 5000,
        "http://pictures.example:99999/cat.png",
        "",
    ],
)
async def test_what_is_not_fetched(server: PictureServer, address: str) -> None:
    server.bodies |= {"/page.png": ("text/html", PNG), "/drawing.svg": ("image/svg+xml", b"<svg/>")}
    await pictures().fetch(server.url("/cat.png"))
    with pytest.raises(NotFetched):
        await pictures().fetch(address.format(port=server.port))
    assert [path for path, _ in server.requests].count("/cat.png") == 1


async def test_a_name_is_not_fetched_from_when_one_of_its_addresses_is_inside(server: PictureServer) -> None:
    for addresses in (INSIDE, f"{OUTSIDE} {INSIDE}", ""):
        with pytest.raises(NotFetched):
            await pictures(addresses).fetch(server.url("/cat.png"))
    assert server.requests == []


async def test_what_was_judged_is_connected_to_whatever_the_name_says_next(server: PictureServer) -> None:
    assert (await pictures(OUTSIDE, INSIDE).fetch(server.url("/cat.png"))).data == PNG


async def test_limits_of_size_and_time(server: PictureServer) -> None:
    assert (await pictures(max_bytes=len(PNG)).fetch(server.url("/cat.png"))).data == PNG
    with pytest.raises(NotFetched):
        await pictures(max_bytes=len(PNG) - 1).fetch(server.url("/cat.png"))
    with pytest.raises(NotFetched, match="Timeout"):
        await pictures(seconds=0.1).fetch(server.url("/slow"))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.170.2"),
        *("100.64.0.1", "100.100.100.200", "0.0.0.0", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("ff0e::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1"),
        *("::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "127.1", "2130706433", "x", ""),
    ],
)
def test_addresses_that_are_not(address: str) -> None:
    assert not is_public(address)


WAYS: dict[str, Callable[[Outgoing, str], Any]] = {
    "send_image": lambda o, url: o.adapter.send_image(o.chat, url, caption="a cat", metadata=None),
    "send_animation": lambda o, url: o.adapter.send_animation(chat_id=o.chat, animation_url=url, caption="a cat"),
    "send_multiple_images": lambda o, url: o.adapter.send_multiple_images(o.chat, [(url, "a cat")], None),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("way", WAYS)
async def test_an_answers_picture_is_sent_and_one_that_leads_inwards_is_an_address(
    network: str, way: str, server: PictureServer, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outgoing(network, monkeypatch) as out:
        out.adapter.pictures = pictures(OUTSIDE, OUTSIDE)
        await WAYS[way](out, server.url("/cat.png"))
        assert (out.files(), out.texts()) == ([PNG], [])
        inwards = server.url(f"/to?{server.url('/cat.png', OUTSIDE)}")
        await WAYS[way](out, inwards)
        assert (out.files(), out.texts()) == ([PNG], [f"a cat\n{inwards}"])
        assert [path for path, _ in server.requests] == ["/cat.png", "/to"]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("host", [OUTSIDE, "localhost"])
async def test_by_default_nothing_on_this_machine_is_fetched(
    network: str, host: str, server: PictureServer, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERMES_ALLOW_PRIVATE_URLS", "true")
    async with outgoing(network, monkeypatch) as out:
        await out.ask(f"![a cat]({server.url('/cat.png', host)})")
        assert out.texts() == [f"a cat\n{server.url('/cat.png', host)}"]
        assert (out.files(), server.requests) == ([], [])


@pytest.mark.parametrize("network", NETWORKS)
def test_stock_has_no_other_way_to_fetch_what_an_answer_names(network: str) -> None:
    """Fails when a new Hermes brings one."""
    module = importlib.import_module(f"hermes_hardened_adapters.adapters.{network}.adapter")
    adapter = getattr(module, f"{network.title()}Adapter")
    stock = adapter.__mro__[2]
    signs = ("_from_url", "_send_url_as_file(", "_session.get", "httpx", "urlopen")
    fetches = set()
    for name, inherited in inspect.getmembers(stock, inspect.isfunction):
        text = inspect.getsource(inherited)
        ours = getattr(adapter, name).__module__.startswith("hermes_hardened")
        if any(sign in text for sign in signs) and not ours:
            fetches.add(name)
    inbound = {
        *("_sse_listener", "_health_monitor", "__init__"),
        *("_ws_connect_and_listen", "_handle_ws_event", "_download_attachments"),
    }
    # Nothing of stock's that is still in use calls the first one; the others get pictures that were fetched by us.
    assert fetches - inbound <= {"_send_url_as_file", "_resolve_image_path", "_load_batch_image"}

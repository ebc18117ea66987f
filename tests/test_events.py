"""The shared vocabulary: addresses, keys, and recognising ourselves."""

from __future__ import annotations

from hermes_hardened_adapters.common.core.events import Address, Attachment, Chat, Me, message_key


def test_who_we_are() -> None:
    me = Me("own", "+15550001111")
    assert me.recognises(Address("own")) is True
    assert me.recognises(Address("other", "+15550001111")) is True
    assert me.recognises(Address("other")) is False
    assert me.recognises(Address()) is False
    unsure = Me(None, "+15550001111")
    assert unsure.recognises(Address("other")) is None
    assert unsure.recognises(Address("other", "+15550002222")) is False


def test_two_people_never_share_a_key() -> None:
    keys = {message_key(address, "1") for address in (Address("a"), Address("b"), Address(None, "+15550001111"))}
    assert len(keys) == 3
    assert message_key(Address("a", "+15550001111"), "1") == message_key(Address("a"), "1")


def test_an_address_of_nobody_is_false() -> None:
    assert not Address()
    assert Address("a")
    assert Address(None, "+15550001111")


def test_a_chat_without_an_id_is_a_direct_one() -> None:
    assert Chat("g").is_group
    assert not Chat(thread="t").is_group


def test_audio_is_known_by_its_content_type_alone() -> None:
    assert Attachment("1", "audio/ogg").is_audio
    assert not Attachment("1", "video/ogg", "voice.ogg").is_audio

"""The numbers of frames: holes, resumes and gaps."""

from __future__ import annotations

import json

import pytest
from hermes_hardened_adapters.adapters.mattermost.sequence import Frame, Place, Sequence, frame_of

from tests.fakes.mattermost_server import TOKEN, recorded_frames


def place_all(sequence: Sequence, frames: list[str]) -> list[Place]:
    looked = [frame_of(text) for text in frames]
    return [sequence.place(frame) for frame in looked if frame is not None and frame.seq_reply is None]


def test_a_recorded_resume_goes_on_with_the_expected_event() -> None:
    sequence = Sequence()
    assert sequence.resume_query() == {}
    frames = recorded_frames("reconnect_reliable_resume")
    assert place_all(sequence, frames[:4]) == [Place.FIRST, Place.NEXT, Place.NEXT, Place.NEXT]
    assert sequence.resume_query() == {"connection_id": "3p6zsnbnfprf8xekt6pjcum55a", "sequence_number": "4"}
    assert set(place_all(sequence, frames[4:])) == {Place.NEXT}


@pytest.mark.parametrize("name", ["reconnect_gap_plain", "reconnect_reliable_unknown_id", "connect_handshake"])
def test_a_recorded_hello_with_another_id_starts_anew(name: str) -> None:
    sequence = Sequence()
    place_all(sequence, recorded_frames("reconnect_reliable_resume"))
    places = place_all(sequence, recorded_frames(name))
    assert places[0] is Place.FIRST
    assert places.count(Place.FIRST) == sum('"hello"' in frame for frame in recorded_frames(name))
    assert set(places) == {Place.FIRST, Place.NEXT}


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"event":"typing","seq":3}', Frame("typing", 3)),
        ('{"event":"typing"}', Frame("typing")),
        ('{"event":"typing","seq":true,"data":[],"broadcast":7}', Frame("typing")),
        ('{"event":"hello","data":{"connection_id":7},"seq":0}', Frame("hello", 0, {"connection_id": 7})),
        ('{"status":"OK","seq_reply":1}', Frame(seq_reply=1, status="OK")),
        ('{"status":"FAIL","seq_reply":2,"error":{}}', Frame(seq_reply=2, status="FAIL")),
        ('{"event":7}', None),
        ("{}", None),
        ("[]", None),
        ("nonsense", None),
        ("[" * 100_000, None),
    ],
)
def test_what_a_frame_is(text: str, frame: Frame | None) -> None:
    assert frame_of(text) == frame


def test_a_frame_shows_neither_the_token_nor_what_was_said() -> None:
    """Servers quote the token in their refusals."""
    for text in (
        json.dumps({"status": "FAIL", "seq_reply": 2, "error": {"id": TOKEN, "message": f"token={TOKEN}"}}),
        json.dumps({"event": "posted", "data": {"post": TOKEN}, "broadcast": {"user_id": TOKEN}, "seq": 1}),
    ):
        assert TOKEN not in repr(frame_of(text))


def test_the_same_hole_twice_is_not_resumed_again() -> None:
    sequence = Sequence()
    sequence.place(Frame("hello", 0, {"connection_id": "one"}))
    assert sequence.place(Frame("typing", 2)) is Place.AHEAD
    assert sequence.resume_query() == {"connection_id": "one", "sequence_number": "1"}
    assert sequence.place(Frame("typing", 3)) is Place.AHEAD
    assert sequence.resume_query() == {}
    assert sequence.place(Frame("hello", 0, {"connection_id": "one"})) is Place.FIRST


def test_a_filled_hole_is_forgotten() -> None:
    sequence = Sequence()
    sequence.place(Frame("hello", 0, {"connection_id": "one"}))
    sequence.place(Frame("typing", 2))
    assert [sequence.place(Frame("typing", seq)) for seq in (0, 1, 2)] == [Place.OLD, Place.NEXT, Place.NEXT]
    assert sequence.hole is None


def test_a_server_without_connection_ids() -> None:
    sequence = Sequence()
    for _ in range(2):
        assert sequence.place(Frame("hello", 0)) is Place.FIRST
        assert sequence.place(Frame("typing", 1)) is Place.NEXT
        assert sequence.resume_query() == {}

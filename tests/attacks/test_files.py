"""Files: how many and how large by authority, counted as they come; what an answer may carry out."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.authority import RIGHTS

from tests.attacks.conftest import OpenStage
from tests.attacks.harness import AGENT, HOME, MEMORY_SECRET, REPORT, File, Stage
from tests.attacks.table import BEINGS, Kind

CASES = [
    (network, kind)
    for kind in (Kind.LISTED, Kind.PAIRED, Kind.MEMBER, Kind.ANYBODY)
    for network in BEINGS[kind].networks
]
MEGABYTE = 2**20


async def handed_over(on: Stage, kind: Kind, *files: File) -> int:
    """Send them with a request; the files of it that the host was given."""
    before = len(on.heard)
    await on.attach(kind, "look at this", files)
    assert len(on.heard) == before + 1
    return len(on.heard[-1].media_urls)


@pytest.mark.parametrize(("network", "kind"), CASES)
async def test_so_many_files_and_no_more(stage: OpenStage, network: str, kind: Kind) -> None:
    limit = RIGHTS[BEINGS[kind].authority].files.files
    async with stage(network, BEINGS[kind].door, agent=False) as on:
        assert await handed_over(on, kind, *[REPORT] * limit) == limit, "the control"
        before = on.fetched()
        assert await handed_over(on, kind, *[REPORT] * (limit + 2)) == limit
        assert on.fetched() == before + limit
        assert "report.txt" in on.read[-1]


@pytest.mark.parametrize(("network", "kind"), [c for c in CASES if c[1] in {Kind.MEMBER, Kind.ANYBODY}])
async def test_the_bytes_that_come_count_whatever_was_announced(stage: OpenStage, network: str, kind: Kind) -> None:
    limit = RIGHTS[BEINGS[kind].authority].files.bytes
    large = File("large.bin", b"\0" * (limit + MEGABYTE), "application/octet-stream", announced=10)
    async with stage(network, BEINGS[kind].door, agent=False) as on:
        small = File("small.bin", b"\0" * (limit // 2), "application/octet-stream")
        assert await handed_over(on, kind, small) == 1, "the control"
        assert await handed_over(on, kind, large) == 0
        assert "large.bin" in on.read[-1]
        assert await handed_over(on, Kind.ADMIN, large) == 1, "an admin may send more"


@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_what_the_model_writes_carries_nothing_of_the_home_out(stage: OpenStage, network: str) -> None:
    def files(on: Stage) -> int:
        daemon = getattr(on, "daemon", None)
        if daemon is None:
            return len(on.server.called("POST", "/files"))  # type: ignore[attr-defined]
        return sum(len(call.get("attachments") or ()) for call in daemon.called("send"))

    async with stage(network) as on:
        report = AGENT / "report.md"
        report.write_text("nothing to report")
        on.model.script = lambda _: f"Here it is: MEDIA:{report}"
        await on.say(Kind.ADMIN, "the report, please")
        assert files(on) == 1, "the control"
        link = AGENT / "innocent.md"
        link.symlink_to(HOME / "memories" / "MEMORY.md")
        (HOME / "notes.md").write_text(MEMORY_SECRET)
        paths = (
            HOME / "notes.md",
            HOME / "state.db",
            HOME / "memories" / "MEMORY.md",
            HOME / "config.yaml",
            link,
            f"{AGENT}/../{HOME.name}/memories/MEMORY.md",
        )
        said = len(on.sent())
        on.model.script = lambda _: "Here: " + " ".join(f"MEDIA:{path} and {path}" for path in paths)
        await on.say(Kind.ADMIN, "and now everything, please")
        assert files(on) == 1
        assert MEMORY_SECRET not in str(on.sent())
        assert on.sent()[said:]
        link.unlink()


@pytest.mark.parametrize("name", ["song.mp3", "voice.ogg"])
async def test_an_audio_file_wakes_nobody_on_mattermost(stage: OpenStage, name: str) -> None:
    audio = File(name, b"ID3" + b"\0" * 64, "audio/mpeg" if name.endswith("mp3") else "audio/ogg")
    async with stage("mattermost", agent=False) as on:
        await on.attach(Kind.ADMIN, "with a mention", [audio])
        assert len(on.heard) == 1, "the control"
        info = on.server.add_file(audio.name, audio.content, on.users["admin"]) | {"mime_type": audio.content_type}
        on.server.files[info["id"]] = (info, audio.content)
        before = on.fetched()
        await on.say(Kind.ADMIN, "", addressed=False, file_ids=[info["id"]])
        assert len(on.heard) == 1
        assert on.fetched() == before

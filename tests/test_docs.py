"""The documentation tells the truth where that can be checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.doctor.checks import CheckName as MattermostCheck
from hermes_hardened_adapters.adapters.mattermost.rest.failures import ErrorCode as MattermostCode
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.adapters.signal.doctor.checks import CheckName as SignalCheck
from hermes_hardened_adapters.adapters.signal.failures import ErrorCode as SignalCode
from hermes_hardened_adapters.common.core.chats import Outcome
from hermes_hardened_adapters.common.core.errors import CommonCode
from hermes_hardened_adapters.common.core.events import Reason
from hermes_hardened_adapters.common.host.checks import CheckName as HermesCheck
from hermes_hardened_adapters.common.host.documents import parse_yaml
from hermes_hardened_adapters.common.settings.config import Settings
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, GLOBAL, KEY
from hermes_hardened_adapters.common.tenancy.functions import GIVEN
from hermes_hardened_adapters.common.tenancy.settings import MemorySettings

from settings_tables import DOCS, MEMORY, models, pages, rewritten, table

ROOT = DOCS.parent
CONTENT = {path: path.read_text() for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))}
PAGES = pages()
THE_HOSTS_OWN = {f"{p.upper()}_{n}" for p in PAGES for n in ("ALLOW_ALL_USERS", "HOME_CHANNEL")} | {"SIGNAL_REACTIONS"}
COMPOSES_OWN = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker" / "compose.yaml").read_text()))
ON_MEMORY = CONTENT[DOCS / "memory.md"]
EXAMPLES = [parse_yaml(block) for block in re.findall(r"^```yaml\n(.+?)^```", ON_MEMORY, re.DOTALL | re.MULTILINE)]
"""The examples of config.yaml on the page of memory."""
OWN_POLICY = "acme_memory"
SOURCE = "\n".join(
    path.read_text() for folder in ("adapters", "cli", "common") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("page", models())
def test_the_settings_table_is_that_of_the_model(page: str) -> None:
    content = CONTENT[DOCS / f"{page}.md"]
    assert content == rewritten(page, content), "run `make docs`"


@pytest.mark.parametrize(("page", "model"), PAGES.items())
def test_every_setting_stands_in_its_table_with_its_name_and_meaning(page: str, model: type[Settings]) -> None:
    rows = table(model, page).splitlines()
    for field, variable in model.environment_names().items():
        (row,) = [row for row in rows if f"| `{variable or field}` |" in row]
        assert row.count("|") == 6
        assert str(model.model_fields[field].description) in row


def test_what_a_table_says_of_a_setting() -> None:
    signal, mattermost = (table(model, page) for page, model in PAGES.items())
    for row in (
        "| `SIGNAL_HTTP_URL` | `http_url` | required | text |",
        "| `SIGNAL_ALLOWED_USERS` | `allowed_users` | empty | list |",
        "| `SIGNAL_GROUP_INVITE_POLICY` | `group_invite_policy` | `approved-only` | "
        "`approved-only`, `allow-all`, `ignore` |",
        "| `SIGNAL_SSE_STALE_SECONDS` | `sse_stale_seconds` | `60` | 16 to 120 |",
        "| `SIGNAL_SSE_STREAMS` | `sse_streams` | `1` | whole numbers, 1 to 2 |",
        "|  | `allow_admin_from` | empty | list |",
    ):
        assert row in signal
    for row in (
        "| `MATTERMOST_TOKEN` |  | required | secret |",
        "| `MATTERMOST_CA_FILE` | `ca_file` | none | path of a file |",
        "| `MATTERMOST_REQUIRE_MENTION` | `require_mention` | `true` | `true`, `false` |",
    ):
        assert row in mattermost


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="signal"):
        rewritten("signal", "# Signal")


@pytest.mark.parametrize("path", CONTENT, ids=lambda path: path.name)
def test_no_setting_is_made_up(path: Path) -> None:
    assert not made_up(CONTENT[path], pages())


def made_up(content: str, models: Mapping[str, type[Settings]]) -> set[str]:
    """Return the variables in a text that look like settings of a network and are none."""
    known = {name for model in models.values() for name in model.environment_names().values()}
    prefixes = "|".join(name.upper() for name in models)
    written = set(re.findall(rf"\b(?:{prefixes})_[A-Z][A-Z_]+\b", content))
    return written - known - THE_HOSTS_OWN - COMPOSES_OWN


@pytest.mark.parametrize("path", CONTENT, ids=lambda path: path.name)
def test_no_link_leads_nowhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)", CONTENT[path]):
        page = (path.parent / target).resolve() if target else path
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


# -- memory


@pytest.fixture
def own_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function that the page of memory shows can be imported under the name that its example gives."""
    (code,) = re.findall(r"^```python\n(.+?)^```", ON_MEMORY, re.DOTALL | re.MULTILINE)
    (tmp_path / f"{OWN_POLICY}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)


def memory_block(example: Any) -> dict[str, Any]:
    for key in KEY.split("."):
        example = example[key]
    assert isinstance(example, dict)
    return example


@pytest.mark.parametrize("field", MemorySettings.model_fields)
def test_every_setting_of_memory_is_listed_and_shown_in_an_example(field: str) -> None:
    (row,) = [row for row in table(MemorySettings, MEMORY).splitlines() if row.startswith(f"| `{field}` |")]
    assert row.count("|") == 5
    assert str(MemorySettings.model_fields[field].description) in row
    assert [example for example in EXAMPLES if field in memory_block(example)]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
@pytest.mark.usefixtures("own_policy")
def test_every_example_of_memory_is_accepted(example: Any) -> None:
    settings = MemorySettings.load(memory_block(example))
    # Hermes' own memory is off in strict memory, and only then.
    off = {"memory_enabled": False, "user_profile_enabled": False}
    assert example.get("memory") == (off if settings.strict else None)


def test_the_examples_of_profiles_are_accepted() -> None:
    blocks = re.findall(r"^```yaml\n(.+?)^```", CONTENT[DOCS / "profiles.md"], re.DOTALL | re.MULTILINE)
    default, other = map(parse_yaml, blocks)
    assert default["gateway"] == {"multiplex_profiles": True}
    assert "gateway" not in other
    assert MemorySettings.load(memory_block(other))
    for example in (default, other):
        assert example["plugins"]["enabled"] == ["hardened-adapters"]


@pytest.mark.parametrize("policy", [*BUILT_IN, "package.module:function"])
def test_every_policy_is_explained_with_an_example(policy: str) -> None:
    assert ON_MEMORY.count(f"\n| `{policy}` |") == 1
    shown = [str(memory_block(example).get("policy")) for example in EXAMPLES]
    assert policy in shown or (policy not in BUILT_IN and any(":" in each for each in shown))


def test_every_argument_of_a_policy_is_explained() -> None:
    section = ON_MEMORY.partition("| argument | content |")[2].partition("\n\n")[0]
    assert set(GIVEN) <= set(re.findall(r"`(\w+)`", section))
    assert set(Chat("", "").metadata()) <= set(re.findall(r"`(\w+)`", section))


@pytest.mark.usefixtures("own_policy")
def test_the_example_of_a_function_does_what_the_page_says() -> None:
    contexts = MemorySettings.load({"policy": f"{OWN_POLICY}:context"}).resolved("home")
    alone = Chat("signal", "+15550001111", "dm", user_id="alice")
    channel = Chat("mattermost", "town", "channel", user_id="alice", origin={"scope_id": "acme"})
    assert contexts.of(alone, Operation.READ) == ("person:alice",)
    assert contexts.of(channel, Operation.READ) == ("mattermost:town", "team:acme")
    assert contexts.of(Chat("signal", "group:x", "group"), Operation.READ) == ("signal:group:x",)


def test_the_two_lines_come_first_and_are_one_memory_for_one_person() -> None:
    block = memory_block(EXAMPLES[0])
    assert [*block] == ["contexts", "cli_context"]
    settings = MemorySettings.load(block)
    contexts = settings.resolved("home")
    signal, mattermost = (key.partition(":") for key in settings.contexts)
    for platform, _, person in (signal, mattermost):
        direct = Chat(platform, person if platform == "signal" else "directchannel", "dm", user_id=person)
        assert contexts.of(direct, Operation.WRITE) == (settings.cli_context,)
        assert contexts.of(Chat(platform, "g", "group", user_id=person), Operation.READ) == (f"{platform}:g",)


def test_the_table_of_exceptions_is_read_as_the_page_says() -> None:
    (example,) = [each for each in map(memory_block, EXAMPLES) if each.get("contexts") and "policy" in each]
    answers = [*MemorySettings.load(example).resolved("home").table.values()]
    assert answers == ["org-acme", ["sales", "org-acme"], "global"]
    contexts = MemorySettings.load(example).resolved("home")
    assert contexts.of(Chat("telegram", "-1001234567890"), Operation.WRITE) == GLOBAL


# -- what the code can say


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"\n| `{reason}` |" in CONTENT[DOCS / "troubleshooting.md"]


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_of_an_invitation_is_explained(outcome: Outcome) -> None:
    assert f"\n| `{outcome}` |" in CONTENT[DOCS / "troubleshooting.md"]


def test_every_error_code_is_explained_and_none_is_made_up() -> None:
    assert not re.findall(r'\bFatal\(\s*f?"', SOURCE)
    codes = {*SignalCode, *MattermostCode, *(code.of(network) for network in NETWORKS for code in CommonCode)}
    page = CONTENT[DOCS / "troubleshooting.md"]
    explained = set(re.findall(r"`((?:signal|mattermost)_[a-z_]+)`", page.partition("## Error codes")[2]))
    assert explained == codes


@pytest.mark.parametrize(
    ("page", "names"), [("troubleshooting", HermesCheck), ("signal", SignalCheck), ("mattermost", MattermostCheck)]
)
def test_every_check_is_on_its_page(page: str, names: type[StrEnum]) -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \|", CONTENT[DOCS / f"{page}.md"], re.MULTILINE)
    assert rows == list(names)

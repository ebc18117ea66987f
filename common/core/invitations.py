"""Outcomes of an act that brought the bot into a group or channel. Pure."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The verdict on an invitation, as the trace shows it. The networks share what means the same on both."""

    APPROVED = "approved"
    """On the runtime allowlist from now on."""
    APPROVED_BEFORE = "approved before"
    """Invited again into a group that is served already."""
    NOT_APPROVED = "not approved"
    """The actor may not invite the bot."""
    IGNORED = "ignored by policy"
    REMOVED = "removed"
    """The bot was taken out of the group."""
    LISTED = "listed"
    """Mattermost: added by somebody who may not, to a channel that the settings list."""
    ALREADY_IN = "no joining"
    """Signal: the bot was in the group before, so the event is no invitation."""
    ACTOR_NOT_IN_GROUP = "actor is no member"
    """Signal: the list of members does not confirm the actor."""
    NOT_INVITED = "not invited"
    """Signal: the bot is neither member nor invited any more."""
    UNCONFIRMED = "unconfirmed"
    """Signal: the group could not be fetched, or the invitation could not be accepted."""

"""What a page says about what was just done: a fixed list, so that no address can put words into a page."""

from __future__ import annotations

from collections.abc import Mapping

NOTICES: Mapping[str, str] = {
    "please": "Please sign in.",
    "ended": "Your session has ended. Please sign in again; what you had not sent was not kept.",
    "out": "You are signed out.",
    "taken": "The cases are yours. Each has to be answered before its lease ends, or prolonged.",
    "nothing": "Nothing waits for you now, or you hold as many cases as you may.",
    "answered": "Your answer was kept. Thank you.",
    "evidence": "Your answer was kept: the claimant is asked for what is missing.",
    "escalated": "The case is with the investigators now.",
    "renewed": "The lease was prolonged.",
    "released": "The case was given back.",
    "recused": "Noted. You will not be shown a case of that party again, and theirs were taken back.",
    "assigned": "The case is kept for that expert for two days; then anybody may take it.",
    "reopened": "The case waits for a second opinion; the first answer stays.",
    "user-added": "The user can sign in now.",
    "user-disabled": "The user is shut out, and their sessions have ended.",
    "user-enabled": "The user can sign in again.",
    "password": "The password was changed, and every session of that user has ended.",
}
"""Name → words."""

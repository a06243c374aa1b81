"""What answers at each place: the name in :mod:`serving.console.places` → the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from serving.console.do_case import (
    answer_case,
    ask_for_evidence,
    ask_for_second_opinion,
    assign_case,
    escalate_case,
    recuse_case,
    release_case,
    renew_case,
    take_cases,
)
from serving.console.do_people import add_user, disable_user, enable_user, give_password, show_users
from serving.console.do_sign import ask_to_sign_in, change_password, show_account, sign_in, sign_out
from serving.console.look_audit import show_audit
from serving.console.look_case import show_case
from serving.console.look_experts import show_experts
from serving.console.look_operations import show_operations
from serving.console.look_queue import show_first_page, show_queue
from serving.console.roles import MEANING
from serving.console.visit import Answer, Office, Shown, Visit
from serving.expert_work import LEASES


def show_help(office: Office, visit: Visit) -> Answer:
    """Explain keys, roles and words."""
    return Shown("help", {"roles": MEANING, "lengths": {tier.value: length for tier, length in LEASES.items()}})


ANSWERS: Mapping[str, Callable[[Office, Visit], Answer]] = {
    answers.__name__: answers
    for answers in (
        *(ask_to_sign_in, sign_in, sign_out, show_account, change_password),
        *(show_first_page, show_queue, show_case, take_cases, answer_case, ask_for_evidence, escalate_case),
        *(renew_case, release_case, recuse_case, assign_case, ask_for_second_opinion),
        *(show_operations, show_experts, show_audit),
        *(show_users, add_user, disable_user, enable_user, give_password, show_help),
    )
}
"""All of them."""

"""What can be an identity, as the contracts have it: of a claim, a customer, a seller, an insurer."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from data_contracts.contract import Identifier

_IDENTITY: TypeAdapter[str] = TypeAdapter(Identifier)


def is_identifier(text: str) -> bool:
    """Tell whether a text can be an identity.

    >>> is_identifier("C-1"), is_identifier("C 1")
    (True, False)
    """
    try:
        _IDENTITY.validate_python(text)
    except ValidationError:
        return False
    return True

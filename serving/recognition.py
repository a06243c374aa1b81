"""Who is recognised here: by keys of the store, by tokens of a provider, or, in development mode, everybody.

In development mode a key that is given still tells who somebody is: experts and parties are persons there as well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from serving.auth import DEVELOPER, Recognise, anyone
from serving.gate import Recognised
from serving.instants import micros
from serving.keys import Keyring, kept_keys
from serving.refreshed import Refreshed
from serving.settings import Settings
from serving.store import Store
from serving.tokens import Tokens, public_keys


class LockedError(ValueError):
    """Nobody could call: there is no key, no provider of tokens, and this is not development mode."""


def recogniser(settings: Settings, store: Store, clock: Callable[[], datetime]) -> Recognised:
    """Return what finds the caller of a credential.

    Parameters
    ----------
    settings
        Development mode, the provider, how soon changes of keys are known.
    store
        Holds the keys.
    clock
        The present instant, in UTC.

    Raises
    ------
    LockedError
        If nobody at all could call.
    ValueError, OSError
        If the provider's keys cannot be read.
    """
    keys = Refreshed(lambda: kept_keys(store), settings.refresh_seconds, monotonic)
    ways: tuple[Recognise, ...] = (Keyring(keys, lambda: micros(clock())),)
    if settings.development:
        return lambda credential: anyone(credential, ways) or DEVELOPER
    if settings.jwks:
        provider = Refreshed(lambda: public_keys(settings.jwks), 60 * settings.refresh_seconds, monotonic)
        ways += (Tokens(provider, settings.token_issuer, settings.token_audience),)
    elif not any(key.holds(micros(clock())) for key in keys().values()):
        raise LockedError(
            "nobody could call: expected an API key or a provider of tokens, found neither; "
            "run touchstone keys create --name NAME --scope score, or touchstone serve --development on this machine alone"
        )
    return lambda credential: anyone(credential, ways)

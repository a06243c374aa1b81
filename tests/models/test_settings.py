"""A settings file says everything, is read strictly, and written so that it is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifier import Hyperparameters
from models.settings import SettingsError, TrainingSettings

SHARES = st.floats(0.01, 0.99)


@given(
    st.builds(
        TrainingSettings,
        SHARES,
        SHARES,
        fit_cap=st.floats(1, 50),
        seed=st.integers(0, 2**31),
        hyperparameters=st.builds(
            Hyperparameters,
            learning_rate=SHARES,
            num_leaves=st.integers(2, 300),
            lambda_l2=st.floats(0, 1e6),
            boost_from_average=st.booleans(),
        ),
    )
)
def test_what_is_written_is_read_back_to_the_last_bit(settings: TrainingSettings) -> None:
    assert TrainingSettings.parse(settings.to_toml()) == settings


def test_an_empty_file_is_the_defaults_and_integers_serve_as_numbers() -> None:
    assert TrainingSettings.parse("") == TrainingSettings()
    assert TrainingSettings.parse("[hyperparameters]\nlambda_l2 = 3").hyperparameters.lambda_l2 == 3.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leaves = 3", "settings.leaves: unknown key"),
        ("[hyperparameters]\nleaves = 3", "hyperparameters.leaves: unknown key"),
        ("folds = 2.5", "settings.folds: expected an integer, found 2.5"),
        ("fit_cap = true", "settings.fit_cap: expected a number, found True"),
        ("[hyperparameters]\nboost_from_average = 1", "hyperparameters.boost_from_average: expected true or false, found 1"),
        ("hyperparameters = 3", "hyperparameters.hyperparameters: unknown key"),
        ("folds =", "expected TOML"),
    ],
)
def test_a_wrong_key_or_value_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace(".", r"\.")):
        TrainingSettings.parse(text)


def test_all_errors_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"folds.*leaves"):
        TrainingSettings.parse("folds = 2.5\n[hyperparameters]\nleaves = 3")

"""Training keeps the order of time and writes down what it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.bundle import load, save
from models.calibration_maps import KINDS
from models.policy import Harm
from models.risk import certify
from models.sets import certified_sets
from models.settings import TrainingSettings
from models.splits import components
from models.training import Trained, train
from tests.models.conftest import SETTINGS, known_of
from tests.models.synthetic import START, Sample


def test_growing_stopping_and_judging_windows_follow_one_another_and_share_nobody(trained: Trained, data: Sample) -> None:
    filed, split = data.claims.filed_at, trained.split
    assert filed[split.train].max() < filed[split.valid].min() <= filed[split.valid].max() < filed[trained.judge].min()
    component = components(data.claims)
    assert not set(component[split.train]) & set(component[split.valid | trained.judge])
    assert split.purged > 0


def test_the_model_beats_the_prior_and_the_single_rule_on_later_time(trained: Trained) -> None:
    table = trained.table.set_index("model")
    assert table.index[0] == "touchstone"
    assert table.auc_abusive["touchstone"] > table.auc_abusive["single rule"] > table.auc_abusive["prior"]
    assert table.log_loss["touchstone"] < table.log_loss["prior"]


def test_the_manifest_says_what_was_trained_on_what(trained: Trained) -> None:
    found = trained.bundle.manifest["trained"]
    assert found["as_of"].startswith("2026-01-01")
    assert found["data_hash"] == "d" * 64
    assert found["settings"]["hyperparameters"]["learning_rate"] == 0.1
    assert found["split"]["judge"]["rows"] == int(trained.judge.sum())
    assert found["metrics"]["auc_abusive"] == pytest.approx(trained.table.auc_abusive.iloc[0])
    assert set(found["calibration_losses"]) == set(KINDS)


def test_the_order_of_rows_changes_nothing(trained: Trained, data: Sample) -> None:
    order = np.random.default_rng(0).permutation(len(data.claims))
    known = known_of(data).sample(frac=1, random_state=1)
    again = train(
        data.matrix.iloc[order],
        data.claims.iloc[order],
        known,
        START + pd.Timedelta(days=365),
        "c" * 64,
        data.inputs.features,
        SETTINGS,
        "d" * 64,
    )
    assert again.bundle.hash == trained.bundle.hash


def test_labels_of_weight_zero_and_unlabelled_claims_take_no_part(trained: Trained, data: Sample) -> None:
    known = known_of(data)
    known.loc[known.index % 3 == 0, "weight"] = 0.0
    few = train(data.matrix, data.claims, known, START, "c" * 64, data.inputs.features, SETTINGS)
    gone = train(data.matrix, data.claims, known[known.weight > 0], START, "c" * 64, data.inputs.features, SETTINGS)
    assert few.bundle.hash == gone.bundle.hash != trained.bundle.hash


def test_two_classes_and_claims_without_entities_train_as_well(data: Sample) -> None:
    known = known_of(data)
    known["label"] = known["label"].replace("unsubstantiated", "valid")
    found = train(data.matrix, data.claims[["claim_id", "filed_at"]], known, START, "c" * 64, (), SETTINGS)
    assert (found.bundle.predict_proba(data.matrix)[:, 1] == 0).all()
    assert found.bundle.manifest["trained"]["metrics"]["auc_unsubstantiated"] is None
    assert found.split.purged == 0


def test_no_labels_are_a_clear_error(data: Sample) -> None:
    with pytest.raises(ValueError, match="review or audit some claims first"):
        train(data.matrix, data.claims, known_of(data).iloc[:0], START, "c" * 64, (), TrainingSettings())


def test_the_figures_are_of_a_model_that_never_saw_the_judging_window_and_the_bundle_has_learned_from_it(
    trained: Trained, data: Sample
) -> None:
    known = known_of(data)
    known.loc[trained.judge, "label"] = known.loc[trained.judge, "label"].sample(frac=1, random_state=0).to_numpy()
    other = train(data.matrix, data.claims, known, START, "c" * 64, data.inputs.features, SETTINGS)
    seen = ~trained.judge
    assert np.array_equal(other.split.train, trained.split.train)
    assert other.bundle.classifier != trained.bundle.classifier
    if other.bundle.calibration.kind == trained.bundle.calibration.kind:
        np.testing.assert_allclose(other.proba[seen], trained.proba[seen])


def test_the_guarantee_is_the_certificate_of_the_out_of_time_probabilities_with_weights_as_drawn(
    trained: Trained, data: Sample, tmp_path: Path
) -> None:
    assert trained.bundle.guarantee is None
    known = known_of(data)
    drawn = known.assign(stands_for=np.where(known["weight"] > 1, 2 * known["weight"], known["weight"]))
    end = START + pd.Timedelta(days=365)
    found = train(data.matrix, data.claims, drawn, end, "c" * 64, settings=SETTINGS, harm=Harm(0.05, 0.9))
    scored = ~np.isnan(found.proba[:, 0])
    weight = found.material.rows["stands_for"].to_numpy()[scored]
    assert found.bundle.guarantee == certify(found.proba[scored], found.labels[scored], weight, float(weight.max()), 0.05, 0.9)
    save(found.bundle, tmp_path / "bundle")
    assert load(tmp_path / "bundle").guarantee == found.bundle.guarantee
    bound = Harm(0.05, 0.6, mistaken_valid_share=0.1)
    other = train(data.matrix, data.claims, drawn, end, "c" * 64, settings=SETTINGS, harm=bound)
    assert found.bundle.hash != other.bundle.hash and found.bundle.guarantee.sets is None
    save(other.bundle, tmp_path / "with sets")
    promised = load(tmp_path / "with sets").guarantee
    assert promised is not None and promised.sets == certified_sets(*other.tested, bound) and promised.sets[0] < 1 < promised.sets[1]

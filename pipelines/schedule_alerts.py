"""Who is told: failures go to a webhook, and drift or new labels start a training."""

import json
import urllib.request
from collections.abc import Iterator, Mapping

import dagster as dg

from pipelines.schedule_assets import AS_OF_TAG
from pipelines.schedule_learning import reason_to_train
from pipelines.schedule_settings import ScheduleSettings

_SECONDS = 10


def tell(webhook: str, message: Mapping[str, str]) -> int:
    """Post a message as JSON and return the status that came back.

    Parameters
    ----------
    webhook
        An address of http or https.
    message
        What happened; ``text`` is a sentence, which Slack, Mattermost and others show as it is.

    Raises
    ------
    ValueError
        If the address is not one of http or https.
    OSError
        If nobody takes it within ten seconds.
    """
    if not webhook.startswith(("http://", "https://")):
        raise ValueError(f"webhook: expected an address of http or https, found {webhook!r}")
    body = json.dumps(dict(message)).encode()
    request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})  # noqa: S310 (checked above)
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        return int(answer.status)


def failure_alert(settings: ScheduleSettings) -> dg.SensorDefinition:
    """Return the sensor that tells every failed run to the webhook, or to Dagster's log where there is none."""

    @dg.run_failure_sensor(name="failure_alert", default_status=dg.DefaultSensorStatus.RUNNING)
    def alert(context: dg.RunFailureSensorContext) -> None:
        run, error = context.dagster_run, context.failure_event.message or ""
        day = run.tags.get("dagster/partition", "")
        message = {
            "text": f"Touchstone: {run.job_name} {day} failed: {error}",
            "job": run.job_name,
            "partition": day,
            "run": run.run_id,
            "error": error,
        }
        context.log.error(message["text"])
        if settings.webhook:
            tell(settings.webhook, message)

    return alert


def retraining(settings: ScheduleSettings, job_name: str) -> dg.SensorDefinition:
    """Return the sensor that asks for a training where :func:`pipelines.schedule_learning.reason_to_train` gives a reason."""

    @dg.sensor(
        name="retraining", job_name=job_name, minimum_interval_seconds=900, description="Trains a challenger on drift or enough new labels."
    )
    def ask(_: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        reason = reason_to_train(settings.home, settings.retrain_labels)
        if reason is None:
            yield dg.SkipReason("no alarm, and too few labels that the latest model did not know")
        else:
            yield dg.RunRequest(run_key=reason.key, tags={AS_OF_TAG: reason.as_of.isoformat(), "touchstone/why": reason.why})

    return ask

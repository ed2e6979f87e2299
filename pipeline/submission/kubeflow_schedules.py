"""Schedules of Kubeflow Pipelines, which calls them recurring runs.

`client` is a `kfp.Client`, `host` its server's URL for people.
"""

from __future__ import annotations

from typing import Any

from pipeline.submission.errors import SubmissionError
from pipeline.submission.jobs import Schedule, Timing
from pipeline.submission.kubeflow_client import CALL_TIMEOUT
from pipeline.submission.kubeflow_errors import explained

_STATES = {"ENABLED": "active", "DISABLED": "paused"}
_PAGE = 100


def six_fields(timing: Timing) -> str:
    """Returns a cron expression as Kubeflow wants it, seconds first.

    Raises:
        SubmissionError: A time zone, which only the whole installation has.
    """
    if timing.time_zone:
        raise SubmissionError(
            "Kubeflow runs all schedules in one time zone, that of CRON_SCHEDULE_TIMEZONE of its "
            "deployment ml-pipeline-scheduledworkflow (UTC if not set): leave --time-zone out"
        )
    return f"0 {timing.cron}"


def create(
    client: Any, host: str, fields: dict[str, Any], cron: str, max_concurrent: int
) -> Schedule:
    """Makes a recurring run; `fields` are those of `kubeflow.run_fields` and `experiment_id`."""
    import kfp_server_api

    body = kfp_server_api.V2beta1RecurringRun(
        **fields,
        mode=kfp_server_api.RecurringRunMode.ENABLE,
        trigger=kfp_server_api.V2beta1Trigger(
            cron_schedule=kfp_server_api.V2beta1CronSchedule(cron=cron)
        ),
        max_concurrency=str(max_concurrent),
        # What was missed while it was paused is not made up for.
        no_catchup=True,
    )
    with explained("make a recurring run", host):
        made = client.recurring_runs.recurring_run_service_create_recurring_run(
            body, _request_timeout=CALL_TIMEOUT
        )
    return _schedule(host, made)


def all_of(client: Any, host: str, namespace: dict[str, str]) -> list[Schedule]:
    """Returns all recurring runs, newest first."""
    found: list[Schedule] = []
    page: dict[str, str] = {}
    while True:
        with explained("list the recurring runs", host):
            answer = client.recurring_runs.recurring_run_service_list_recurring_runs(
                page_size=_PAGE,
                sort_by="created_at desc",
                _request_timeout=CALL_TIMEOUT,
                **namespace,
                **page,
            )
        found += [_schedule(host, run) for run in answer.recurring_runs or ()]
        if not answer.next_page_token:
            return found
        page = {"page_token": answer.next_page_token}


def pause(client: Any, host: str, name: str) -> None:
    """Submits no more until it is resumed."""
    with explained(f"pause schedule {name}", host):
        client.recurring_runs.recurring_run_service_disable_recurring_run(
            name, _request_timeout=CALL_TIMEOUT
        )


def resume(client: Any, host: str, name: str) -> None:
    """Submits again, from the next time on."""
    with explained(f"resume schedule {name}", host):
        client.recurring_runs.recurring_run_service_enable_recurring_run(
            name, _request_timeout=CALL_TIMEOUT
        )


def delete(client: Any, host: str, name: str) -> None:
    """Removes a recurring run."""
    with explained(f"delete schedule {name}", host):
        client.recurring_runs.recurring_run_service_delete_recurring_run(
            name, _request_timeout=CALL_TIMEOUT
        )


def _schedule(host: str, run: Any) -> Schedule:
    cron = run.trigger.cron_schedule if run.trigger else None
    return Schedule(
        name=run.recurring_run_id,
        title=run.display_name or "",
        state=_STATES.get(run.status, "active" if run.status is None else "unknown"),
        # Made elsewhere it may go by an interval.
        cron=cron.cron if cron else "(an interval)",
        next_run=None,
        link=f"{host}/#/recurringrun/details/{run.recurring_run_id}",
    )

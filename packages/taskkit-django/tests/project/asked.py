"""Tasks of Django, by whichever package this version of Django has them from."""

import django

from taskkit import exponential
from taskkit_django import tasks as taskkit

if django.VERSION >= (6, 0):
    from django.tasks import task
else:
    from django_tasks import task

calls = []


@task
def echo(*args, **kwargs):
    calls.append((args, kwargs))
    return [list(args), kwargs]


@task(priority=5, queue_name="mail")
def mail(to):
    return to


@task(takes_context=True)
def with_context(context, text):
    calls.append(context)
    return [context.attempt, context.task_result.id, str(context.task_result.status), text]


@task(takes_context=True)
def logs_in(context, user, password):
    return user


@task
async def later(text):
    return text * 2


@task
def fails(text):
    raise LookupError(text)


@task
def returns_no_json():
    return object()


much = ""


@task
def returns_much():
    return much


@task
async def returns_much_later():
    return much


@taskkit.task(retry=exponential(0.01, max_retries=2), retry_on=OSError, timeout=30)
def flaky(text):
    calls.append(text)
    raise OSError(text)


@taskkit.task(takes_context=True, retry=exponential(0.01, max_retries=2))
def third_time(context):
    calls.append((context.attempt, context.task_result.attempts))
    if context.attempt < 3:
        raise OSError("not yet")
    return "done"


@taskkit.task(unique="number", lock=True, limit=2, queue_name="keys")
def once(number, note="a"):
    return number


@taskkit.task(unique=lambda number, **_rest: f"n{number % 10}", takes_context=True)
def once_by_rule(context, number):
    return number

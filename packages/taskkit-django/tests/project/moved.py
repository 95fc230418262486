"""What a user of django-taskq has, after changing one import."""

from taskkit_django.celery import Retry, shared_task

calls = []


@shared_task
def gives_back(value):
    return value


@shared_task
def taskfunc(a, b=None):
    calls.append((a, b))
    return 42


@shared_task(bind=True)
def logs_in(self, user, password, *codes):
    calls.append((user, password, *codes))


@shared_task(queue="bar")
def taskfunc_queue(a, b=None):
    calls.append((a, b))


@shared_task
def task_with_raise(text):
    calls.append(text)
    raise KeyError(text)


@shared_task(
    autoretry_for=(KeyError,),
    dont_autoretry_for=(IndexError,),
    retry_kwargs={"max_retries": 2, "countdown": 0.01},
)
def task_autoretry(kind):
    calls.append(kind)
    raise {"key": KeyError, "index": IndexError, "value": ValueError}[kind](kind)


@shared_task(
    autoretry_for=(ValueError,),
    retry_backoff=True,
    retry_backoff_max=9,
    retry_jitter=False,
    retry_kwargs={"max_retries": 8},
)
def task_with_retry_backoff():
    raise ValueError


@shared_task
def task_self_retry(**kwargs):
    calls.append(kwargs)
    task_self_retry.retry(**kwargs)


@shared_task
def task_self_retry_for(text, most=2):
    calls.append(text)
    try:
        raise OSError(text)
    except OSError as exc:
        raise task_self_retry_for.retry(exc=exc, countdown=0.01, max_retries=most) from exc


@shared_task
def task_catches_retry():
    try:
        task_catches_retry.retry()
    except Retry as retry:
        return retry.max_retries


@shared_task(bind=True, queue="bound")
def task_bound(self, text):
    return [self.name, self.request.retries, str(self.request.id), text]


@shared_task
async def task_async(text):
    return text * 2


@shared_task(unique="number", unique_scope="unfinished", time_limit=30, priority=7)
def task_unique(number, note=""):
    return number


@shared_task
def task_returns_what_is_no_json():
    return object()


@shared_task(ignore_result=True)
def task_ignores_result():
    return 1


@shared_task
def task_dies():
    raise AssertionError("never run by these tests")

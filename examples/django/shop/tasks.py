"""What is done later. Three ways to write a task; a project takes the one that it likes."""

import time
from datetime import timedelta

from django.utils import timezone

from taskkit import CronSchedule, IntervalSchedule, current_task, exponential
from taskkit_django import task
from taskkit_django.celery import shared_task
from taskkit_django.recurring import recurring


# taskkit's own: arguments are checked against the annotations
@task(group="mail", retry=exponential(1, factor=2, max_retries=3), timeout=30)
def confirm(order_id: int) -> str:
    """Tell somebody that we have their order."""
    from shop.models import Order

    order = Order.objects.get(pk=order_id)
    if order.email.endswith("@nowhere.example"):
        raise ConnectionError(f"no mail server of {order.email.partition('@')[2]} answers")
    Order.objects.filter(pk=order_id).update(confirmed=timezone.now())
    return f"sent to {order.email}"


@task(group="mail")
def charge(order_id: int, amount: float, api_token: str) -> None:
    """Ask the bank for the money; its answer is always the same."""
    assert api_token  # what is named like a secret is hidden in the admin
    raise PermissionError(f"the bank refuses {amount:.2f} for order {order_id}")


# with Celery's names, as django-taskq has them
@shared_task(queue="default")
def export(year: int, formats: tuple[str, ...] = ("csv",)) -> dict[str, object]:
    """Write many rows, and tell how far it is."""
    for percent in range(0, 100, 5):
        current_task().progress({"percent": percent})
        time.sleep(1)
    return {"year": year, "files": [f"orders-{year}.{name}" for name in formats]}


# put by a schedule
@recurring(CronSchedule("0 3 * * *"), key="nightly report")
@recurring(IntervalSchedule(timedelta(minutes=10)), key="stock every ten minutes")
@task
def report() -> int:
    """Count the orders."""
    from shop.models import Order

    return Order.objects.count()

"""``manage.py demo_data``: somebody who may see the admin, and some tasks to look at."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from shop.models import Order
from shop.tasks import charge, confirm, export
from taskkit import CronSchedule
from taskkit_django.kit import kit


class Command(BaseCommand):
    """Fill an empty shop."""

    help = "Fill an empty shop."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Do nothing where there are orders already."""
        if Order.objects.exists():
            return
        User.objects.create_superuser("admin", password="admin")  # noqa: S106 - of the demo
        for number in range(12):
            where = "nowhere" if number % 4 == 3 else "somewhere"
            order = Order.objects.create(article="book", email=f"reader{number}@{where}.example")
            confirm.delay(order.pk)
        charge.delay(1, 19.9, "tok_secret")
        export.delay(2026, formats=("csv", "xlsx"))
        export.apply_async((2025,), countdown=3600)
        confirm.options(due=timedelta(hours=8)).delay(1)
        kit().schedules.add(
            {
                "key": "export on Mondays",
                "schedule": CronSchedule("30 6 * * 1"),
                "group": "default",
                "name": "celery:shop.tasks.export",
                "data": (2026,),
            }
        )
        self.stdout.write("the shop is filled")

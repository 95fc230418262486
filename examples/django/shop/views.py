"""The shop's one page."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from shop.models import Order
from shop.tasks import confirm


def shop(request: HttpRequest) -> HttpResponse:
    """Take an order, or show the latest ones."""
    if request.method == "POST":
        with transaction.atomic():
            # Both or neither: if this block fails, no task was ever there.
            order = Order.objects.create(article="book", email=request.POST["email"])
            confirm.delay(order.pk)
        return redirect("shop")
    return render(request, "shop/shop.html", {"orders": Order.objects.order_by("-pk")[:20]})

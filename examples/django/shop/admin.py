"""Orders in the admin."""

from django.contrib import admin

from shop.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders, the latest first."""

    list_display = ("__str__", "created", "confirmed")
    ordering = ("-pk",)

"""The admin, and a second site of it."""

from django.contrib import admin
from django.urls import path

from taskkit_django.admin import register

other = admin.AdminSite("other")
register(other)

urlpatterns = [path("admin/", admin.site.urls), path("other/", other.urls)]

"""The shop's one page, and the admin."""

from django.contrib import admin
from django.urls import path

from shop.views import shop

urlpatterns = [path("", shop, name="shop"), path("admin/", admin.site.urls)]

"""What the shop keeps."""

from django.db import models


class Order(models.Model):
    """Something that somebody wants."""

    article = models.CharField(max_length=50)
    email = models.EmailField()
    created = models.DateTimeField(auto_now_add=True)
    confirmed = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.article} for {self.email}"

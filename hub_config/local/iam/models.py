"""The account: what the IAM knows of a person."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

validate_username = RegexValidator(
    r"\A[a-z0-9][a-z0-9._-]{0,31}\Z",
    "A username has 1 to 32 small letters (a to z) and digits, and after the first also . - and _ signs.",
)


class User(AbstractBaseUser):
    """A person's account; inactive while it waits for approval."""

    sub = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    """What tokens call this person: never reused, and it says nothing about them."""
    username = models.CharField(max_length=32, unique=True, validators=[validate_username])
    name = models.CharField(max_length=150)
    email = models.EmailField()
    groups = models.ManyToManyField(Group, related_name="members")
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "email"]
    objects = BaseUserManager()

    def get_full_name(self) -> str:
        """Return the name as the person writes it."""
        return str(self.name)

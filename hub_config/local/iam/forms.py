"""Sign-up and approval: the two forms that allauth does not have as we need them."""

from __future__ import annotations

from allauth.account import forms as allauth_forms
from django import forms
from django.contrib.auth.models import Group


class SignupForm(allauth_forms.SignupForm):
    """Asks for the person's name too, and says in one line what a name and a password may be."""

    name = forms.CharField(label="Your name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ("username", "name", "email", "password1")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = "Small letters and digits, for example rosa2."
        self.fields["password1"].help_text = "At least 10 characters, and not a common password."


class DecisionForm(forms.Form):
    """An administrator's word on one waiting account."""

    account = forms.UUIDField()
    decision = forms.ChoiceField(choices=[("approve", "Approve"), ("refuse", "Refuse")])
    group = forms.ModelChoiceField(Group.objects.all(), to_field_name="name")

"""The pages that allauth does not have: the account, approvals, errors, and stricter authorization."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.models import Client
from allauth.idp.oidc.views import AuthorizationView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from . import clients
from .forms import DecisionForm
from .models import User


def every_page(request: Any) -> dict[str, Any]:
    """Return what the frame of each page shows: the ways on, and for an administrator who is waiting."""
    user = getattr(request, "user", None)
    is_admin = bool(user and user.groups.filter(name=settings.ADMIN_GROUP).exists())
    return {
        "is_admin": is_admin,
        "waiting_count": User.objects.filter(is_active=False).count() if is_admin else 0,
        "workspaces": clients.homes(),
    }


@require_safe
def healthz(_request: Any) -> HttpResponse:
    """Tell the supervisor that the IAM answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
@login_required
def account(request: Any) -> HttpResponse:
    """Show who is signed in."""
    return render(request, "iam/account.html", {"groups": request.user.groups.order_by("name")})


@require_safe
def signed_out(request: Any) -> HttpResponse:
    """Say that the session has ended."""
    return render(request, "iam/signed_out.html")


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def approvals(request: Any) -> HttpResponse:
    """Show waiting accounts to an administrator, and carry out the decision on one of them."""
    if not request.user.groups.filter(name=settings.ADMIN_GROUP).exists():
        raise PermissionDenied(f"Only members of the group {settings.ADMIN_GROUP} approve accounts.")
    if request.method == "POST":
        form = DecisionForm(request.POST)
        if form.is_valid():
            messages.info(request, decide(**form.cleaned_data))
        else:
            messages.error(request, "This decision could not be read. Choose again.")
        return redirect("approvals")
    usual, _ = Group.objects.get_or_create(name=settings.USER_GROUP)
    waiting = User.objects.filter(is_active=False).order_by("date_joined")
    groups = Group.objects.order_by("name")
    return render(request, "iam/approvals.html", {"waiting": waiting, "groups": groups, "usual": usual})


@transaction.atomic
def decide(account: Any, decision: str, group: Group) -> str:
    """Approve or refuse a waiting account.

    Parameters
    ----------
    account
        The account's ``sub``.
    decision
        ``approve`` lets the person in; ``refuse`` deletes the account, which frees the username.
    group
        Where the person goes.

    Returns
    -------
    str
        What was done, as a sentence.
    """
    user = User.objects.filter(sub=account, is_active=False).first()
    if user is None:
        return "Another administrator has already decided on this account."
    if decision == "refuse":
        user.delete()
        return f"{user.username} was refused, and the request is deleted."
    user.groups.add(group)
    user.is_active = True
    user.save(update_fields=["is_active"])
    return f"{user.username} can sign in now, as a member of {group.name}."


class Authorization(AuthorizationView):
    """Authorization as OAuth 2.1 has it: PKCE always, and redirects to exactly the registered addresses."""

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse a weak request before anybody signs in for it."""
        if request.GET.get("code_challenge_method") != "S256" or not request.GET.get("code_challenge"):
            return _error_page(request, 400, "The application that sent you here did not use PKCE with S256.")
        client = Client.objects.filter(id=request.GET.get("client_id", "")).first()
        # allauth takes any port of 127.0.0.1, but on a shared machine another port is somebody else's server.
        if client is None or request.GET.get("redirect_uri") not in client.get_redirect_uris():
            return _error_page(
                request, 400, "The application that sent you here is not registered with this address."
            )
        return super().get(request, *args, **kwargs)


def form_too_old(request: Any, **_: Any) -> HttpResponse:
    """Answer a form without a valid CSRF token."""
    return _error_page(request, 403, "This form is too old, or cookies are off. Go back, reload and try again.")


def bad_request(request: Any, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer a request that makes no sense."""
    return _error_page(request, 400, "The browser sent a request that makes no sense here.")


def forbidden(request: Any, exception: Exception) -> HttpResponse:
    """Answer someone who may not see a page."""
    return _error_page(request, 403, str(exception) or "You may not see this page.")


def not_found(request: Any, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """Answer for a page that is not there."""
    return _error_page(request, 404, "There is no page at this address.")


def failed(_request: Any) -> HttpResponse:
    """Answer after a fault of ours, with a page that needs neither database nor session."""
    text = "Something went wrong in the IAM; its log says what. Try again in a moment."
    return HttpResponse(render_to_string("iam/error.html", {"text": text}), status=500)


def _error_page(request: Any, status: int, text: str) -> HttpResponse:
    return render(request, "iam/error.html", {"text": text}, status=status)

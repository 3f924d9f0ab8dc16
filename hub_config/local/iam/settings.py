"""Django's settings for the IAM; all that differs between two machines comes from ``state``."""

from __future__ import annotations

from pathlib import Path

from . import state

USER_GROUP = "imagine-users"
"""Where an approved account goes unless the administrator chooses another group."""
ADMIN_GROUP = "imagine-admins"
"""Whose members approve accounts."""
STORAGE_AUDIENCE = "imagine-storage"
"""In every access token's ``aud``: the storage server checks tokens by itself, with the published keys."""

ISSUER = state.issuer().geturl()
SECRET_KEY = state.secret_key()
DEBUG = False
ALLOWED_HOSTS = [state.issuer().hostname, "127.0.0.1", "localhost"]

ROOT_URLCONF = "hub_config.local.iam.urls"
INSTALLED_APPS = [
    "hub_config.local.iam",  # first: its templates replace allauth's
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.idp.oidc",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "hub_config.local.iam.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hub_config.local.iam.views.every_page",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [Path(__file__).parents[2] / "pages" / "static"]  # one logo and one icon on all pages
WHITENOISE_USE_FINDERS = True

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": state.folder() / "iam.sqlite",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Of two refreshes with one token only one may succeed: the other waits, and finds the token gone.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # Holds authorization codes: at Django's default of 300 entries, a busy minute would throw some away.
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "iam %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
USE_I18N = False
TIME_ZONE = "UTC"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# Cookies are shared by all ports of 127.0.0.1, so that each server there needs names of its own.
SESSION_COOKIE_NAME = "imagine-iam-session"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "imagine-iam-csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "hub_config.local.iam.views.form_too_old"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

AUTH_USER_MODEL = "iam.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username", "name", "email"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "signed_out"

ACCOUNT_ADAPTER = "hub_config.local.iam.adapters.AccountAdapter"
ACCOUNT_FORMS = {"signup": "hub_config.local.iam.forms.SignupForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = False  # it works by sending emails; here the form says that an address is taken
ACCOUNT_SESSION_REMEMBER = False
# Everyone on the machine comes from 127.0.0.1: limits by address are wide, the one by account is narrow.
ACCOUNT_RATE_LIMITS = {
    "login": "120/m/ip",
    "login_failed": "60/m/ip,5/5m/key",
    "signup": "30/m/ip",
}

DRESS = state.dress()
"""As which IAM's the groups are written."""

IDP_OIDC_ADAPTER = "hub_config.local.iam.adapters.OIDCAdapter"
IDP_OIDC_PRIVATE_KEY = state.signing_key()
IDP_OIDC_ACCESS_TOKEN_FORMAT = "jwt"  # noqa: S105
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = state.token_seconds()
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 30 * 24 * 3600
IDP_OIDC_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
IDP_OIDC_RP_INITIATED_LOGOUT_ASKS_FOR_OP_LOGOUT = False

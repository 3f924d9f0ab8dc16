"""The IAM of a single machine: an OIDC provider that needs no network.

A laptop has no institute's IAM to sign in at, yet everything behind sign-in (tokens, groups, refresh, logout)
must be the same as with one. This is Django with django-allauth's OIDC provider and our own pages.

``python -m hub_config.local.iam`` serves it, ``python -m hub_config.local.iam.seed`` puts groups, users and
clients into it. Both read two environment variables: ``IMAGINE_IAM_STATE``, the folder that holds everything it
keeps, and ``IMAGINE_IAM_URL``, its public address, which is the issuer too.
"""

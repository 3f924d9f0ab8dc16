"""The embedded storage: a small server for one machine that speaks Nextcloud's protocol.

It stands in for the users' Nextcloud under ``make run`` and in tests, so that the library, the mount and the hub meet
the same paths, headers and refusals as in production. What it imitates was observed on Nextcloud 33; where it differs
on purpose, the module concerned says so. One request travels: ``app`` (which part of the server) -> ``signin`` (who)
-> ``ocs*`` or ``dav*`` (what) -> ``world`` (where, with which rights) -> ``homes`` and ``nodes`` (disk and records).
People meet it in ``login`` alone, where they grant a program an app password.
"""

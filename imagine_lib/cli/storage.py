"""The verb ``imagine storage``: folders of the user's Nextcloud, kept the same here and there, and shared."""

from __future__ import annotations

import dataclasses
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_family, add_verb, print_json
from imagine_lib.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from imagine_lib.storage.shares import Share

RIGHTS = ("read", "write", "drop")
_EVERY = 100


def add(verbs: Any) -> None:
    """Add the verb."""
    verbs = add_family(verbs, "storage", "Copy, sync and share folders of your Nextcloud.")
    parser = add_verb(verbs, "copy", _copy, "Copy a folder to local disk, only what changed; prints where it is.")
    parser.add_argument("folder", help="nextcloud:/…")
    _add_sync(verbs)
    _add_share(verbs)
    parser = add_verb(verbs, "shares", _shares, "List what you share.")
    parser.add_argument("folder", nargs="?", default="", help="nextcloud:/…; by default everything")
    parser.add_argument("--received", action="store_true", help="what others share with you")
    parser = add_verb(verbs, "withdraw", _withdraw, "End a share.")
    parser.add_argument("id", type=int, help="the number that the list of shares shows first")


def _add_sync(verbs: Any) -> None:
    text = "Make a local folder and one in Nextcloud the same; ends with 1 where something conflicts or failed."
    parser = add_verb(verbs, "sync", _sync, text)
    parser.add_argument("local", help="the folder here")
    parser.add_argument("folder", help="the folder there, nextcloud:/…")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--up", dest="direction", action="store_const", const="up", help="only from here to there")
    way.add_argument("--down", dest="direction", action="store_const", const="down", help="only from there to here")
    parser.add_argument(
        "--delete", action="store_true", help="delete what was deleted on the other side, and is unchanged"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def _add_share(verbs: Any) -> None:
    parser = add_verb(verbs, "share", _share, "Share a folder of images; a link's password is asked for.")
    parser.add_argument("folder", help="nextcloud:/…")
    receiver = parser.add_mutually_exclusive_group(required=True)
    receiver.add_argument("--user", default="")
    receiver.add_argument("--group", default="")
    receiver.add_argument("--link", action="store_true", help="for whoever has its address")
    parser.add_argument("--rights", choices=RIGHTS, default="read", help="drop: only to add files (default: read)")
    parser.add_argument("--password", action="store_true", help="ask for a password of the link")
    parser.add_argument("--expires", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the last day")
    parser.add_argument("--label", default="", help="what the link is called in the list")


def _copy(arguments: argparse.Namespace) -> int:
    from imagine_lib.storage import is_remote, stage

    if not is_remote(arguments.folder):
        raise UsageError(f"{arguments.folder} is no path in your Nextcloud: write nextcloud:/ before it.")
    copy = str(stage(arguments.folder))
    if arguments.json:
        print_json({"path": copy})
    else:
        print(copy)
    return 0


def _sync(arguments: argparse.Namespace) -> int:
    from imagine_lib.storage import sync

    report = sync(
        arguments.local,
        arguments.folder,
        arguments.direction or "both",
        arguments.dry_run,
        delete=arguments.delete,
        progress=_print_progress,
    )
    if arguments.json:
        print_json(dataclasses.asdict(report))
    else:
        print(report)
    return 1 if report.conflicts or report.failed else 0


def _print_progress(done: int, total: int) -> None:
    if done == total or done % _EVERY == 0:
        print(f"{done} of {total} files", file=sys.stderr)


def _share(arguments: argparse.Namespace) -> int:
    from getpass import getpass

    from imagine_lib.storage import shares

    share = shares.create(
        arguments.folder,
        user=arguments.user,
        group=arguments.group,
        link=arguments.link,
        rights=arguments.rights,
        password=getpass("Password of the link: ") if arguments.password else "",
        expires=arguments.expires,
        label=arguments.label,
    )
    _print([share], arguments.json)
    return 0


def _shares(arguments: argparse.Namespace) -> int:
    from imagine_lib.storage import shares

    _print(shares.received() if arguments.received else shares.given(arguments.folder), arguments.json)
    return 0


def _withdraw(arguments: argparse.Namespace) -> int:
    from imagine_lib.storage import shares

    shares.withdraw(str(arguments.id))
    if arguments.json:
        print_json({"withdrawn": arguments.id})
    return 0


def _print(shares: list[Share], as_json: bool) -> None:
    if as_json:
        ends = [share.expires.isoformat() if share.expires else None for share in shares]
        print_json([dataclasses.asdict(share) | {"expires": end} for share, end in zip(shares, ends, strict=True)])
        return
    for share in shares:
        end = f"until {share.expires}" if share.expires else ""
        print("\t".join((share.id, share.path, share.kind, share.receiver or share.url, end)).rstrip())

"""``imagine-hub``: what the people who run the workspace do while it runs."""

from __future__ import annotations

import argparse
import sys

import httpx

from hub_config import settings

SECONDS = 180
"""Stopping somebody's servers takes its time."""


def main(arguments: list[str] | None = None) -> int:
    """Give the hub an order.

    Parameters
    ----------
    arguments
        Of the command line.

    Returns
    -------
    int
        0 done, 1 not done.
    """
    parser = argparse.ArgumentParser("imagine-hub", description="Give orders to a hub that runs.")
    orders = parser.add_subparsers(dest="order", required=True, metavar="ORDER")
    _order(orders, "offboard", "USER", "end a user's servers, tokens, storage key and sign-in now, and for good")
    _order(orders, "readmit", "USER", "let a user in again who was offboarded")
    _order(orders, "banner", "TEXT", "show a sentence on every page; an empty one takes it away")
    _order(orders, "drain", "REASON", "start no new servers, and say why; an empty reason starts them again")
    chosen = parser.parse_args(arguments)
    key = {"drain": "draining"}.get(chosen.order, chosen.order)
    try:
        return _send({key: chosen.value})
    except settings.SettingsError as error:
        return _fail(str(error))


def _order(orders: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, text: str) -> None:
    orders.add_parser(name, help=text, description=text).add_argument("value", metavar=what)


def _send(order: dict[str, str]) -> int:
    chosen = settings.load()
    headers = {"Authorization": f"token {settings.read_secret(chosen.operator_token_file)}"}
    url = f"http://{chosen.hub_listen}/hub/imagine/operate"
    try:
        answer = httpx.post(url, json=order, headers=headers, timeout=SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return _fail(f"The hub at {chosen.hub_listen} does not answer ({type(error).__name__}).")
    if answer.is_error:
        said = answer.json().get("message") if "json" in answer.headers.get("content-type", "") else ""
        return _fail(said or f"The hub answered {answer.status_code}.")
    notice = answer.json()
    sys.stdout.write(f"Done. Banner: {notice['banner'] or 'none'}. New servers: {notice['draining'] or 'yes'}.\n")
    return 0


def _fail(sentence: str) -> int:
    sys.stderr.write(f"imagine-hub: {sentence}\n")
    return 1

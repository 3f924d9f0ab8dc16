"""One process that answers for every user's server.

python -m tests.benchmarks.hub.server PORT
"""

from __future__ import annotations

import sys

from aiohttp import web


async def answer(_: web.Request) -> web.Response:
    """Be there."""
    return web.json_response({"version": "1"}, headers={"X-JupyterHub-Version": "6.1.1"})


def main(port: int) -> None:
    """Serve on loopback."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Everything the server is made of, put together once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import Accounts
from .busy import Busy
from .database import Database
from .dav_pages import Listings
from .guard import Guard
from .homes import Homes
from .iam import IAM
from .nodes import Nodes
from .quota import Quota
from .shares import Right, Shares
from .signin import SignIn
from .trash import Trash
from .uploads import Uploads
from .world import Spot, World

if TYPE_CHECKING:
    from .accounts import User
    from .config import Config
    from .shares import Share


class Services:
    """The parts that handlers work with."""

    def __init__(self, config: Config) -> None:
        config.state.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.database = Database(config.state / "storage.sqlite")
        self.homes = Homes(config.state, config.skeleton)
        self.uploads = Uploads(config.state, self.homes)
        self.nodes = Nodes(self.database)
        self.trash = Trash(self.database, self.homes, self.nodes)
        self.accounts = Accounts(self.database, self.homes)
        self.shares = Shares(self.database, self.homes)
        self.quota = Quota(config.quota, self.homes)
        self.busy = Busy()
        self.listings = Listings()
        self.guard = Guard(config.trusted)
        self.iam = IAM(config.issuer)
        self.sign_in = SignIn(self.accounts, self.iam, self.guard)

    def home(self, user: User, *prefix: str) -> World:
        """Return a user's world."""
        self.homes.provide(user.uid)
        return World(self.homes, prefix, user.uid, Spot(user.uid, "", Right.ALL), self.shares.received(user))

    def link(self, share: Share, *prefix: str) -> World:
        """Return the world behind a public link."""
        return World(self.homes, prefix, "", Spot(share.owner, share.path, share.permissions, share), {})

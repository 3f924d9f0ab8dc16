"""The user's Nextcloud: an fsspec filesystem, local copies to work on, folders kept the same, shares."""

from imagine_lib.storage import shares
from imagine_lib.storage.credentials import Credential, read_credential
from imagine_lib.storage.filesystem import NextcloudFileSystem
from imagine_lib.storage.staging import is_remote, stage
from imagine_lib.storage.sync import sync
from imagine_lib.storage.sync.report import SyncReport

__all__ = [
    "Credential",
    "NextcloudFileSystem",
    "SyncReport",
    "is_remote",
    "read_credential",
    "shares",
    "stage",
    "sync",
]

"""The user's Nextcloud: an fsspec filesystem, and local copies of its folders to work on."""

from imagine_lib.storage.credentials import Credential, read_credential
from imagine_lib.storage.filesystem import NextcloudFileSystem
from imagine_lib.storage.staging import is_remote, stage
from imagine_lib.storage.sync import sync

__all__ = ["Credential", "NextcloudFileSystem", "is_remote", "read_credential", "stage", "sync"]

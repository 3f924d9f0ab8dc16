"""Contents of files on their way to a Nextcloud and from it, checked at both ends."""

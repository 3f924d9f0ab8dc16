"""One Nextcloud as its user sees it: requests, listings, and what is done to files and folders as a whole."""

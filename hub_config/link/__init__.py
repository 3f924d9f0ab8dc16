"""The link between a user and their Nextcloud: made once by consent, or anew for each server with their sign-in."""

"""The server part of the Lab's Nextcloud drive: the user's storage as Jupyter speaks of files.

The key to the storage stays in this server; the browser sees names and content only. What is in ``imagine_lib`` is
imported at the first question, so that a server whose user never opens the drive starts no slower for it.
"""

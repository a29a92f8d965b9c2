"""Token counts of whole folders: which files, their counts on all cores, and a report of them."""

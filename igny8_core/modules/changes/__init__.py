"""One feed of changes: who changed what, when, from where and why."""

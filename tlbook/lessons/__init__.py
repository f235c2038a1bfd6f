"""What a chapter runs on: its data, its network and its sizes, at the profile that is asked for.

A module a chapter, by the chapter's name: ``lessons.dann.ground("quick")``.
"""

from tlbook.lessons import dann, finetune

__all__ = ["dann", "finetune"]

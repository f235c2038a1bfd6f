"""What a chapter runs on: its data, its network and its sizes, at the profile that is asked for.

A module a chapter, by the chapter's name: ``lessons.dann.ground("quick")``. Each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

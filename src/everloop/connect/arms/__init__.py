"""Arms elsewhere: the same assignment for a browser, a server of Node, and a Shopify theme (``folder.py`` writes the files).

``everloop-arm.mjs`` and ``everloop-arm.liquid`` are the files themselves, written out as they are and judged in their own languages
by ``tests/rollout/test_elsewhere.py``; ``golden.py`` makes the vectors that any further language can be held to.
"""

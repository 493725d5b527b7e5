"""A folder keeps what every store of bodies promises; what is its own is in ``tests/registry/test_blobs.py``."""

from everloop.testing.blobs import BlobSuite


class TestBlobsInAFolder(BlobSuite):
    pass

"""Shopify's own schemas of the Admin API, as npm has them in ``@shopify/dev-mcp``: fetched once, by their hash, into ``.tools``.

The package is packed and never installed, so that none of what it depends on comes with it. Its newest schema is the sandbox's own.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from everloop.connect.shopify.sandbox.schema import HERE
from everloop.lake.alone import alone

ROOT = Path(__file__).parents[3]
PACKAGE = "@shopify/dev-mcp@1.16.0"
SHA512 = "b6a8119caeec4218dec3e86dc6d95e4c7db79d70797d972cae15a0124a26b28ac65ef2ce0769a1daea70666f2ecee4c3353667aad2cc7bae3223087ab366b0b7"
VERSIONS = ("2026-04", "2026-07", "2026-10")
FOLDER = ROOT / ".tools" / "shopify-schemas"


def schema_file(version: str) -> Path:
    """The schema of this version, fetched if it is not there. Raises FileNotFoundError where there is no npm."""
    if HERE.name == f"admin_{version}.json.gz":
        return HERE
    file = FOLDER / f"admin_{version}.json.gz"
    with alone(FOLDER / "lock", "fetching Shopify's schemas", patience=300):
        if not file.exists():
            _fetch()
    return file


def there_is_npm() -> bool:
    return shutil.which("npm") is not None or all((FOLDER / f"admin_{v}.json.gz").exists() for v in VERSIONS[:-1])


def _fetch() -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, capture_output=True, timeout=300)
        (packed,) = Path(folder).glob("*.tgz")
        found = hashlib.sha512(packed.read_bytes()).hexdigest()
        assert found == SHA512, f"{PACKAGE} is not what it was: {found}"
        with tarfile.open(packed) as tar:
            for version in VERSIONS:
                member = tar.extractfile(f"package/dist/data/admin_{version}.json.gz")
                assert member is not None
                part = FOLDER / f"admin_{version}.part"
                part.write_bytes(member.read())
                part.rename(FOLDER / f"admin_{version}.json.gz")

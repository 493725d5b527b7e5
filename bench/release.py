"""A release: wheel and sdist, what is in them as CycloneDX writes it (SBOM), and whether any of that is known to be vulnerable.

``python -m bench.release``, or ``make release``, writes all of it to ``dist/``, and ends with 1 where something is known to be vulnerable,
with 2 where nobody could be asked. The bill is of what a release installs (``requirements/core.txt``) where nothing else is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from bench.peers import ROOT, apart, environment

PINS = ROOT / "requirements" / "core.txt"


def built(to: Path, source: Path = ROOT) -> tuple[Path, Path]:
    """The wheel and the sdist of a checkout (or of an unpacked sdist), written to a folder."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(to.resolve())], cwd=source, check=True, capture_output=True)
    (wheel,), (sdist,) = to.glob("*.whl"), to.glob("*.tar.gz")
    return wheel, sdist


def installed(folder: Path, wheel: Path, pins: Path = PINS) -> Path:
    """The Python of a new environment with the pinned libraries and the wheel, and no word of this checkout."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet")
    subprocess.run([*pip, "install", "--no-deps", "--require-hashes", "-r", str(pins)], check=True, env=apart())
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, env=apart())
    subprocess.run([*pip, "check"], check=True, env=apart(), capture_output=True)
    return python


def bill(python: Path, to: Path) -> Path:
    """What is installed there, with versions, licences and who needs whom, as CycloneDX, held against its schema. The same twice."""
    words = ("environment", "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--validate", "-o", str(to), str(python))
    subprocess.run([environment("release").parent / "cyclonedx-py", *words], check=True, env=apart(), capture_output=True)
    return to


def audited(pins: Path = PINS, *words: str) -> tuple[bool, str]:
    """Whether nothing pinned there is known to be vulnerable, and what pip-audit says. Asks the index (or another service, by ``words``).

    Raises OSError where nobody could be asked, which is no all-clear.
    """
    audit = (environment("release").parent / "pip-audit", "--requirement", str(pins), "--disable-pip", "--require-hashes", "--no-deps")
    done = subprocess.run(
        [*audit, "--progress-spinner", "off", "--aliases", *words], env=apart(), capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    if done.returncode and "known vulnerabilit" not in said:
        raise OSError(f"Nobody could be asked what is vulnerable:\n{said}")
    return done.returncode == 0, said


def main() -> int:
    to = ROOT / "dist"
    to.mkdir(exist_ok=True)
    for old in to.glob("everloop*"):
        old.unlink()
    wheel, sdist = built(to)
    with tempfile.TemporaryDirectory() as folder:
        sbom = bill(installed(Path(folder) / "clean", wheel), to / f"{wheel.name.partition('-py3')[0]}.cdx.json")
    print(*(path.relative_to(ROOT) for path in (wheel, sdist, sbom)), sep="\n")
    try:
        clear, said = audited()
    except OSError as silence:
        print(silence)
        return 2
    print(said.strip())
    return 0 if clear else 1


if __name__ == "__main__":
    sys.exit(main())

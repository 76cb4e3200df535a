"""Makes a virtual environment for each version of hishel that the live tests talk to, and one for reading settings.

They live under the build directory and are made once: the second run of the tests needs no package index.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

PACKAGES = {
    "1.0.0": ["hishel==1.0.0", "redis==7.0.1"],
    "1.3.0": ["hishel==1.3.0", "redis==7.0.1"],
    "2.0.0": ["hishel==2.0.0", "redis==8.1.0"],
    "settings": ["redis==8.1.0", "python-dotenv==1.2.1"],
}


def python(version):
    """The interpreter of this environment."""
    return TARGET / "python-venvs" / version / "bin" / "python"


def make(version):
    home = python(version).parents[1]
    made = home / "made-for"
    wanted = " ".join([sys.version.split()[0], *PACKAGES[version]])
    if made.is_file() and made.read_text() == wanted:
        return
    print(f"{version}: making {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    pip = [python(version), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, *PACKAGES[version]], check=True)
    made.write_text(wanted)


if __name__ == "__main__":
    for version in PACKAGES:
        make(version)

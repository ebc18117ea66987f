"""Our package as a wheel, and Python environments with the Hermes of this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("adapters", "cli", "common")


def build_wheel(copy: Path, out: Path) -> Path:
    """Build a wheel from a copy of the sources; return its path."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "__main__.py"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    for path in [path for room in ROOMS for path in ROOT.glob(f"{room}/**/*")]:
        if path.suffix in {".py", ".typed"}:
            (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


def host_distribution() -> str:
    """Return the name under which Hermes is installed here."""
    return metadata.packages_distributions()["hermes_cli"][0]


class HermesEnvironment:
    """A new virtual environment with the Hermes and the libraries of this one, and without our package."""

    def __init__(self, path: Path) -> None:
        venv.EnvBuilder(symlinks=True).create(path)
        here, self.site = (Path(sysconfig.get_path("purelib", vars=base)) for base in ({}, {"base": str(path)}))
        self.python = path / "bin" / "python"
        self.hermes = path / "bin" / "hermes"
        self.hermes.write_text(f"#!{self.python}\nimport sys\nfrom hermes_cli.main import main\nsys.exit(main())\n")
        self.hermes.chmod(0o755)
        the_hosts_own = {file.parts[0] for file in metadata.files(host_distribution()) or ()}
        for entry in here.iterdir():
            if entry.name.startswith("hermes_hardened_adapters") or entry.name in {"repository.pth", "__pycache__"}:
                continue
            if entry.is_dir() and entry.name in the_hosts_own:
                # Behind a link, Hermes would find the environment that the link leads to.
                shutil.copytree(entry, self.site / entry.name, copy_function=_link)
            elif entry.name in the_hosts_own:
                _link(entry, self.site / entry.name)
            else:
                (self.site / entry.name).symlink_to(entry)

    def install(self, *requirements: str, wheels: Path) -> None:
        """Install packages from a folder of wheels, without their dependencies."""
        options = ["--quiet", "--no-deps", "--no-index", f"--find-links={wheels}", f"--target={self.site}"]
        command = [sys.executable, "-m", "pip", "install", *options, *requirements]
        subprocess.run(command, check=True, capture_output=True, timeout=300)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

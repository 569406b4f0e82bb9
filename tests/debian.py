# SPDX-License-Identifier: BSD-2-Clause
"""Debian's source packages, by apt with lists of its own, made from this machine's: /etc stays as it is, and no root is needed.

apt verifies the lists by the keys that this machine trusts, what it fetches by the lists, and dpkg-source what it unpacks.
"""
import fcntl
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRESH = 7 * 24 * 3600  # seconds after which the lists are fetched again
# The hooks are for this machine's lists. Without a sandbox: its user may not write into somebody's home.
CONFIG = """#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/parts";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::Retries "2";
"""


class Unavailable(Exception):
    """Why something cannot be had on this machine: no fault of the tests'."""


def cache():
    """Where what was fetched and built stays."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "quire/thirdparty"


@contextmanager
def locked(path):
    """Alone with it, of all processes: tests run at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def deb_src(text, deb822):
    """A list of apt's, for the sources of what it lists."""
    if deb822:
        return re.sub(r"(?mi)^Types:.*$", "Types: deb-src", text)
    lines = {re.sub(r"^\s*deb(-src)?\s", "deb-src ", line) for line in text.splitlines() if re.match(r"\s*deb(-src)?\s", line)}
    return "".join(sorted(line + "\n" for line in lines))


def own_lists(folder, etc=Path("/etc/apt")):
    """Writes them and apt's configuration; the latter's path."""
    parts = folder / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    for needed in (parts, folder / "lists/partial", folder / "cache/archives/partial"):
        needed.mkdir(parents=True, exist_ok=True)
    found = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for path in (path for path in found if path.suffix in (".list", ".sources") and path.is_file()):
        (parts / path.name).write_text(deb_src(path.read_text(), path.suffix == ".sources"))
    (folder / "sources.list").write_text("")
    config = folder / "apt.conf"
    config.write_text(CONFIG.format(folder=folder))
    return config


def install(packages):
    """Debian's packages, as scripts/setup installs what the other scripts need."""
    with locked(cache() / "apt.lock"):
        done = subprocess.run([ROOT / "scripts/setup", *packages], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"not installed: {' '.join(packages)}: {last_line(done.stderr)}")


def last_line(text):
    """What a tool said in the end."""
    return (text.strip().splitlines() or ["(it said nothing)"])[-1]


class Apt:
    """apt-get with the private lists; with the lock held."""

    def __init__(self):
        self.folder = cache() / "apt"
        self.config = own_lists(self.folder)
        self.updated = self.folder / "updated"

    def get(self, *arguments, cwd=None):
        """What became of apt-get."""
        return subprocess.run(["apt-get", "-q", "-c", self.config, *arguments], cwd=cwd, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)

    def update(self):
        """Fetches the lists; what went wrong. Some may fail, of others than Debian: what matters is what is found then."""
        done = self.get("update")
        self.updated.touch()
        return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("E:", "W:", "Err:"))]

    def fresh(self):
        """Whether the lists need not be fetched now."""
        return self.updated.exists() and time.time() - self.updated.stat().st_mtime < FRESH

    def newest(self, package):
        """PACKAGE_VERSION of the newest source that the lists have, or None."""
        done = self.get("source", "--print-uris", "--only-source", package)
        found = re.search(r"^'\S+' (\S+)\.dsc ", done.stdout, re.M)
        return found and found[1]

    def fetch(self, package, name):
        """Puts the source into the cache, unpacked, if it is not there; what went wrong."""
        folder = cache() / "sources" / name
        if (folder / "tree").exists():
            return None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = self.get("source", "--download-only", "--only-source", package, cwd=folder)
        if done.returncode:
            return last_line(done.stderr)
        done = subprocess.run(["dpkg-source", "-x", f"{name}.dsc", "unpacked"], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return last_line(done.stderr)
        (folder / "unpacked").rename(folder / "tree")
        return None


def source(package):
    """(PACKAGE_VERSION, directory of the unpacked source, as Debian patches it), fetched if it is not in the cache. Old lists
    may name what the archive has no more, so new ones are tried then."""
    install(["dpkg-dev", "ca-certificates"])
    with locked(cache() / "apt.lock"):
        apt = Apt()
        for update in (False, True) if apt.fresh() else (True,):
            errors = apt.update() if update else []
            name = apt.newest(package)
            wrong = apt.fetch(package, name) if name else "; ".join([f"no source package '{package}' in apt's lists", *errors[:3]])
            if not wrong:
                return name, cache() / "sources" / name / "tree"
    raise Unavailable(wrong)

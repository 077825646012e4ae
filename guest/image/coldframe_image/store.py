# SPDX-License-Identifier: Apache-2.0
"""The folder of images: digests, manifests, locks, publishing. Everything in it is immutable once it has its name."""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import tempfile

from . import namespace
from .report import BuildError, progress

SCHEMA = 1


def default_images_folder():
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return pathlib.Path(data) / "coldframe" / "images"


def sha256_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_text(*texts):
    digest = hashlib.sha256()
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def write_json(path, value):
    """Whole or not at all."""
    path = pathlib.Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1, sort_keys=True)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.rename(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def read_json(path):
    """The object in the file, or None when it is missing or not JSON."""
    try:
        with open(path, encoding="utf-8") as stream:
            value = json.load(stream)
        return value if isinstance(value, dict) else None
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def locked(images):
    """One builder at a time; the second waits and then finds the work done."""
    images.mkdir(parents=True, exist_ok=True)
    with open(images / ".build.lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress(0, "Waiting for another build to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in images.glob(".building-*"):
            namespace.remove(leftover)
        yield


@contextlib.contextmanager
def work_folder(images):
    """A folder beside the finished ones (so that a rename publishes it), removed in the end."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=".building-", dir=images))
    path.chmod(0o755)
    try:
        yield path
    finally:
        namespace.remove(path)


def parts_problem(folder, manifest, deep, only=None):
    """None, or which part (of those named in `only`) is missing or damaged. Without deep only sizes are compared."""
    for name, part in (manifest or {}).get("parts", {}).items():
        if only and name not in only:
            continue
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if path.stat().st_size != part["size"] or (deep and sha256_file(path) != part["sha256"]):
            return f"{path} is damaged"
    return None if manifest and manifest.get("parts") else f"{folder / 'manifest.json'} is missing or damaged"


def publish(images, kind, folder, manifest):
    """Gives the built folder its name; returns the name. An equal one that is there and whole wins."""
    manifest["schema"] = SCHEMA
    manifest["parts"] = {}
    for path in sorted(folder.iterdir()):
        if path.name != "manifest.json":
            path.chmod(0o444)
            manifest["parts"][path.name] = {"sha256": sha256_file(path), "size": path.stat().st_size}
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    digest = sha256_text(json.dumps({name: part["sha256"] for name, part in manifest["parts"].items()}, sort_keys=True))
    name = f"{kind}-{digest}"
    manifest["name"] = name
    write_json(folder / "manifest.json", manifest)
    target = images / name
    if target.exists():
        if parts_problem(target, read_json(target / "manifest.json"), deep=True) is None:
            write_json(target / "manifest.json", manifest)
            return name
        # The same name is the same content: repairing a damaged part in place cannot change what an overlay sees.
        for path in folder.iterdir():
            os.rename(path, target / path.name)
        return name
    try:
        os.rename(folder, target)
    except OSError as error:
        raise BuildError(f"{target} could not be put in place: {error.strerror}") from error
    return name

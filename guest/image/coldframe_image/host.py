# SPDX-License-Identifier: Apache-2.0
"""What the build takes from the host: Debian mirror, certificate store."""
import os
import pathlib
import re
import subprocess

DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def mirrors():
    """(archive, security): the host's own where the host is a Debian, else the public name."""
    archive, security = os.environ.get("COLDFRAME_DEBIAN_MIRROR", ""), os.environ.get("COLDFRAME_DEBIAN_SECURITY_MIRROR", "")
    texts = []
    for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            texts.append(path.read_text(errors="replace"))
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")]
    for uri in re.findall(r"https?://[^\s\]]+", "\n".join(lines)):
        uri = uri.rstrip("/")
        if uri.endswith("/debian") and not archive:
            archive = uri
        if uri.endswith("/debian-security") and not security:
            security = uri
    return archive or DEBIAN, security or SECURITY


def certificate_bundle():
    for name in (os.environ.get("SSL_CERT_FILE", ""), *_BUNDLES):
        if name and os.path.isfile(name):
            return name
    return ""


def write_certificates(folder):
    """Every certificate of the host's store as a file of its own, for --keep-host-ca. Returns how many."""
    text = pathlib.Path(certificate_bundle()).read_text(errors="replace")
    found = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)
    folder.mkdir()
    for number, certificate in enumerate(found):
        (folder / f"host-{number:03}.crt").write_text(certificate + "\n")
    return len(found)


def free_bytes(folder):
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def tool_version(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).splitlines()[0] if result.returncode == 0 else ""

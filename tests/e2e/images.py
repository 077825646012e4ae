# SPDX-License-Identifier: Apache-2.0
"""What the stories about own images share."""
import json, shutil, subprocess


def template_base(folder):
    try:
        return json.loads((folder / "manifest.json").read_text()).get("base")
    except (OSError, ValueError):
        return None  # an engine removes it meanwhile


def template_of(t, image):
    """The template whose disk stands on the image, when there is one."""
    found = [folder.name for folder in (t.home / ".local/share/coldframe/images").glob("template-*") if template_base(folder) == image]
    return found[0] if found else ""


def own_images(t):
    """Base images of this test alone, as hard links: the templates made from its images are nobody else's. Those of the base come along."""
    images = t.home / ".local/share/coldframe/images"
    shared = images.resolve()
    images.unlink()
    images.mkdir()
    shutil.copy(shared / "current.json", images)
    current = json.loads((images / "current.json").read_text())["base"]
    present = [folder for folder in shared.glob("template-*") if template_base(folder) == current]
    subprocess.run(["cp", "-al", str(shared / current), *map(str, present), str(images)], check=True)


def coldframe(t, *words, seconds=300):
    """The command line as a user would call it: (exit code, standard output, standard error)."""
    done = subprocess.run([str(t.root / "bin/coldframe"), *words], env=t.environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=seconds, cwd=t.home)
    return done.returncode, done.stdout, done.stderr


def left_over(t):
    """What an image in the making left behind."""
    return [p.name for p in (t.home / ".local/share/coldframe/own-images").glob(".making-*")]

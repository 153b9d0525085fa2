"""Stand-ins of other people's actions: what they do to registries, files and outputs.

Each refuses inputs that it does not know, so that a page shows no input that does not exist.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from fixtures.images import build_attestation, build_image, build_index
from tests.registry.ci.github import Action, UnknownForm, Use


def _checkout(use: Use) -> Mapping[str, str]:
    _inputs(use, "persist-credentials")
    return {}


def _setup_buildx(use: Use) -> Mapping[str, str]:
    _inputs(use)
    return {}


def _login(use: Use) -> Mapping[str, str]:
    """Write the docker config, as `docker login` does; a wrong password shows where it is used."""
    inputs = _inputs(use, "registry", "username", "password")
    file = use.machine.home / ".docker/config.json"
    file.parent.mkdir(exist_ok=True)
    config = json.loads(file.read_text()) if file.exists() else {"auths": {}}
    login = f"{inputs['username']}:{inputs['password']}"
    config["auths"][inputs["registry"]] = {"auth": base64.b64encode(login.encode()).decode()}
    file.write_text(json.dumps(config))
    return {}


def _metadata(use: Use) -> Mapping[str, str]:
    """Name tags and annotations, for a tag `v1.2.3` that was pushed."""
    inputs = _inputs(use, "images", "tags", "flavor")
    version = use.variables["GITHUB_REF"].removeprefix("refs/tags/v")
    major, minor, _ = version.split(".")
    known = {"{{version}}": version, "{{major}}": major, "{{minor}}": minor}
    names = []
    for line in inputs.get("tags", "type=semver,pattern={{version}}").splitlines():
        kind, _, pattern = line.partition(",pattern=")
        if kind != "type=semver":
            raise UnknownForm(f"a tag of {line}")
        for word, value in known.items():
            pattern = pattern.replace(word, value)
        if "{" in pattern:
            raise UnknownForm(f"the pattern {pattern}")
        names.append(pattern)
    suffix = ""
    if flavor := inputs.get("flavor", ""):
        if not flavor.startswith("suffix="):
            raise UnknownForm(f"the flavor {flavor}")
        suffix = flavor.removeprefix("suffix=").strip()
    names = [f"{name}{suffix}" for name in names] + ["latest"]
    tags = [f"{image.lower()}:{name}" for image in inputs["images"].split() for name in names]
    levels = use.variables.get("DOCKER_METADATA_ANNOTATIONS_LEVELS", "manifest")
    repository = use.variables["GITHUB_REPOSITORY"]
    labels = [
        f'org.opencontainers.image.description=Makes "pages" of $HOME, it\'s {repository}',
        f"org.opencontainers.image.version={names[0]}",
        f"org.opencontainers.image.revision={use.variables['GITHUB_SHA']}",
    ]
    return {
        "version": names[0],
        "tags": "\n".join(tags),
        "labels": "\n".join(labels),
        "annotations": "\n".join(f"{levels}:{label}" for label in labels),
    }


def _build_push(use: Use) -> Mapping[str, str]:
    """Push the sample image of a platform with its provenance, as buildx does by default."""
    inputs = _inputs(use, "platforms", "tags", "outputs", "push", "labels")
    system, _, rest = inputs["platforms"].partition("/")
    architecture, _, variant = rest.partition("/")
    image = build_image(system, architecture, variant)
    index = build_index([image, build_attestation(image)])
    tags = re.split(r"[,\s]+", inputs["tags"].strip())
    output = dict(part.partition("=")[::2] for part in inputs.get("outputs", "").split(","))
    by_digest = output.get("push-by-digest") == "true"
    if "true" not in (output.get("push"), inputs.get("push")):
        raise UnknownForm("a build that is not pushed")
    for reference in tags:
        registry, _, name = reference.partition("/")
        repository, _, tag = name.partition(":")
        if by_digest and tag:
            raise UnknownForm(f"can't push tagged ref {reference} by digest")
        _check_login(use, registry)
        with use.runner.named.seeder(registry) as push:
            push.push_index(repository, index.digest if by_digest else tag, index)
    metadata = {"containerimage.digest": index.digest, "image.name": ",".join(tags)}
    return {
        "digest": index.digest,
        "imageid": image.config.digest,
        "metadata": json.dumps(metadata, indent=2),
    }


def _upload(use: Use) -> Mapping[str, str]:
    """Keep the files of one folder; the artifact has them without the folder's name."""
    inputs = _inputs(use, "name", "path", "if-no-files-found", "retention-days")
    folder = use.machine.workspace / inputs["path"].removesuffix("/*")
    files = {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }
    if not files or inputs["name"] in use.runner.artifacts:
        raise UnknownForm(f"no files in {inputs['path']}, or {inputs['name']} is there already")
    use.runner.artifacts[inputs["name"]] = files
    return {}


def _download(use: Use) -> Mapping[str, str]:
    inputs = _inputs(use, "pattern", "path", "merge-multiple")
    folder = use.machine.workspace / inputs["path"]
    for name, files in use.runner.artifacts.items():
        if not fnmatchcase(name, inputs["pattern"]):
            continue
        where = folder if inputs.get("merge-multiple") == "true" else folder / name
        for path, content in files.items():
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            (where / path).write_bytes(content)
    return {}


def _cosign(use: Use) -> Mapping[str, str]:
    """Put a program on PATH that notes what it is told to sign."""
    _inputs(use)
    use.machine.add_program("cosign", 'echo "$@" > ~/noted-by-cosign')
    return {}


def _attest(use: Use) -> Mapping[str, str]:
    inputs = _inputs(use, "subject-name", "subject-digest", "push-to-registry")
    file = use.machine.home / "noted-by-attest"
    file.write_text(f"{inputs['subject-name']}@{inputs['subject-digest']}")
    return {}


def _bake(use: Use) -> Mapping[str, str]:
    """Build one target as `docker/build-push-action` does, and write bake's metadata of it."""
    inputs = _inputs(use, "targets", "set")
    settings = [line.partition("=")[::2] for line in inputs["set"].splitlines()]
    named = {"*.platform": "platforms", "*.tags": "tags", "*.output": "outputs"}
    build = {named[name]: value for name, value in settings}
    built = _build_push(replace(use, inputs=build))
    metadata = {inputs["targets"]: json.loads(built["metadata"])}
    return {"metadata": json.dumps(metadata, indent=2)}


ACTIONS: Mapping[str, Action] = {
    "actions/checkout": _checkout,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "actions/attest-build-provenance": _attest,
    "docker/bake-action": _bake,
    "docker/setup-buildx-action": _setup_buildx,
    "docker/login-action": _login,
    "docker/metadata-action": _metadata,
    "docker/build-push-action": _build_push,
    "sigstore/cosign-installer": _cosign,
}


def noted(folder: Path, by: str) -> str:
    """Return what a stand-in, `cosign` or `attest`, was told on the one machine that had it."""
    (file,) = folder.glob(f"machine-*/home/noted-by-{by}")
    return file.read_text().strip()


def _inputs(use: Use, *known: str) -> Mapping[str, str]:
    if unknown := use.inputs.keys() - set(known):
        raise UnknownForm(f"the inputs {sorted(unknown)}")
    return use.inputs


def _check_login(use: Use, registry: str) -> None:
    """Refuse a push by a job that has not logged in as one who may."""
    file = use.machine.home / ".docker/config.json"
    auths = json.loads(file.read_text())["auths"] if file.exists() else {}
    allowed = use.runner.named.registries[registry].credentials
    if allowed is None:
        return
    given = base64.b64decode(auths.get(registry, {}).get("auth", "")).decode()
    if given != ":".join(allowed):
        raise UnknownForm(f"a push to {registry} as {given.partition(':')[0]!r}")

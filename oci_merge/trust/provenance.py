"""The provenance of a merge: which images an index was made of, and by what. Pure.

SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance), in an in-toto statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oci_merge._frozen import frozen
from oci_merge._text import has_controls
from oci_merge._version import __version__
from oci_merge.trust.bundle import read_statement
from oci_merge.trust.strict_json import UnreadableError, field

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
#: What was done. It is a name and no address: there is nothing to fetch there.
BUILD_TYPE = "urn:oci-merge:merge:v1"
_BUILDER = "urn:oci-merge"


@frozen
class ProvenanceSource:
    """An image that the index was made of.

    Attributes:
        reference: where it was read, for example ``reg.example/app-amd64:1.0``.
        digest: the digest that the reference pointed to then.
        platforms: the platforms under which its images were published.
    """

    reference: str
    digest: str
    platforms: tuple[str, ...]


def provenance(target: str, sources: Sequence[ProvenanceSource], job: str = "") -> dict[str, Any]:
    """Return what a provenance states, as JSON values.

    It has no date: a rerun that changes nothing states the same.

    Args:
        target: the repository of the index, with its registry.
        sources: the images.
        job: the address of the CI job that runs this; empty where none is known.
    """
    algorithm_and_value = [(source, *source.digest.partition(":")[::2]) for source in sources]
    builder: dict[str, Any] = {"id": _BUILDER, "version": {"oci-merge": __version__}}
    details: dict[str, Any] = {"builder": builder}
    if job:
        details["metadata"] = {"invocationId": job}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "target": target,
                "sources": [source.reference for source in sources],
            },
            "resolvedDependencies": [
                {
                    "uri": f"oci://{source.reference}",
                    "digest": {algorithm: value},
                    "annotations": {"platforms": list(source.platforms)},
                }
                for source, algorithm, value in algorithm_and_value
            ],
        },
        "runDetails": details,
    }


def job_url(environ: Mapping[str, str]) -> str:
    """Return the address of the CI job that runs this; empty where none is known.

    Args:
        environ: the environment.
    """
    url = ""
    if environ.get("GITLAB_CI") == "true":
        url = environ.get("CI_JOB_URL", "")
    elif environ.get("GITHUB_ACTIONS") == "true":
        parts = [environ.get(name, "") for name in _GITHUB]
        if all(parts):
            server, repository, run, attempt = parts
            url = f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}"
    # Python reads bytes that are not UTF-8 as characters that JSON in UTF-8 cannot have.
    return "" if has_controls(url) else url


def is_of_merge(payload: bytes, digest: str) -> bool:
    """Say whether a statement is the provenance of a merge, and about this index.

    Args:
        payload: the statement.
        digest: the index's digest.
    """
    try:
        statement = read_statement(payload)
    except UnreadableError:
        return False
    if statement.predicate_type != PREDICATE_TYPE or digest not in statement.digests:
        return False
    predicate = statement.predicate if isinstance(statement.predicate, dict) else {}
    build_type: object = field(predicate, "buildDefinition", "buildType")
    return build_type == BUILD_TYPE


_GITHUB = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")

"""Finds out which part of a batch this machine is for, from what CI systems say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oci_merge import UsageError
from oci_merge_cli.output.escape import printable

_AUTO = "auto"


@dataclass(frozen=True, slots=True)
class _System:
    """The variables in which a system counts the machines of one job.

    Attributes:
        name: what the system is called.
        index: the variable with the number of this machine.
        total: the variable with how many there are.
        first: the number of the first machine.
    """

    name: str
    index: str
    total: str
    first: int


_SYSTEMS = (
    _System("GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
    _System("CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
    _System("Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
    _System("Azure Pipelines", "SYSTEM_JOBPOSITIONINPHASE", "SYSTEM_TOTALJOBSINPHASE", 1),
    _System("Bitbucket", "BITBUCKET_PARALLEL_STEP", "BITBUCKET_PARALLEL_STEP_COUNT", 0),
    _System("Semaphore", "SEMAPHORE_JOB_INDEX", "SEMAPHORE_JOB_COUNT", 1),
    _System("Cloud Run", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT", 0),
    # Kubernetes says the index alone; the Job has to say how many completions it asks for.
    _System("Kubernetes", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", 0),
)


def resolve_shard(text: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the shard that ``--shard`` means.

    Args:
        text: the option's value: ``3/10``, which the library checks, or ``auto``; None without it.
        environ: the environment.

    Raises:
        UsageError: ``auto`` is given, and the environment does not say it, or says two.
    """
    if text is None or text.strip() != _AUTO:
        return text
    found: dict[str, str] = {}
    for system in _SYSTEMS:
        if shard := _shard(system, environ):
            found[system.name] = shard
    # Some systems count the machines of every job. One that has several of them means it.
    chosen = {name: shard for name, shard in found.items() if not shard.endswith("/1")} or found
    if not chosen:
        raise UsageError(
            "--shard auto finds no variables of a parallel job",
            hint="give the shard itself, such as --shard 3/10; on GitHub "
            "--shard ${{ matrix.shard }}/10",
        )
    if len(set(chosen.values())) > 1:
        said = " and ".join(f"{name} says {shard}" for name, shard in chosen.items())
        raise UsageError(
            f"--shard auto finds more than one shard: {said}",
            hint="give the shard itself, such as --shard 3/10",
        )
    return next(iter(chosen.values()))


def _shard(system: _System, environ: Mapping[str, str]) -> str:
    """Return what a system says, or an empty string if it says nothing.

    Raises:
        UsageError: it says one number without the other, or what is no shard.
    """
    index, total = environ.get(system.index, ""), environ.get(system.total, "")
    if not index and (not total or total == "1"):
        return "1/1" if total else ""  # GitLab says 1 to every job that is not parallel
    if not index or not total:
        missing = system.total if index else system.index
        is_kubernetes = system.name == "Kubernetes"
        raise UsageError(
            f"--shard auto finds {system.index if index else system.total}, but no {missing}",
            hint=f"set {missing} to the Job's completions"
            if is_kubernetes
            else "give the shard itself, such as --shard 3/10",
        )
    if index.isdecimal() and total.isdecimal():
        number = int(index) - system.first + 1
        if 1 <= number <= int(total):
            return f"{number}/{int(total)}"
    last = f"{system.total} - 1" if system.first == 0 else system.total
    raise UsageError(
        f"{system.index}={printable(index, limit=40)} and "
        f"{system.total}={printable(total, limit=40)} are not a shard",
        hint=f"{system.name} counts from {system.first} to {last}; "
        "or give the shard itself, such as --shard 3/10",
    )

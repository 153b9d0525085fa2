"""`python -m tests.bench.bulk_client HOST RUN COUNT PLATFORMS`: merges many images in one process.

It is what a user of the library would write, and imports nothing else of the benchmark.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import oci_merge


async def merge_all(host: str, run: str, count: int, platforms: Sequence[str]) -> None:
    """Merge the images `bulk/appN` side by side.

    Args:
        host: the registry.
        run: where the targets go, `bulk/RUN/appN`.
        count: how many images.
        platforms: the platforms of each.

    Raises:
        OciMergeError: one of them could not be merged.
    """
    async with oci_merge.AsyncClient() as client:
        await asyncio.gather(
            *(
                client.merge(
                    f"{host}/bulk/{run}/app{number}:1.0",
                    template=f"{host}/bulk/app{number}-ARCHVARIANT:1.0",
                    platforms=platforms,
                )
                for number in range(count)
            )
        )


def main() -> None:
    """Do what the arguments say."""
    host, run, count, platforms = sys.argv[1:]
    asyncio.run(merge_all(host, run, int(count), platforms.split(",")))


if __name__ == "__main__":
    main()

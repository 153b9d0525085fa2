"""`python -m tests.bench.bulk_client HOST RUN COUNT IMAGES PLATFORMS`: merges in one process.

It is what a user of the library would write, and imports nothing else of the benchmark.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import oci_merge


async def merge_all(
    host: str, run: str, count: int, images: int, platforms: Sequence[str]
) -> oci_merge.BatchResult:
    """Merge the images `bulk/appN` side by side.

    Args:
        host: the registry.
        run: where the targets go, `bulk/RUN/appN`.
        count: how many images are made.
        images: how many there are to make them of; they are taken again and again.
        platforms: the platforms of each.
    """
    async with oci_merge.AsyncClient() as client:
        return await client.batch(
            {
                "target": f"{host}/bulk/{run}/app{number}:1.0",
                "template": f"{host}/bulk/app{number % images}-ARCHVARIANT:1.0",
                "platforms": platforms,
            }
            for number in range(count)
        )


def main() -> None:
    """Do what the arguments say; one image that fails ends it with status 1."""
    host, run, count, images, platforms = sys.argv[1:]
    done = asyncio.run(merge_all(host, run, int(count), int(images), platforms.split(",")))
    for image in done.images:
        if image.error is not None:
            sys.exit(str(image.error))


if __name__ == "__main__":
    main()

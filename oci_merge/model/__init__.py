"""Values of the OCI specifications: references, digests, platforms, manifests. No I/O."""

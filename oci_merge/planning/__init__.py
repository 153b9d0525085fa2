"""From a request to a plan: which images are joined, and what has to be written. No I/O."""

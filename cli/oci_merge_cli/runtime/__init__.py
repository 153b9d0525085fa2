"""The process: start, signals, logging, failures, exit status."""

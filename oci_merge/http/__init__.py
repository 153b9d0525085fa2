"""An HTTP client for one registry and the hosts that it points at."""

"""Monitor: compares answers with the world: drift, late truth, errors, latency. Reads no clock, touches no disk."""

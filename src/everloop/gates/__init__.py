"""Gates: is a candidate better, fair and fast enough to take the champion's place? Reads no clock, touches no disk."""

"""One log under many settings: sweeps, the least cost above a quality floor, the frontier."""

"""Programs that measure and show the engine: the demo, speed, suites."""

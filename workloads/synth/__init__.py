"""Synthetic logs: seeded mixes of requests that read like real traffic, in any number of rows."""

from workloads.synth.mix import Mix, load_mix, preset_names
from workloads.synth.rows import generate
from workloads.synth.write import write_log

__all__ = ["Mix", "generate", "load_mix", "preset_names", "write_log"]

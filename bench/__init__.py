"""Benchmarks: ratios to a floor of the same durability, taken in the same run."""

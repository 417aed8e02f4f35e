"""The control API: people, evidence, faults and switches. For tests, demos and judges, never for the product."""

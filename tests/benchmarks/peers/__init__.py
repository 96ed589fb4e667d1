"""The engines beside us, each set up for a workload: offline, with events and metrics off.

They are imported by name, as the checks of types run without them.
"""

"""Scripts that run the same task on other engines, each in an environment of its own (see ``benchmarks/_peers.py``)."""

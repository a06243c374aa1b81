"""Side-by-side figures against published results and peers: ``make bench``, or ``python -m benchmarks NAME``."""

"""Variational autoencoders on MNIST, trained, measured and drawn."""

import os

# Threads that wait for each other spin for some microseconds, then sleep. GNU's OpenMP lets them
# spin on, and a step took ten times as long as soon as another process wanted a core; without any
# spinning it took three times as long on a free machine. Read when torch is loaded, so set before.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

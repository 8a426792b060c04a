"""Variational autoencoders on MNIST, trained, measured and drawn."""

import os

# Threads that wait for each other sleep instead of spinning: with a core taken by another process a
# step with spinning threads takes ten times as long. Read when torch is loaded, so set before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

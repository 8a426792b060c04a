"""Variational autoencoders on MNIST, trained, measured and drawn."""

"""Figures: arrays in, drawings on Axes that the caller supplies."""

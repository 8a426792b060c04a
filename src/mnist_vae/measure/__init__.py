"""What a trained model is worth, as numbers: pure functions of arrays."""

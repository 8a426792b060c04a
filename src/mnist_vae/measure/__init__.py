"""What a trained model is worth, as numbers: functions of arrays, and what calls them all."""

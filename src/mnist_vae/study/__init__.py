"""Many trainings: what one seed cannot say, said with its spread."""

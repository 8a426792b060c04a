"""How networks learn: recipe, objective, optimizer and one loop."""

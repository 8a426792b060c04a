"""What passes between stages: each kind of file declared once, written whole, checked when read."""

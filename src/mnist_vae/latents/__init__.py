"""What a trained model makes of images, and what is made of its latents."""

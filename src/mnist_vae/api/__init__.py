"""What others use: trained models with NumPy in and out, files in and out, ONNX."""

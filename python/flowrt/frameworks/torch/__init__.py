"""What the adapters of PyTorch frameworks share."""

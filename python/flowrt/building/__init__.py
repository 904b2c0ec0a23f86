"""What adapters and descriptions build steps and layers with."""

"""What the adapters of frameworks without modules share."""

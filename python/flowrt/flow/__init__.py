"""The flow as a graph of steps and layers, before anything is sorted or rounded."""

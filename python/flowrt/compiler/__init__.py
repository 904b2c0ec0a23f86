"""From a flow to the records of a file: order, units, folding."""

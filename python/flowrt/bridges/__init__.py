"""A flow or a mixture as other libraries call them. Each module imports its library when it is asked for."""

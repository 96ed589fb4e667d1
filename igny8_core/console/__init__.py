"""What operators see of the pipeline before and after they change something."""

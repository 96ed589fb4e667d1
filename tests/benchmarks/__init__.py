"""What `make bench` measures: nothing in the test suite is timed."""

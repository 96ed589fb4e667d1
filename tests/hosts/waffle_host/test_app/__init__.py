"""What waffle's tests import as `test_app`."""

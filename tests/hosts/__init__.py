"""Tests as a host of flags writes them: run by Django's own runner, in a process of their own."""

"""Tests of the state machine engine."""

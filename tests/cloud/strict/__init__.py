"""Tests of where the embedded AWS is stricter than moto."""

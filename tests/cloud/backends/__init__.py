"""Tests of the services moto does not have."""

"""The `firebreak` command: what runs at a desk, beside what is deployed."""

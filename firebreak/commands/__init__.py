"""One module per group of the `firebreak` command; each exports its click group as `command`."""

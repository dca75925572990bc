"""Proof of the audit trail outside the tables: every record kept, and what is kept sealed.

vault     the bucket of objects that nobody can overwrite or delete
records   records as the bucket holds them, each proven by its name
keeping   each record of the audit table's stream becomes an object
merkle    the hash of a list, as RFC 6962 has it
seals     a seal: the chains that grew, under one signed root, after the seal before it
sealing   making the next seal
run       what one run of it believes, and tells of
"""

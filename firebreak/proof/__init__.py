"""Whether the audit trail is what it was: the table, what was kept of it, and what was sealed.

trail       what is compared, and what can be wrong
tabled      the chains of the table
bucketed    what the bucket keeps, and what it should not hold
sealed      seals, one after the other, under one key
comparing   each with the others
exported    a trail in a file
"""

"""Plan, apply and undo: the one place where effects become calls, records and facts.

stepping   one step of one pass: its lease, its result on record
resolving  its parameters and items
work       what one step works with: its place, its fence, its records
reading    the readers that actions get, of live state and of a plan's
calling    making a call: edits resolved, errors told apart
holding    who wants what of one element, and what that means for the next one
planning   an action's effects as a plan, without a change
comparing  whether a step would still do what was planned
applying   an action's effects made, exactly once
making     one of them: intent, call, look, outcome
fixing     fixtures, made or mended under a lock
undoing    recorded effects taken back, drift-checked; or foreseen
judging    what becomes of one of them, from what is known of it
restoring  one of them: intent, call, look, outcome
releasing  letting go of an element, on record
settling   what was left half-way when a step was cut off
"""

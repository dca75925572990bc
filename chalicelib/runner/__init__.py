"""Plan, apply and undo: the one place where effects become calls, records and facts.

stepping   one step of one pass: its lease, its parameters, its result on record
work       what one step works with: its place, its fence, its records
reading    the readers that actions get, of live state and of a plan's
calling    making a call: edits resolved, errors told apart
holding    who wants what of one element, and what that means for the next one
planning   an action's effects as a plan, without a change
applying   an action's effects made, exactly once
undoing    recorded effects taken back, drift-checked
"""

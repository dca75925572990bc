"""The fault proof: every AWS call of every shipped playbook made to fail, and what holds then.

kinds        the ways in which a call, or the function that makes it, fails
fields       the events that are run, each in a world of its own, without chance in their order
driving      one event: applied, delivered again, rolled back
points       the fault points, generated from the calls of a run without a fault
looking      what is there after a run: records, calls, live state
invariants   what must hold of it
forks        many runs from one prepared world, each in a process of its own
"""

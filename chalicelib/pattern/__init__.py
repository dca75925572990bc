"""Match events with EventBridge event patterns, as AWS does.

The semantics are those of the EventBridge user guide ("Amazon EventBridge event patterns" and
"Comparison operators for use in event patterns") and of aws/event-ruler, the engine inside
EventBridge (its README); where the two differ, the engine is followed.

    value        one value of an event, in the form that values are compared in
    operators    what a pattern can ask of one value
    expression   one value of a pattern's field as written → its operator
    parse        pattern as written → alternatives of fields; both refuse what AWS refuses
    flatten      event → its values, each with the array elements it lies in
    consistency  whether the values that fit can come from the same array elements
    match        EventPattern: one pattern
    index        PatternSet: many patterns, in time that does not grow with those out of question

Departures, all on purpose:

- A CIDR mask of /32 (IPv4) or /128 (IPv6) is a single address; the engine refuses it.
- Addresses are compared as addresses. The engine compares their hexadecimal text, and so finds the
  IPv6 address `a00::1` in 10.0.0.0/8, and some plain numbers in other networks.
- `equals-ignore-case` works for letters beyond U+FFFF too, where the engine compares "?".
- What one object of a `$or` matches no other object can take away, and fields of dotted keys are
  found in every array; in the engine both can, rarely, hide a match.
"""

from chalicelib.pattern.index import PatternSet
from chalicelib.pattern.match import EventPattern

__all__ = ["EventPattern", "PatternSet"]

"""Several workers on shared resources, interleaved call by call.

scheduler   one worker at a time, switched at AWS calls as a schedule says; kills; time
synthetic   remediations of throw-away actions, and what must hold whatever the schedule
"""

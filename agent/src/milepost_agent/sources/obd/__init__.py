"""OBD-II: what to ask of a car and how its answers read, whatever carries them. Pure.

::

    pids       the table of requests (pids.toml), and their answers as values (dtc, vin)
    polling    what to ask next                      judging    what a reply means for the plan
    messages   answers, refusals, silence            isotp      frames put together
    addresses  identifiers on CAN                    readonly   what may be asked at all
    settings   what may be set of all that ask
"""

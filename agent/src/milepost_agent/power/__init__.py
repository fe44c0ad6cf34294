"""Power: when to ask the car, when to let it sleep, and when to stop for the sake of its 12 V battery.

::

    permit     what one source may do now             policy     the stance, from all evidence
    keeper     acts: event, commit, link, command     use        is the car in use: engine, wheels, key
    gate       a task that runs only while wanted     depth      how far to go for the battery's sake
    machine    ignition line and sleep command        battery    what one voltmeter shows, smoothed
                                                      asking     may this source ask its bus now
                                                      announcing which changes of stance are told

The right column is pure: facts and times in, decisions out. Their times are
seconds of a clock that also counts the sleep of the machine.
"""

"""All items of many vehicles at once, from flat arrays to due dates.

`inputs` says what has to be known, `groups` puts items of different schedules together, `measured` turns the
readings of a signal into wear, counters and countdowns, `results` goes through the steps in their order.
"""

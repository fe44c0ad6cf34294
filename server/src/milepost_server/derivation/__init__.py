"""From stored readings to what the pages show: `milepost_server.signals`, run over the store.

    derive.Derivation           a dealer's vehicles as of a date: all, some, or those with something new
    runner.DerivationRunner     keeps the results current while the server runs
    replay.Replay               the list of a past day again, as it was
    results                     what was derived, as dataclasses, for pages and API

The as-of date is always an argument. It is a date of the dealer: its day ends at midnight in the dealer's
time zone, and nothing that happened later is looked at.
"""

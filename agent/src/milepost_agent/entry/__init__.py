"""Entries by hand: what a person reads from the instrument or does to the car, told to the running agent.

::

    command     ``milepost-agent enter``        request     one line of JSON as an entry (pure)
    client      asks the socket                 plausible   may the odometer show that? (pure)
    endpoint    answers on the socket           desk        takes an entry in, answers when it is stored
"""

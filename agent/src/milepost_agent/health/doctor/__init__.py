"""``milepost-agent doctor``: looks at everything that an agent needs, and says what to do about it.

::

    examination   which looks, in which order      verdicts   what a look means
    probes        the looks themselves             findings   one line each, text or JSON

The left column does I/O and judges nothing, the right one is pure. While an agent runs it is asked: buffer,
adapter and the login at the broker are its own then, and are not touched.
"""

"""Upgrade readiness: a hazard by month from what a car, a contract and a service history can say.

``features`` is what may be asked; ``columns`` and ``card`` are a scorecard of binned columns and a few pairs
of them, whose whole points add up exactly; ``fit``, ``pairs`` and ``tuning`` learn one from outcomes;
``priors`` is what is believed before there are any; ``model`` makes it a document that can be replayed.
"""

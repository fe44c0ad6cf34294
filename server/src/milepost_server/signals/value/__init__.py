"""What a car is worth, what is owed on it, and what keeping it costs: pure arithmetic over whole fleets.

`contracts` says which contract runs and when it ends, `lease` what its excess kilometres will cost, `payoff`
what is owed, `residual` what the car is worth, `equity` the difference. `repairs` is what is due soon,
`lifetime` what an owner has been and will be worth, `plans` a dealer's subscriptions, `subscription` which of
them fits. `assessment` looks at cars as a whole, `columns` hands that to readiness.

Money is in minor units of one currency, as floats; NaN is what is not known.
"""

"""Due distances on any file of odometers, against baselines, on vehicles and times that were not seen."""

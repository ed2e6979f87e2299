"""DriftMonitor: are the photos that a served model is asked about those that it was made for?"""

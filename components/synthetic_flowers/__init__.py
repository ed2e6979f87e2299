"""The embedded dataset: photographs of invented flowers, drawn here, nothing downloaded."""

"""The main job on real pictures, from nothing to a contact sheet: ``make demo``."""

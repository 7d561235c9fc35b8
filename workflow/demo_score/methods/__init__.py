"""Curation methods, one file each: from demonstrations, and what was tried, to a score for each demonstration."""

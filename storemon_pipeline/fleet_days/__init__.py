"""Sums of local days over stores: of the table of days, or computed when they are asked for."""

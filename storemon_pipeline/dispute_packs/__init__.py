"""Dispute packs: the evidence of a statement or an incident in one signed file."""

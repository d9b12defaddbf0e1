"""Channels: the storefronts of a store, the rule that joins them, and their joined status."""

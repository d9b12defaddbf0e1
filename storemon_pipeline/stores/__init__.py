"""Store ids, keys, names, groups and regions."""

"""API keys, accounts, sessions and the audit log: values, tables, and what changes them."""

"""API keys and the audit log: values, tables and the commands that change them."""

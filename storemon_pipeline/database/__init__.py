"""The connection to PostgreSQL: engines, bulk transactions, tables, migrations, locks."""

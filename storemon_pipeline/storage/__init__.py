"""PostgreSQL: tables, migrations and every statement that storemon sends."""

"""The HTTP API: reports, stores, fleet, loads, alerts, and the web pages."""
